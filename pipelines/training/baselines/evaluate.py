"""Judging a recommender by the validation requests of a trial."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.evaluation import GroundTruth, metrics_of_hits, rank_scores
from pipelines.training.baselines.recommender import USER_BATCH_SIZE, Recommender
from pipelines.training.data import Histories, ModelSplit

JUDGED_USERS = 2_000
"""Most validation users that a choice is made by."""

SCORE_BATCH_SIZE = 4_000_000
"""Scores made together: 16 MB, a size that the allocator reuses; larger arrays are paged in every time."""


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Some validation requests, and the items wanted there."""

    histories: Histories
    truth: GroundTruth
    repeats: bool
    """Whether seen items may be listed."""
    seed: int
    """Of the shuffle that breaks ties."""

    @classmethod
    def of(cls, trial: ModelSplit) -> Self:
        """The trial's validation requests with an answer, or a seeded sample where there are many."""
        wanted, seed = trial.validation.wanted, trial.seed
        rows = np.flatnonzero(np.diff(wanted.indptr) > 0)
        if len(rows) > JUDGED_USERS:
            rows = np.sort(np.random.default_rng(seed).choice(rows, JUDGED_USERS, replace=False))
        ids = pa.array([str(row) for row in range(len(wanted.indptr) - 1)], pa.string())
        truth = GroundTruth(wanted.indptr, wanted.items, ids, trial.catalogue.num_rows).take(rows)
        return cls(trial.validation.histories.take(rows), truth, trial.repeats, seed)

    def ndcgs(self, recommender: Recommender) -> npt.NDArray[np.float64]:
        """[B] NDCG@10 of each user over the whole catalogue."""
        lists = ranked_lists(recommender, self.histories, 10, repeats=self.repeats, seed=self.seed)
        return metrics_of_hits(self.truth.relevance(lists), self.truth.sizes, [10])["ndcg@10"]

    def ndcg(self, recommender: Recommender) -> float:
        """Mean NDCG@10 over the whole catalogue; 0 where nobody is judged."""
        values = self.ndcgs(recommender)
        return float(values.mean()) if len(values) else 0.0


def score_batches(n_users: int, n_items: int) -> Iterator[slice]:
    """Users some at a time, so that the scores of all items for them stay small."""
    step = max(1, min(USER_BATCH_SIZE, SCORE_BATCH_SIZE // max(n_items, 1)))
    for start in range(0, n_users, step):
        yield slice(start, min(start + step, n_users))


def ranked_lists(
    recommender: Recommender,
    histories: Histories,
    k: int,
    *,
    repeats: bool,
    seed: int = 0,
    rows: npt.NDArray[np.integer] | None = None,
    padding: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.int32]:
    """[B, k] the items of the best scores, best first.

    Args:
        recommender: Anything that scores; an item of score 0 or less is none that it would offer.
        histories: B users; they are scored some at a time.
        k: Length of the lists.
        repeats: Whether items of the history may be listed.
        seed: Of the shuffle that breaks ties.
        rows: [B] a number for each user, by which ties are shuffled; their places, if left out.
        padding: [n_items] scores below 0 of what follows the offered items; -1 ends the list, if left out.
    """
    rows = np.arange(len(histories)) if rows is None else rows
    lists = np.full((len(histories), k), -1, np.int32)
    start, step = 0, 1
    while start < len(histories):
        part = histories.take(slice(start, start + step))
        scores = recommender.scores(part)
        np.copyto(scores, np.float32(-np.inf) if padding is None else padding, where=scores <= 0)
        if not repeats:
            scores[part.rows, part.items] = -np.inf
        some = slice(start, start + len(part))
        lists[some] = rank_scores(scores, k, seed=seed, rows=rows[some])
        start += step
        step = max(1, min(USER_BATCH_SIZE, SCORE_BATCH_SIZE // scores.shape[1]))
    return lists
