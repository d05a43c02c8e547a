"""One evaluation: several models on the same users, truth and catalogue, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import EvaluationError
from pipelines.evaluation.beyond_accuracy import catalogue_variety, list_variety
from pipelines.evaluation.bootstrap import Interval, intervals
from pipelines.evaluation.calibration import Outcome, score_outcome
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.item_facts import Catalogue
from pipelines.evaluation.metrics import PerUser, metrics_of_hits, recall_curve, refuse_repeats
from pipelines.evaluation.model_scores import Parity, Scores
from pipelines.evaluation.slices import popularity_bins, popularity_shares, sliced_values, user_slices

KS = (5, 10, 20)
"""Lengths that lists are measured at."""

HEADLINE = "ndcg@10"
"""The metric that decides."""

_VALUE_BATCH_SIZE = 20_000_000
"""How many values of users and metrics are held together while intervals are worked out."""


@dataclass(frozen=True)
class Evaluation:
    """Several models on the same users, truth and catalogue."""

    scores: Mapping[str, Scores]
    """Model → its figures, in the order they were given."""

    headline: str
    """The metric that decides."""

    ks: tuple[int, ...]
    """Lengths that lists were measured at."""

    dataset: Mapping[str, int]
    """Counts: `users` with truth, `users_without_truth`, `items`, `true_pairs`, `pairs_outside_catalogue`."""

    popularity_bins: NDArray[np.float64]
    """Lower ends of the popularity bins, in wishes before the cutoff."""

    true_popularity_shares: NDArray[np.float64]
    """Share of the true pairs in each popularity bin."""

    seed: int
    """Seed of the bootstrap."""

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """Model → metric → mean with its 95 % interval, all from the same draws of users."""
        return self._grouped({name: scores.per_user for name, scores in self.scores.items()})

    @cached_property
    def slice_intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """Model → slice → the headline metric's mean with its 95 % interval."""
        return self._grouped({name: scores.slices for name, scores in self.scores.items()})

    def metrics(self, model: str) -> dict[str, float]:
        """Every figure of one model by name, means and totals."""
        return {name: i.mean for name, i in self.intervals[model].items()} | dict(self.scores[model].totals)

    def ci95(self, model: str) -> dict[str, tuple[float, float]]:
        """The 95 % interval of every metric of one model that is a mean over users."""
        return {name: (i.low, i.high) for name, i in self.intervals[model].items()}

    def differences(self, model: str) -> dict[str, dict[str, Interval]]:
        """Other model → metric → mean of (model - other) over the same users, with its paired interval."""
        if model not in self._differences:
            own = self.scores[model].per_user
            self._differences[model] = self._grouped(
                {
                    name: {m: own[m] - other.per_user[m] for m in own if m in other.per_user}
                    for name, other in self.scores.items()
                    if name != model
                }
            )
        return self._differences[model]

    @cached_property
    def _differences(self) -> dict[str, dict[str, dict[str, Interval]]]:
        """What `differences` has worked out so far."""
        return {}

    def _grouped(self, groups: Mapping[str, PerUser]) -> dict[str, dict[str, Interval]]:
        """The intervals of each group's columns; the draws are made once for as many groups as fit."""
        found: dict[str, dict[str, Interval]] = {}
        waiting: dict[tuple[str, str], NDArray[np.float64]] = {}
        for group, columns in groups.items():
            if sum(len(column) for column in (*waiting.values(), *columns.values())) > _VALUE_BATCH_SIZE:
                self._work_out(waiting, found)
                waiting = {}
            found[group] = {}
            waiting |= {(group, name): column for name, column in columns.items()}
        self._work_out(waiting, found)
        return found

    def _work_out(
        self,
        waiting: Mapping[tuple[str, str], NDArray[np.float64]],
        found: dict[str, dict[str, Interval]],
    ) -> None:
        if waiting:
            table = np.stack(list(waiting.values()), axis=1)
            for (group, name), one in zip(waiting, intervals(table, seed=self.seed), strict=True):
                found[group][name] = one


