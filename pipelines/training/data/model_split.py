"""A trial: what models may learn from and choose by, stage by stage, with what lies after it left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.evaluation import ItemSets
from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions


@dataclass(frozen=True, slots=True)
class EvaluationPoint:
    """Requests at one point of a trial, and everything that was known there."""

    known: Interactions
    """What counts, popularity and neighbours may be computed from for these requests."""
    histories: Histories
    """The users who ask, with their own events so far; these may be newer than `known`."""


@dataclass(frozen=True, slots=True)
class LabelledPoint(EvaluationPoint):
    """Requests with what came after them: to learn from or to choose by, never to be tested on."""

    wanted: ItemSets
    """What was taken by the types that count as success."""
    others: Mapping[str, ItemSets] = field(default_factory=dict)
    """Event type → what was taken by it, for every type that does not count as success."""


@dataclass(frozen=True, slots=True)
class ModelSplit:
    """Everything that a model is fitted on. The test's truth is no part of it."""

    catalogue: pa.Table
    """`item_id` and what is known of the items; row i is item index i, in an order that tells nothing."""
    n_users: int
    event_types: tuple[str, ...]
    """Names of the 1-based type codes."""
    target_types: tuple[str, ...]
    """Types that count as success."""
    learning: Interactions
    """What models of users and items are fitted on; nothing of the stages' labels is in it."""
    ranking: tuple[LabelledPoint, ...]
    """Requests that the second stage learns from, oldest first, or one fold after the other."""
    validation: LabelledPoint
    """Requests that choices are made by: epochs, weights, settings."""
    repeats: bool
    """Whether an item that a user had before may be wanted again; if not, seen items are never listed."""
    seed: int
    folds: bool = False
    """Whether the ranking stages are folds of users at one point of their histories, not instants: then what
    the users of the others took is known to each, and tells what is wanted now."""
