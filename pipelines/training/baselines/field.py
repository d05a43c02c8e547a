"""The baselines that a release is held against, at one instant, on the same users and items."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.training.baselines.item_knn import ItemKnn
from pipelines.training.baselines.judging import ranked_lists
from pipelines.training.baselines.known import Known, type_weights
from pipelines.training.baselines.personal_frequency import PersonalFrequency
from pipelines.training.baselines.popularity import Popularity
from pipelines.training.baselines.recommender import PaddedWith, Recommender
from pipelines.training.histories import Histories
from pipelines.training.training_set import TrainingSet


def baseline_lists(
    workdir: Path, at: datetime | str, user_ids: Sequence[str], k: int = 10
) -> dict[str, npt.NDArray[np.int32]]:
    """[U, k] lists of every baseline for these users, as item indices of the bundle in `workdir`.

    Users that were never met get the popular items.
    """
    material = TrainingSet.open(workdir)
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    known = Known(
        material.interactions.before(at),
        len(material.user_ids),
        pa.table({"item_id": material.item_ids}),
        type_weights(material.event_types),
    )
    rows = pc.index_in(pa.array(user_ids, pa.string()), value_set=material.user_ids).fill_null(-1).to_numpy()
    asked_at_s = np.full(len(rows), int(at.timestamp()))
    histories = Histories.of(known.interactions, rows.astype(np.int64), asked_at_s)
    popularity = Popularity.fit(known)
    field: dict[str, Recommender] = {
        "popularity": popularity,
        "personal_frequency": PaddedWith(PersonalFrequency.fit(known), popularity),
        "item_knn": PaddedWith(ItemKnn.fit(known), popularity),
    }
    return {name: ranked_lists(model, histories, k, repeats=True) for name, model in field.items()}
