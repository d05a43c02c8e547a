"""Matrix factorisation by `implicit`: ALS (Hu, Koren and Volinsky, 2008), BPR (Rendle et al., 2009)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.interest_matrix import interests_in, interests_of
from pipelines.training.data import Histories


@dataclass(frozen=True, slots=True)
class Als:
    """Alternating least squares; a user's vector is solved anew from the history at every request."""

    model: Any
    """The fitted model of `implicit`."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""
    place_decay: float
    """Factor for every later event of the same user."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        factors: int = 64,
        regularization: float = 5.0,
        alpha: float = 20.0,
        iterations: int = 10,
        place_decay: float = 1.0,
    ) -> Self:
        """Factorise all interests; see the manual of `implicit` for the arguments."""
        with _one_blas_thread():
            model = _als(factors, regularization, alpha, iterations, known.seed)
            model.fit(interests_of(known), show_progress=False)
        return cls(model, known.weights, place_decay)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] dot products of the users' and all items' vectors; 0 for users without history."""
        interests = interests_in(
            histories, len(self.model.item_factors), self.weights, place_decay=self.place_decay
        ).log1p()
        return np.asarray(_folded(self.model, interests) @ self.model.item_factors.T, np.float32)


@dataclass(frozen=True, slots=True)
class Bpr:
    """Bayesian personalised ranking; who was not learned from is folded in by least squares."""

    user_factors: npt.NDArray[np.float32]
    """[n_users, f + 1] the last one multiplies the items' bias."""
    item_factors: npt.NDArray[np.float32]
    """[n, f + 1] the last one is the bias."""
    learned: npt.NDArray[np.bool_]
    """[n_users] users with events to learn from."""
    folding: Any
    """An ALS model of `implicit` over the items' factors without the bias."""
    weights: npt.NDArray[np.float64]
    """[T + 1] weight of each type code."""

    @classmethod
    def fit(
        cls,
        known: FitData,
        *,
        factors: int = 64,
        learning_rate: float = 0.05,
        regularization: float = 0.01,
        iterations: int = 100,
    ) -> Self:
        """Learn to rank what users took above what they did not; see the manual of `implicit`."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        interests = interests_of(known)
        with _one_blas_thread():
            # More threads write into each other's steps: the result would differ from run to run.
            model = BayesianPersonalizedRanking(
                factors=factors,
                learning_rate=learning_rate,
                regularization=regularization,
                iterations=iterations,
                num_threads=1,
                random_state=known.seed,
            )
            model.fit(interests, show_progress=False)
            folding = _als(factors, regularization=1.0, alpha=20.0, iterations=0, seed=known.seed)
            folding.item_factors = np.ascontiguousarray(model.item_factors[:, :factors])
        learned = np.diff(interests.indptr) > 0
        return cls(model.user_factors, model.item_factors, learned, folding, known.weights)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """[B, n] exp(score - the user's best score), in (0, 1]; 0 for unknown users without history."""
        interests = interests_in(histories, len(self.item_factors), self.weights).log1p()
        folded = np.pad(_folded(self.folding, interests), ((0, 0), (0, 1)), constant_values=1)
        known = (histories.users >= 0) & self.learned[histories.users]
        vectors = np.where(known[:, None], self.user_factors[histories.users], folded)
        scores = np.asarray(vectors @ self.item_factors.T, np.float32)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores[~known & (np.diff(interests.indptr) == 0)] = 0
        return np.asarray(scores, np.float32)


def _als(factors: int, regularization: float, alpha: float, iterations: int, seed: int) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=factors,
        regularization=regularization,
        alpha=alpha,
        iterations=iterations,
        random_state=seed,
    )


def _folded(model: Any, interests: sp.csr_matrix) -> npt.NDArray[np.float32]:
    """[B, f] the users' vectors that go best with the model's item factors."""
    with _one_blas_thread():
        vectors = model.recalculate_user(np.arange(interests.shape[0]), interests)
    return np.asarray(vectors, np.float32)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread, since `implicit` brings threads of its own and warns of any others."""
    with threadpool_limits(1, "blas"):
        yield
