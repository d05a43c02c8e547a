"""Interests: how much users care for items, as sparse matrices made from events."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.data import Histories

DAY_S = 86_400.0


def interests_of(known: FitData) -> sp.csr_matrix:
    """[n_users, n_items] log(1 + the summed weights of a user's events with an item)."""
    events = known.interactions
    return _summed(
        known.weights[events.types], events.users, events.items, (known.n_users, known.n_items)
    ).log1p()


def interests_in(
    histories: Histories,
    n_items: int,
    weights: npt.NDArray[np.float64],
    *,
    place_decay: float = 1.0,
    half_life_days: float | None = None,
) -> sp.csr_matrix:
    """[B, n_items] summed weights of each user's events with an item, older ones for less.

    Args:
        histories: B users' events.
        n_items: Items of the catalogue.
        weights: [T + 1] weight of each type code.
        place_decay: Factor for every later event of the same user.
        half_life_days: Days before the request after which an event counts half; None for never.
    """
    rows = histories.rows
    strength = weights[histories.types] * np.power(place_decay, histories.places)
    if half_life_days is not None:
        ages_s = np.maximum(histories.at_s[rows] - histories.times, 0)
        strength = strength * np.exp2(-ages_s / (half_life_days * DAY_S))
    return _summed(strength, rows, histories.items, (len(histories), n_items))


def presence(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The same places with 1 in each."""
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), matrix.shape)


def row_norms(matrix: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """[rows] Euclidean lengths."""
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())


def _summed(
    values: npt.NDArray[np.float64],
    rows: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    shape: tuple[int, int],
) -> sp.csr_matrix:
    matrix = sp.csr_matrix((values, (rows, columns)), shape).astype(np.float32)
    # Long decayed histories end in zeros, which would cost as much as the rest.
    matrix.eliminate_zeros()
    return matrix
