"""All baselines at one instant, on the same users and items as the release."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.training.baselines.item_knn import ItemKnn, nearest_items
from pipelines.training.baselines.personal_frequency import PersonalFrequency
from pipelines.training.baselines.popularity import Popularity
from pipelines.training.training_set import TrainingSet


class Baseline(Protocol):
    """Anything that recommends to users by their rows."""

    def recommend(self, users: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
        """[U, k] item indices, best first, -1 = none."""
        ...


@dataclass(frozen=True, slots=True)
class PaddedWith:
    """A baseline whose short lists are filled up with another's items."""

    first: Baseline
    then: Baseline

    def recommend(self, users: npt.NDArray[Any], k: int) -> npt.NDArray[np.int32]:
        """[U, k] the first one's items, then those of the other that are not among them."""
        both = np.concatenate([self.first.recommend(users, k), self.then.recommend(users, 2 * k)], axis=1)
        order = np.argsort(both, axis=1, kind="stable")
        ordered = np.take_along_axis(both, order, 1)
        fresh = np.ones(both.shape, bool)
        fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        wanted = np.zeros(both.shape, bool)
        np.put_along_axis(wanted, order, fresh & (ordered >= 0), 1)
        best = np.argsort(~wanted, axis=1, kind="stable")[:, :k]
        return np.where(np.take_along_axis(wanted, best, 1), np.take_along_axis(both, best, 1), -1)


def fit_field(material: TrainingSet, at: datetime) -> dict[str, Baseline]:
    """The baselines by name, from what was known before `at`."""
    known, n_items = material.interactions.before(at), len(material.item_ids)
    n_users, weights = len(material.user_ids), material.event_weights
    popularity = Popularity.fit(known, n_items, at.timestamp(), weights)
    frequency = PersonalFrequency.fit(known, n_users, n_items, weights)
    knn = ItemKnn.fit(known, n_users, n_items, weights, nearest_items(known, n_users, n_items))
    return {
        "popularity": popularity,
        "personal_frequency": PaddedWith(frequency, popularity),
        "item_knn": PaddedWith(knn, popularity),
    }


def baseline_lists(
    workdir: Path, at: datetime | str, user_ids: Sequence[str], k: int = 10
) -> dict[str, npt.NDArray[np.int32]]:
    """[U, k] lists of every baseline for these users, as item indices of the bundle in `workdir`.

    Users that were never met get the popular items.
    """
    material = TrainingSet.open(workdir)
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    rows = pc.index_in(pa.array(user_ids, pa.string()), value_set=material.user_ids)
    met = rows.is_valid().to_numpy(zero_copy_only=False)
    users = rows.fill_null(0).to_numpy()
    field = fit_field(material, at)
    popular = field["popularity"].recommend(users, k)
    return {
        name: np.where(met[:, None], baseline.recommend(users, k), popular)
        for name, baseline in field.items()
    }
