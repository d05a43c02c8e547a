"""The parts of a bundle that are counted, not learned: popularity, neighbours, complements, item features."""

from datetime import datetime
from pathlib import Path

import numpy as np

from pipelines.training.baselines.complements import bought_together
from pipelines.training.baselines.item_knn import nearest_items
from pipelines.training.baselines.popularity import popularity_at
from pipelines.training.training_set import TrainingSet
from serving.bundle import read_spec, write_array


def write_item_state(workdir: Path | str, at: datetime | str, into: Path | None = None) -> None:
    """Write what was known of all items just before `at` into the bundle under construction.

    Args:
        workdir: The bundle under construction, with its training set beside it.
        at: One of the training set's instants; ISO 8601 where it is text.
        into: A copy of the bundle to write into instead.
    """
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    material = TrainingSet.open(workdir)
    directory = into or material.workdir
    write_quick_state(material, at, directory)
    known, n_items = material.interactions.before(at), len(material.item_ids)
    near = nearest_items(known, len(material.user_ids), n_items)
    together = bought_together(known.rows(np.isin(known.types, material.target_codes)), n_items)
    write_array(directory, "neighbours", near.items)
    write_array(directory, "neighbour_scores", near.scores)
    write_array(directory, "complements", together.items)
    write_array(directory, "complement_scores", together.scores)


def write_quick_state(material: TrainingSet, at: datetime, into: Path | None = None) -> None:
    """Write what changes from day to day: popularity and item features, leaving the neighbours as they are.

    Neighbours change over months and cost seconds; the ranking stage's instants share those of the first.
    """
    directory = into or material.workdir
    spec = read_spec(material.workdir)
    weights = np.array([0.0, *(spec.event_weights.get(name, 0.1) for name in material.event_types)])
    known = material.interactions.before(at)
    popularity = popularity_at(known, len(material.item_ids), at.timestamp(), weights)
    write_array(directory, "popularity", popularity)
    write_array(directory, "item_features", material.item_features(at))
