"""Several models of one shop, of different kinds and seeds, joined to one.

What one network mistakes by chance another does not: the mean of their scores ranks better than the best of
them. Vectors of the joined model are those of its members, one behind the other, so that a dot product is
the mean of theirs, and serving sees a model like any other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.tf import Tensor, tf


class EnsembleItemTower(tf.keras.layers.Layer):
    """Items to the vectors of all members, of length 1 together."""

    def __init__(self, members: list[SequenceRetrieval]) -> None:
        super().__init__(name="joined_items")
        self.members = [member.item for member in members]

    def call(self, items: Tensor) -> Tensor:
        """[..., K D] of item indices [...]."""
        return tf.concat([member(items) for member in self.members], axis=-1) / np.sqrt(len(self.members))


class EnsembleQueryTower(tf.keras.layers.Layer):
    """Users to the vectors of all members, of length 1 together."""

    def __init__(self, members: list[SequenceRetrieval]) -> None:
        super().__init__(name="joined_queries")
        self.members = [member.query for member in members]

    def call(self, history_vectors: Tensor, **others: Tensor) -> Tensor:
        """[B, K D] of the query encoder's inputs, each member being given its part of the vectors."""
        size = np.sqrt(len(self.members))
        parts = tf.split(history_vectors * size, len(self.members), axis=-1)
        queries = [member(part, **others) for member, part in zip(self.members, parts, strict=True)]
        return tf.concat(queries, axis=-1) / size


@dataclass(frozen=True, slots=True)
class EnsembleTowers:
    """Both towers of a joined model."""

    query: tf.keras.layers.Layer
    item: tf.keras.layers.Layer

    @property
    def trainable_variables(self) -> list[Any]:
        """Of all members."""
        return [*self.query.trainable_variables, *self.item.trainable_variables]


def joined(members: list[SequenceRetrieval]) -> SequenceRetrieval | EnsembleTowers:
    """The model whose score is the mean of the members' scores; the only one itself."""
    return (
        members[0]
        if len(members) == 1
        else EnsembleTowers(EnsembleQueryTower(members), EnsembleItemTower(members))
    )
