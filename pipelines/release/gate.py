"""The gate: may this release be offered for promotion? A pure function that answers with its reasons.

A refusal is a decision, not an error. Every check says what it expected and what it received, so that a
person who reads the verdict in the model registry needs nothing else to understand it.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipelines.evaluation import Interval, Scores, interval, paired_interval


class GatePolicy(BaseModel):
    """How strict the gate is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_users: int = Field(20, ge=1)
    """Fewest test users with truth on which a verdict may rest."""

    level: float = Field(0.95, gt=0, lt=1)
    """Share of the bootstrap draws that an interval holds."""

    champion_tolerance: float = Field(0.02, ge=0)
    """Relative loss of the headline metric against the champion that still counts as not worse."""

    slice_tolerance: float = Field(0.05, ge=0)
    """Relative loss in one slice beyond which a loss whose whole interval lies below zero is refused."""

    large_slice_users: int = Field(100, ge=1)
    """A slice with at least this many users is large enough to be compared with the champion."""

    greatest_calibration_error: float | None = Field(0.02, ge=0)
    """Greatest calibration error of any task of the ranking stage; null asks for none."""

    least_coverage: float = Field(0.02, ge=0, le=1)
    """Least share of the items that the lists could show which they do show (`reachable_coverage`)."""

    least_overlap: float = Field(0.95, ge=0, le=1)
    """Least share of a trained graph's top 10 that its exported graph must keep, where that was measured."""

    seed: int = 0
    """Seed of the bootstrap."""


class Check(BaseModel):
    """One question that the gate asked."""

    model_config = ConfigDict(frozen=True)

    name: str
    """What was asked, such as `beats_best_baseline`."""

    passed: bool
    """Whether the answer was good enough."""

    expected: str
    """What would have been good enough."""

    received: str
    """What was measured."""

    @property
    def sentence(self) -> str:
        """The check as a person reads it."""
        return f"{self.name.replace('_', ' ')}: expected {self.expected}; received {self.received}"


class Decision(BaseModel):
    """The gate's verdict."""

    model_config = ConfigDict(frozen=True)

    passed: bool
    """Whether the release may be offered for promotion."""

    reasons: tuple[str, ...]
    """Why not, one sentence for each failed check; where it passed, the sentences that carried it."""

    checks: tuple[Check, ...]
    """Everything that was asked, in order."""


def decide(
    candidate: Scores,
    champion: Scores | None,
    baselines: Mapping[str, Scores],
    policy: GatePolicy | None = None,
    *,
    skipped: Mapping[str, str] | None = None,
    uncompared: str | None = None,
) -> Decision:
    """Decide whether a release may be promoted; the same input gives the same verdict.

    Args:
        candidate: The release's figures.
        champion: The approved release's figures on the same users, None where there is none yet.
        baselines: Simple models' figures on the same users.
        policy: How strict to be; the defaults if left out.
        skipped: Baselines that were not measured, and why; told with the verdict, they decide nothing.
        uncompared: Why there are no figures of a champion; told with the verdict where there are none.
    """
    policy = policy or GatePolicy()
    checks = tuple(_checks(candidate, champion, baselines, policy, skipped or {}, uncompared))
    failed = [check.sentence for check in checks if not check.passed]
    return Decision(
        passed=not failed, reasons=tuple(failed or (check.sentence for check in checks)), checks=checks
    )


def _checks(
    candidate: Scores,
    champion: Scores | None,
    baselines: Mapping[str, Scores],
    policy: GatePolicy,
    skipped: Mapping[str, str],
    uncompared: str | None,
) -> Iterator[Check]:
    yield _has_enough_users(candidate, policy)
    yield _beats_best_baseline(candidate, baselines, policy, skipped)
    if champion is None and uncompared is not None:
        yield _tells_of_no_champion(uncompared)
    if champion is not None:
        yield _is_not_worse(candidate, champion, policy)
        yield _loses_no_slice(candidate, champion, policy)
    if policy.greatest_calibration_error is not None:
        yield _is_calibrated(candidate, policy.greatest_calibration_error)
    yield _covers_enough(candidate, policy)
    yield from (_is_exported_faithfully(candidate, policy) for _ in candidate.parity[:1])


def _has_enough_users(candidate: Scores, policy: GatePolicy) -> Check:
    users = int(np.count_nonzero(~np.isnan(candidate.headline_values)))
    return Check(
        name="rests_on_enough_users",
        passed=users >= policy.least_users,
        expected=f"at least {policy.least_users:,} test users with truth",
        received=f"{users:,}",
    )


