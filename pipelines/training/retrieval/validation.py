"""How good retrieval alone is, on validation requests, by the whole catalogue."""

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import ndcg_of_ranks
from pipelines.training.data import VALIDATION, TrainingData
from pipelines.training.fit import Figures
from pipelines.training.retrieval.inference import Encoders
from pipelines.training.retrieval.model import SequenceRetrieval
from serving.bundle import Bundle

FIGURE = "validation_ndcg_at_100"
LENGTH = 100
MOST_USERS = 2_000
USER_BATCH_SIZE = 256
"""At most."""

SCORE_BATCH_SIZE = 24_000_000
"""Of users with items: fewer users are looked at in one go where there are very many items."""


class ValidationNdcg:
    """NDCG@100 of the nearest items of all, by what users took in the validation window.

    The share that is found among the hundred alone would stop too early: long after it has settled, what is
    found still moves up, and the ranker lives by that.
    """

    def __init__(self, material: TrainingData, bundle: Bundle, model: SequenceRetrieval) -> None:
        """Draw the users that are looked at; the same for every look."""
        requests = material.requests(VALIDATION)
        keys = material.labels(VALIDATION, material.target_types)
        users, items = np.divmod(keys, bundle.n_items)
        asked = np.flatnonzero(np.isin(requests.rows, users) & requests.users.has_history)
        asked = np.sort(np.random.default_rng(0).permutation(asked)[:MOST_USERS])
        self._encoders = Encoders(model)
        self._bundle, self._users = bundle, requests.users.rows(asked)
        place = np.full(int(max(requests.rows.max(initial=0), users.max(initial=0))) + 1, -1)
        place[requests.rows[asked]] = np.arange(len(asked))
        kept = place[users] >= 0
        self._rows, self._items = place[users[kept]], items[kept]
        self._repeats = material.repeats

    def __call__(self) -> Figures:
        """[U] of the users; a single 0 where nobody took anything."""
        n_users, n_items = len(self._users), self._bundle.n_items
        if n_users == 0:
            return np.zeros(1)
        vectors = self._encoders.item_vectors(n_items)
        queries = self._encoders.query_vectors(vectors, self._bundle, self._users)
        ranks = np.zeros(len(self._rows), np.int64)
        at_once = min(USER_BATCH_SIZE, max(1, SCORE_BATCH_SIZE // n_items))
        for start in range(0, n_users, at_once):
            scores = queries[start : start + at_once] @ vectors.T
            if not self._repeats:
                had = self._users.history_items[start : start + at_once]
                at_user, at_event = np.nonzero(had >= 0)
                scores[at_user, had[at_user, at_event]] = -np.inf
            mine = (self._rows >= start) & (self._rows < start + at_once)
            ranks[mine] = ranks_of(scores, self._rows[mine] - start, self._items[mine])
        return ndcg_of_ranks(ranks, self._rows, n_users, LENGTH)


def ranks_of(
    scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], items: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """[T] 0-based rank of each item in its row of scores `[B, n]`, `LENGTH` behind the first so many."""
    length = min(LENGTH, scores.shape[1])
    best = np.partition(scores, -length, axis=1)[:, -length:]
    ahead = (best[rows] > scores[rows, items][:, None]).sum(axis=1)
    return np.where(ahead < length, ahead, LENGTH)
