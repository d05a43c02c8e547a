"""Measuring a release as it would serve, beside its champion and simple baselines, and the gate's verdict.

Every list comes from the very code that answers shoppers, for every user with a history, at the start of the
test window, with the items' state of that instant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.evaluation import Catalogue, Evaluation, Parity, Window, build_truth, evaluate, events_per_user
from pipelines.release.gate import Decision, GatePolicy, decide
from pipelines.release.offline_serving import event_types_of, probability_tasks, served_lists, served_outcomes
from serving.bundle import Bundle
from serving.engine import UserBatch

RELEASE = "release"
CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class TestRequests:
    """The requests that a release is measured on: one per user, all at the start of the test window."""

    __test__ = False

    window: Window
    """The test window: requests at its start, truth within it."""
    user_ids: pa.StringArray
    users: UserBatch
    """The same users, in the encoding of the bundle that is measured."""
    target_types: tuple[str, ...]
    """Event types that mean success."""


def measure(
    bundle: Bundle,
    requests: TestRequests,
    events: pa.Table,
    baselines: Mapping[str, NDArray[np.int32]],
    *,
    champion: NDArray[np.int32] | None = None,
    parity: Sequence[Parity] = (),
    policy: GatePolicy | None = None,
    skipped: Mapping[str, str] | None = None,
    uncompared: str | None = None,
) -> tuple[Evaluation, Decision]:
    """Figures of the release, its champion and the baselines on the same users, and what the gate says.

    Args:
        bundle: The release, with the items' state of the window's start.
        requests: Whom it is asked for, and when.
        events: Columns `user_id item_id event_type event_at`, everything before the window's end.
        baselines: Name → their lists `[n_users, k]` of the bundle's item indices.
        champion: The approved release's lists in the bundle's item indices; None where it cannot be compared.
        parity: How far the exported graphs depart from the trained ones.
        policy: How strict the gate is.
        skipped: Baselines that are missing, and why, for the gate to tell.
        uncompared: Why the champion's lists are missing, for the gate to tell.
    """
    window, user_ids = requests.window, requests.user_ids
    before = events.filter(pc.less(events["event_at"], pa.scalar(window.starts_at)))
    truth = build_truth(events, window, user_ids, bundle.items["item_id"], requests.target_types)
    catalogue = Catalogue.from_tables(
        bundle.items["item_id"], bundle.items["category"], before, window.starts_at, requests.target_types
    )
    truth_of_task = {
        task: build_truth(events, window, user_ids, bundle.items["item_id"], event_types_of(task))
        for task in probability_tasks(bundle.spec)
    }
    lists = {RELEASE: served_lists(bundle, requests.users), **baselines}
    if champion is not None:
        lists[CHAMPION] = champion
    evaluation = evaluate(
        lists,
        truth,
        catalogue,
        events_per_user(before, user_ids),
        outcomes={RELEASE: served_outcomes(bundle, requests.users, truth_of_task)},
        parity={RELEASE: parity},
    )
    decision = decide(
        evaluation.scores[RELEASE],
        evaluation.scores.get(CHAMPION),
        {name: evaluation.scores[name] for name in baselines},
        policy,
        skipped=skipped,
        uncompared=uncompared,
    )
    return evaluation, decision


def in_indices_of(lists: NDArray[np.int32], own: Bundle, other: Bundle) -> NDArray[np.int32]:
    """Lists of one bundle's item indices in another's; items that the other does not know fall out."""
    known = other.indices_of(own.items["item_id"].to_pylist())
    moved = np.where(lists >= 0, known[lists], -1).astype(np.int32)
    return np.take_along_axis(moved, np.argsort(moved < 0, axis=1, kind="stable"), 1)


def figures(evaluation: Evaluation, decision: Decision) -> dict[str, object]:
    """What the demo's report and a task's result tell of an evaluation, as JSON values."""
    metrics, ci95 = evaluation.metrics(RELEASE), evaluation.ci95(RELEASE)
    others = [name for name in evaluation.scores if name not in (RELEASE, CHAMPION)]
    told = {"ndcg_at_10": metrics["ndcg@10"], "ndcg_at_10_ci95": list(ci95["ndcg@10"])}
    gains = {name: found["ndcg@10"] for name, found in evaluation.differences(RELEASE).items()}
    return {
        "release": {**told, "recall_at_10": metrics["recall@10"]},
        "baselines": {name: {"ndcg_at_10": evaluation.metrics(name)["ndcg@10"]} for name in others},
        "differences": {
            name: {"ndcg_at_10": gain.mean, "ndcg_at_10_ci95": [gain.low, gain.high]}
            for name, gain in gains.items()
        },
        "champion": evaluation.metrics(CHAMPION)["ndcg@10"] if CHAMPION in evaluation.scores else None,
        "gate": {"passed": decision.passed, "reasons": list(decision.reasons)},
        "users": evaluation.dataset["users"],
    }
