"""Judging a recommender by the validation requests of a trial."""

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

SCORE_BATCH_SIZE = 8_000_000
"""Scores held at once while lists are made."""


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
        truth = GroundTruth(ids, wanted.indptr, wanted.items, trial.catalogue.num_rows).take(rows)
        return cls(trial.validation.histories.take(rows), truth, trial.repeats, seed)

    def ndcgs(self, recommender: Recommender) -> npt.NDArray[np.float64]:
        """[B] NDCG@10 of each user over the whole catalogue."""
        lists = ranked_lists(recommender, self.histories, 10, repeats=self.repeats, seed=self.seed)
        return metrics_of_hits(self.truth.relevance(lists), self.truth.sizes, [10])["ndcg@10"]

    def ndcg(self, recommender: Recommender) -> float:
        """Mean NDCG@10 over the whole catalogue; 0 where nobody is judged."""
        values = self.ndcgs(recommender)
        return float(values.mean()) if len(values) else 0.0


def is_surely_better(values: npt.NDArray[np.float64], than: npt.NDArray[np.float64]) -> bool:
    """Whether the mean of paired values `[B]` is higher by more than one standard error of the difference.

    A lead that the draw of the users alone would give is no reason to leave a default.
    """
    apart = values - than
    return bool(len(apart) > 0 and apart.mean() > apart.std() / np.sqrt(len(apart)))


def ranked_lists(
    recommender: Recommender, histories: Histories, k: int, *, repeats: bool, seed: int = 0
) -> npt.NDArray[np.int32]:
    """[B, k] the items of the best scores, best first, -1 where the recommender has nothing more to say.

    Args:
        recommender: Anything that scores.
        histories: B users; they are scored some at a time.
        k: Length of the lists.
        repeats: Whether items of the history may be listed.
        seed: Of the shuffle that breaks ties.
    """
    lists = np.full((len(histories), k), -1, np.int32)
    start, step = 0, 1
    while start < len(histories):
        part = histories.take(slice(start, start + step))
        scores = recommender.scores(part)
        scores[scores <= 0] = -np.inf
        if not repeats:
            scores[part.rows, part.items] = -np.inf
        rows = np.arange(start, start + len(part))
        lists[rows] = rank_scores(scores, k, seed=seed, rows=rows)
        start += step
        step = max(1, min(USER_BATCH_SIZE, SCORE_BATCH_SIZE // scores.shape[1]))
    return lists