def _beats_best_baseline(
    candidate: Scores, baselines: Mapping[str, Scores], policy: GatePolicy, skipped: Mapping[str, str]
) -> Check:
    """The best one decides; what the release is beside each of the others is told."""
    name = "beats_best_baseline"
    missing = "; ".join(f"{key} was not measured: {why}" for key, why in skipped.items())
    means = {key: scores.headline_mean for key, scores in baselines.items()}
    measured = {key: mean for key, mean in means.items() if not np.isnan(mean)}
    if not measured:
        return Check(
            name=name,
            passed=False,
            expected="at least one baseline measured in the same run",
            received="; ".join(filter(None, ("none", missing))),
        )
    ranked = sorted(measured, key=measured.__getitem__, reverse=True)
    gains = {
        key: paired_interval(
            candidate.headline_values, baselines[key].headline_values, seed=policy.seed, level=policy.level
        )
        for key in ranked
    }
    best = ranked[0]
    rank = f"the best of {len(means)} baselines" if len(means) > 1 else "the only baseline"
    received = (
        f"{candidate.headline_mean:.4f} against {measured[best]:.4f}, difference {_signed(gains[best])}"
    )
    others = ", ".join(f"{key} {measured[key]:.4f}, {_signed(gains[key])}" for key in ranked[1:])
    return Check(
        name=name,
        passed=gains[best].low > 0,
        expected=f"{candidate.headline} above {best}, {rank}, with the whole "
        f"{policy.level:.0%} interval of the paired difference above zero",
        received="; ".join(filter(None, (received, others and f"beside the others: {others}", missing))),
    )


def _tells_of_no_champion(why: str) -> Check:
    return Check(
        name="is_compared_with_the_champion_where_it_can_be",
        passed=True,
        expected="the champion's lists for the same users, where there is a champion that has learned "
        "nothing from the test window",
        received=why,
    )


def _is_not_worse(candidate: Scores, champion: Scores, policy: GatePolicy) -> Check:
    gain = paired_interval(
        candidate.headline_values, champion.headline_values, seed=policy.seed, level=policy.level
    )
    return Check(
        name="is_not_worse_than_champion",
        passed=gain.mean >= -policy.champion_tolerance * champion.headline_mean,
        expected=f"{candidate.headline} at most {policy.champion_tolerance:.0%} below the champion's "
        f"{champion.headline_mean:.4f}",
        received=f"{candidate.headline_mean:.4f}, difference {_signed(gain)}",
    )


def _loses_no_slice(candidate: Scores, champion: Scores, policy: GatePolicy) -> Check:
    """Every slice is told: what was lost first, then what was kept, then what is too small to say."""
    lost: list[str] = []
    kept: list[str] = []
    small: list[str] = []
    for name, values in candidate.slices.items():
        if name not in champion.slices:
            continue
        gain = paired_interval(values, champion.slices[name], seed=policy.seed, level=policy.level)
        if gain.users < policy.large_slice_users:
            small.append(f"{name} ({gain.users:,})")
            continue
        before = interval(champion.slices[name], resamples=1).mean
        is_lost = gain.high < 0 and gain.mean < -policy.slice_tolerance * before
        told = f"{name} ({gain.users:,} users) {before:.4f}, difference {_signed(gain)}"
        (lost if is_lost else kept).append(told)
    parts = ["; ".join(lost) or f"none of {len(kept)} slices compared"]
    if kept:
        parts.append(f"{'not lost: ' if lost else ''}{', '.join(kept)}")
    if small:
        parts.append(f"too few users to say: {', '.join(small)}")
    return Check(
        name="loses_no_large_slice",
        passed=not lost,
        expected=f"no slice of {policy.large_slice_users:,} users or more surely worse than the champion by "
        f"over {policy.slice_tolerance:.0%}",
        received="; ".join(parts),
    )


def _is_calibrated(candidate: Scores, greatest: float) -> Check:
    errors = {task: outcome.calibration_error for task, outcome in candidate.outcomes.items()}
    return Check(
        name="is_calibrated",
        passed=bool(errors) and max(errors.values()) <= greatest,
        expected=f"calibration error of the ranking stage's probabilities at most {greatest:g}",
        received=", ".join(f"{task} {error:.4f}" for task, error in errors.items()) or "no task was measured",
    )


def _covers_enough(candidate: Scores, policy: GatePolicy) -> Check:
    metric = f"reachable_coverage@{candidate.headline.rpartition('@')[2]}"
    coverage = candidate.totals.get(metric)
    return Check(
        name="covers_enough_of_the_catalogue",
        passed=coverage is not None and coverage >= policy.least_coverage,
        expected=f"{metric} of at least {policy.least_coverage:g}",
        received="not measured" if coverage is None else f"{coverage:.4f}",
    )


def _is_exported_faithfully(candidate: Scores, policy: GatePolicy) -> Check:
    return Check(
        name="exported_graphs_agree_with_the_trained",
        passed=all(part.overlap >= policy.least_overlap for part in candidate.parity),
        expected=f"every exported graph to keep {policy.least_overlap:.0%} or more of the trained top 10",
        received=", ".join(
            f"{part.part} {part.overlap:.2%} (scores differ by up to {part.largest_difference:.2g})"
            for part in candidate.parity
        ),
    )


def _signed(gain: Interval) -> str:
    return f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
