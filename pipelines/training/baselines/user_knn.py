"""User-kNN: what the users most like the asking one took (Resnick et al., 1994, on implicit feedback)."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in, interests_of, row_norms
from pipelines.training.baselines.neighbours import largest_of_rows
from pipelines.training.data import Histories

UserSimilarity = Literal["cosine", "pearson"]
UserWeighting = Literal["none", "idf"]


@dataclass(frozen=True, slots=True)
class UserKnn:
    """All known users' interests, of which the nearest ones' are summed."""

    taken: sp.csr_matrix
    """[n_users, n] log interests."""
    telling: npt.NDArray[np.float32]
    """[n] what an item in common counts."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    neighbours: int
    """Users that are asked; more where several are equally near."""
    similarity: UserSimilarity
    """How near two users are."""
    place_decay: float
    """Factor for every later event of the asking user."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        neighbours: int = 200,
        weighting: UserWeighting = "none",
        similarity: UserSimilarity = "cosine",
        place_decay: float = 1.0,
    ) -> Self:
        """Keep everybody's interests.

        Args:
            known: Events to learn from.
            neighbours: See the attribute.
            weighting: With idf, an item in common counts log(1 + users / users of the item).
            similarity: See the attribute.
            place_decay: See the attribute.
        """
        taken = interests_of(known)
        telling = np.ones(known.n_items, np.float32)
        if weighting == "idf":
            telling = np.log1p(known.n_users / np.maximum(taken.getnnz(axis=0), 1)).astype(np.float32)
        return cls(taken, telling, known.weights, neighbours, similarity, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] interests of the nearest other users, times their similarity, and the user's own once."""
        own = interests_in(histories, self.taken.shape[1], self.weights, place_decay=self.place_decay).log1p()
        near = largest_of_rows(self._similarities(own, histories.users), self.neighbours)
        return np.asarray((near @ self.taken + own).toarray(), np.float32)

    def _similarities(self, own: sp.csr_matrix, users: npt.NDArray[np.int64]) -> sp.csr_matrix:
        """[B, n_users] similarities above 0 to users with a common item, the asking one left out."""
        scale = sp.diags(self.telling)
        asking, known = sp.csr_matrix(own @ scale), sp.csr_matrix(self.taken @ scale)
        common = (asking @ known.T).tocoo()
        rows, columns, dots = common.row, common.col, common.data.astype(np.float64)
        here, there = row_norms(asking), row_norms(known)
        if self.similarity == "pearson":
            # Over all items, with 0 for those not taken: sum(xy) - n mean(x) mean(y), and so for the lengths.
            n_items = self.taken.shape[1]
            sums = [np.asarray(one.sum(axis=1), np.float64).ravel() for one in (asking, known)]
            dots = dots - sums[0][rows] * sums[1][columns] / n_items
            here, there = (
                np.sqrt(np.maximum(norm**2 - total**2 / n_items, 0))
                for norm, total in zip((here, there), sums, strict=True)
            )
        lengths = here[rows] * there[columns]
        similar = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
        wanted = (similar > 0) & (columns != users[rows])
        return sp.csr_matrix((similar[wanted], (rows[wanted], columns[wanted])), common.shape, np.float32)
