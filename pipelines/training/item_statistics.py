"""The parts of a bundle that are counted, not learned: popularity, lists of related items, item features."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipelines.runtime import read_instant
from pipelines.training.baselines import (
    FitData,
    bought_together,
    followers,
    nearest_items,
    popularity_at,
    similar_items,
    trend_at,
    type_weights,
)
from pipelines.training.data import COUNTED, TrainingData, TrainingSet, type_codes
from serving.bundle import ITEMS, write_array

LOOKALIKES = 30
"""Items kept that are described most like each item."""


def write_item_state(workdir: Path | str, at: datetime | str, into: Path | None = None) -> None:
    """Write what was known of all items just before `at` into the bundle under construction.

    Args:
        workdir: The bundle under construction, with its training set beside it.
        at: One of the training set's instants; ISO 8601 where it is text.
        into: A copy of the bundle to write into instead.
    """
    at = read_instant(at)
    material = TrainingSet.open(workdir)
    if into is None:
        (material.directory / COUNTED).unlink(missing_ok=True)
    write_state_of(material, material.name_of(at), into)


def write_state_of(material: TrainingData, name: str, into: Path | None = None) -> None:
    """Write everything that is counted, as of the stage of that name."""
    directory = into or material.workdir
    write_quick_state(material, name, directory)
    catalogue = pq.read_table(material.workdir / ITEMS)
    events = material.known(name)
    known = FitData(
        events,
        material.n_users,
        catalogue,
        type_weights(material.event_types, material.target_types),
        material.config.seed,
    )
    bought = events.rows(np.isin(events.types, type_codes(material.event_types, material.target_types)))
    related = {
        "neighbour": nearest_items(events, material.n_users, catalogue.num_rows),
        "complement": bought_together(bought, catalogue.num_rows),
        "follower": followers(known),
    }
    for kind, lists in related.items():
        write_array(directory, f"{kind}s", lists.items)
        write_array(directory, f"{kind}_scores", lists.scores)


def write_lookalikes(material: TrainingData) -> None:
    """Write the items that are described most like each item; they change with the catalogue alone."""
    lists = similar_items(pq.read_table(material.workdir / ITEMS), neighbours=LOOKALIKES)
    write_array(material.workdir, "lookalikes", lists.items)
    write_array(material.workdir, "lookalike_scores", lists.scores)


def write_quick_state(material: TrainingData, name: str, into: Path | None = None) -> None:
    """Write what changes from day to day: popularity and item features, leaving the lists as they are.

    The lists change over months and cost seconds; the ranking stage's instants share those of the first.
    """
    directory = into or material.workdir
    features = material.item_features(name)
    weights = type_weights(material.event_types, material.target_types)
    popularity = popularity_at(material.known(name), len(features), material.at_s(name), weights)
    write_array(directory, "popularity", popularity)
    if "trending" in material.config.sources:
        trend = trend_at(material.known(name), len(features), material.at_s(name), weights)
        write_array(directory, "trending", trend)
    write_array(directory, "item_features", features)