def evaluate(
    lists: Mapping[str, NDArray[np.integer]],
    truth: GroundTruth,
    catalogue: Catalogue,
    history_sizes: NDArray[np.integer],
    *,
    ks: Sequence[int] = KS,
    headline: str = HEADLINE,
    outcomes: Mapping[str, Mapping[str, Outcome]] | None = None,
    parity: Mapping[str, Sequence[Parity]] | None = None,
    more_users: Mapping[str, NDArray[np.bool_]] | None = None,
    more_pairs: Mapping[str, NDArray[np.bool_]] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure the lists of several models; row u of everything is user u of the truth.

    Args:
        lists: Model → item indices `[n_users, list_length]`, best first, -1 as padding at the end.
        truth: What the users did in the window.
        catalogue: Facts of the items before the window.
        history_sizes: Events of each user before the window `[n_users]`.
        ks: Lengths to measure at.
        headline: The metric that decides; its k must be among `ks`.
        outcomes: Model → task of its ranking stage → probabilities and what happened.
        parity: Model → how far its exported graphs depart from the trained ones.
        more_users: Further slice → which users it holds `[n_users]`.
        more_pairs: Further slice → which of the true pairs it holds `[n_pairs]`.
        seed: Of the bootstrap.

    Raises:
        EvaluationError: There is no model, no user with truth, or the parts do not fit together.
    """
    if not lists or not len(truth.items):
        raise EvaluationError(
            f"expected at least one model and one true item in the window, received {len(lists)} models and "
            f"{len(truth.items)} true items; choose a longer horizon or other target types"
        )
    if len(history_sizes) != truth.n_users or catalogue.n_items != truth.n_items:
        raise EvaluationError(
            f"expected history sizes of {truth.n_users} users and a catalogue of {truth.n_items} items, as "
            f"in the truth, received {len(history_sizes)} and {catalogue.n_items}"
        )
    needed = int(headline.rpartition("@")[2])
    short = [name for name, own in lists.items() if own.shape[1] < needed]
    if needed not in ks or short:
        raise EvaluationError(
            f"expected {needed} among ks and lists of at least that length for {headline}, received ks "
            f"{tuple(ks)} and shorter lists of {', '.join(short) or 'no model'}; pad lists with -1"
        )
    users = user_slices(history_sizes) | dict(more_users or {})
    items, pairs = catalogue.slices(truth), dict(more_pairs or {})
    bins = popularity_bins(catalogue)
    answered = np.where(truth.sizes > 0, 1.0, np.nan)
    scores = {}
    for name, own in lists.items():
        refuse_repeats(own)
        hits = truth.relevance(own)
        scores[name] = Scores(
            name=name,
            headline=headline,
            per_user=metrics_of_hits(hits, truth.sizes, ks)
            | {metric: values * answered for metric, values in list_variety(own, catalogue, ks).items()},
            totals=catalogue_variety(own, catalogue, ks),
            slices=sliced_values(hits, own, truth, users, items, headline, pairs),
            outcomes={
                task: score_outcome(outcome) for task, outcome in (outcomes or {}).get(name, {}).items()
            },
            parity=tuple((parity or {}).get(name, ())),
            recall_curve=recall_curve(hits, truth.sizes),
            popularity_shares=popularity_shares(own[:, : max(ks)], catalogue, bins),
        )
    known = int(np.count_nonzero(truth.sizes))
    return Evaluation(
        scores=scores,
        headline=headline,
        ks=tuple(sorted(set(ks))),
        dataset={
            "users": known,
            "users_without_truth": truth.n_users - known,
            "items": truth.n_items,
            "true_pairs": len(truth.items),
            "pairs_outside_catalogue": int(np.count_nonzero(truth.items >= truth.n_items)),
        },
        popularity_bins=bins,
        true_popularity_shares=popularity_shares(truth.items, catalogue, bins),
        seed=seed,
    )
