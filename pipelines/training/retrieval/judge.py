"""How good retrieval alone is, on validation requests, by the whole catalogue."""

import numpy as np

from pipelines.training.material import VALIDATION, Material
from pipelines.training.retrieval.encoders import Encoders
from pipelines.training.retrieval.model import SequenceRetrieval
from serving.bundle import Bundle

FIGURE = "validation_recall_at_100"
RECALL_AT = 100
MOST_USERS = 2_000
USERS_AT_ONCE = 256


class ValidationJudge:
    """Share of what users took in the validation window that is among the 100 nearest items of all."""

    def __init__(self, material: Material, bundle: Bundle, model: SequenceRetrieval) -> None:
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

    def __call__(self) -> float:
        """The mean over users; 0 where nobody took anything."""
        n_users, n_items = len(self._users), self._bundle.n_items
        if n_users == 0:
            return 0.0
        vectors = self._encoders.item_vectors(n_items)
        queries = self._encoders.query_vectors(vectors, self._bundle, self._users)
        hits, k = np.zeros(len(self._rows), bool), min(RECALL_AT, n_items)
        for start in range(0, n_users, USERS_AT_ONCE):
            scores = queries[start : start + USERS_AT_ONCE] @ vectors.T
            if not self._repeats:
                had = self._users.history_items[start : start + USERS_AT_ONCE]
                at_user, at_event = np.nonzero(had >= 0)
                scores[at_user, had[at_user, at_event]] = -np.inf
            least = np.partition(scores, n_items - k, axis=1)[:, n_items - k]
            mine = (self._rows >= start) & (self._rows < start + USERS_AT_ONCE)
            rows = self._rows[mine] - start
            hits[mine] = scores[rows, self._items[mine]] >= least[rows]
        counts = np.bincount(self._rows, minlength=n_users)
        return float(np.mean(np.bincount(self._rows, hits, n_users) / np.maximum(counts, 1)))
