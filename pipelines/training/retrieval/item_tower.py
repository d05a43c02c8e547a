"""Items to vectors, out of their id, their neighbours and their content.

So an item with a short history learns from those that the same users took, and one without has a vector too.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.training.config import RetrievalConfig
from pipelines.training.data import CODE_COLUMNS, attribute_codes, code_texts, price_levels, title_words
from pipelines.training.tf import Tensor, tf


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What the item encoder sees of every item."""

    ids: npt.NDArray[np.int32]
    """[n] codes of items with a vector of their own, 0 = too rare for one."""
    bags: npt.NDArray[np.int32]
    """[n, A] codes of everything else that is known, 0 = nothing more."""
    neighbours: npt.NDArray[np.int32]
    """[n, K] codes, as of `ids`, of the items with the most users in common, 0 = none."""
    related: npt.NDArray[np.int32]
    """[n, K] codes of related items, whose second vectors are part of the item's, 0 = none."""

    @classmethod
    def of(
        cls,
        item_codes: npt.NDArray[np.int32],
        catalogue: pa.Table,
        prices: npt.NDArray[np.float64],
        neighbours: npt.NDArray[np.int32],
        related: npt.NDArray[np.int32],
    ) -> Self:
        """Category path, brand, price level, attributes and title words as one bag of codes.

        Args:
            item_codes: [n, K] in the order of `CODE_COLUMNS`, the id first.
            catalogue: Items in the bundle's columns.
            prices: [n] NaN = unknown.
            neighbours: [n, K] items, -1 = none.
            related: [n, K] items, -1 = none.
        """
        kinds = [
            *item_codes[:, 1:].T,
            price_levels(prices),
            attribute_codes(catalogue),
            title_words(catalogue),
        ]
        bags, first = [], 0
        for kind in kinds:
            codes = kind if kind.ndim == 2 else kind[:, None]
            bags.append(np.where(codes > 0, codes + first, 0))
            first += int(codes.max(initial=0))
        known = np.concatenate(bags, axis=1)
        # Known codes to the front, and no column that is empty everywhere.
        known = np.take_along_axis(known, np.argsort(known == 0, axis=1, kind="stable"), 1)
        width = max(1, int((known > 0).sum(axis=1).max(initial=0)))
        ids = item_codes[:, 0].astype(np.int32)
        near, other = (
            np.where(lists >= 0, ids[np.maximum(lists, 0)], 0).astype(np.int32)
            for lists in (neighbours, related)
        )
        return cls(ids, known[:, :width].astype(np.int32), near, other)


def content_names(catalogue: pa.Table, n_codes: int) -> npt.NDArray[np.str_]:
    """[n_codes + 1] what each code of the bags stands for, such as `brand Acme`; "" for the code 0.

    Args:
        catalogue: That of `ItemContent.of`.
        n_codes: The largest code.
    """
    texts = code_texts(catalogue)
    levels = n_codes - sum(len(words) for words in texts.values())
    # Levels are quantiles: the third of ten is not the third of twenty.
    texts["price"] = [f"{level} of {levels}" for level in range(1, levels + 1)]
    kinds = (*CODE_COLUMNS[1:], "price", "attribute", "word")
    return np.array(["", *(f"{kind} {text}" for kind in kinds for text in texts[kind])], str)


class ItemEncoder(tf.keras.layers.Layer):
    """Items by index `[...]` to vectors of length 1 `[..., D]`.

    The id's own plus the mean of its content plus the mean of its neighbours' own, which is one step over the
    graph of items as in LightGCN (He et al., 2020), plus the mean of its related items' second vectors: what
    an item tells of others need not be what it is.
    """

    def __init__(self, content: ItemContent, config: RetrievalConfig) -> None:
        super().__init__(name="item_encoder")
        self.ids, self.bags = tf.constant(content.ids), tf.constant(content.bags)
        self.neighbours = tf.constant(content.neighbours) if content.neighbours.any() else None
        self.related = tf.constant(content.related) if content.related.any() else None
        self.id_table = self._table("ids", content.ids, config.embedding_dim)
        self.content_table = self._table("content", content.bags, config.embedding_dim)
        if self.related is not None:
            self.related_table = self._table("related", content.ids, config.embedding_dim)

    def call(self, items: Tensor) -> Tensor:
        """[..., D] of item indices [...]."""
        asked = tf.reshape(items, [-1])
        ids, bags = tf.gather(self.ids, asked), tf.gather(self.bags, asked)
        own = tf.gather(self.id_table, ids) * tf.cast(ids > 0, tf.float32)[:, None]
        whole = own + _mean(self.content_table, bags)
        if self.neighbours is not None:
            whole += _mean(self.id_table, tf.gather(self.neighbours, asked))
        if self.related is not None:
            whole += _mean(self.related_table, tf.gather(self.related, asked))
        vectors = tf.math.l2_normalize(whole, axis=-1)
        return tf.reshape(vectors, tf.concat([tf.shape(items), [vectors.shape[1]]], axis=0))

    def _table(self, name: str, codes: npt.NDArray[np.int32], dimensions: int) -> Any:
        """A row for each code."""
        # Small at the start: a vector's direction turns by the step over its length.
        start = tf.keras.initializers.RandomNormal(stddev=0.02)
        return self.add_weight(name, (int(codes.max(initial=0)) + 1, dimensions), initializer=start)


def _mean(table: Tensor, codes: Tensor) -> Tensor:
    """[n, D] mean of the rows of a table [R, D] that codes [n, A] name, 0 = none; zeros where there is none.

    One sum for each item over the rows of what it has: no [n, A, D] in memory, forward or backward.
    """
    told = codes > 0
    return tf.sparse.segment_mean(
        table,
        tf.boolean_mask(codes, told),
        tf.where(told)[:, 0],
        num_segments=tf.shape(codes)[0],
    )
