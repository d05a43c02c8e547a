"""Item embeddings out of id and content, shared by both towers, and the candidate encoder on top of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.tensorflow import Tensor, tf


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What the candidate encoder sees of every item."""

    codes: npt.NDArray[np.int32]
    """[n, K] in the order of `CODE_COLUMNS`."""
    words: npt.NDArray[np.int32]
    """[n, W] codes of title words, 0 = none."""
    prices: npt.NDArray[np.int32]
    """[n] price levels, 0 = unknown."""


class ItemEmbedding(tf.keras.layers.Layer):
    """Codes `[..., K]` to the sum of their embeddings `[..., D]`; code 0 of the id means: no id known."""

    def __init__(self, sizes: list[int], config: RetrievalConfig) -> None:
        super().__init__(name="item_embedding")
        self.id_dropout = config.id_dropout
        self.tables = [
            tf.keras.layers.Embedding(
                size + 1,
                config.dimensions,
                embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=config.dimensions**-0.5),
                name=f"codes_{place}",
            )
            for place, size in enumerate(sizes)
        ]

    def call(self, codes: Tensor, training: bool = False) -> Tensor:
        """[..., D] of [..., K]; in training some ids are hidden."""
        ids = codes[..., 0]
        if training and self.id_dropout:
            ids = tf.where(tf.random.uniform(tf.shape(ids)) < self.id_dropout, tf.zeros_like(ids), ids)
        parts = [self.tables[0](ids)]
        parts += [table(codes[..., place]) for place, table in enumerate(self.tables) if place > 0]
        return tf.add_n(parts)


class CandidateEncoder(tf.keras.layers.Layer):
    """Items by index to vectors of length 1, from id, category path, brand, title words and price level."""

    def __init__(self, content: ItemContent, embedding: ItemEmbedding, config: RetrievalConfig) -> None:
        super().__init__(name="candidate_encoder")
        self.codes, self.words, self.prices = (
            tf.constant(values) for values in (content.codes, content.words, content.prices)
        )
        self.embedding = embedding
        self.word_table = tf.keras.layers.Embedding(
            int(content.words.max()) + 1, config.dimensions, name="words"
        )
        self.price_table = tf.keras.layers.Embedding(
            int(content.prices.max()) + 1, config.dimensions, name="prices"
        )
        self.hidden = tf.keras.layers.Dense(2 * config.dimensions, activation="relu", name="hidden")
        self.out = tf.keras.layers.Dense(config.dimensions, name="out", kernel_initializer="zeros")

    def call(self, items: Tensor, training: bool = False) -> Tensor:
        """[C, D] of item indices [C]."""
        words = tf.gather(self.words, items)
        told = tf.cast(words > 0, tf.float32)[..., None]
        text = tf.reduce_sum(self.word_table(words) * told, axis=1) / (tf.reduce_sum(told, axis=1) + 1.0)
        whole = self.embedding(tf.gather(self.codes, items), training=training)
        whole += text + self.price_table(tf.gather(self.prices, items))
        return tf.math.l2_normalize(whole + self.out(self.hidden(whole)), axis=-1)
