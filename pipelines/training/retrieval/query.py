"""The query encoder: a user's last events by self-attention, with features and profile, to one vector."""

import numpy as np

from pipelines.training.config import RetrievalConfig
from pipelines.training.layers import Profile, Standardize
from pipelines.training.retrieval.content import ItemEmbedding
from pipelines.training.tensorflow import Tensor, tf

AGE_LEVELS = 32
"""Levels of ages and of the gaps between events, two to each doubling of the hours."""

HOUR_S = 3_600.0
UNSEEN = -1e9


class AttentionBlock(tf.keras.layers.Layer):
    """Pre-norm self-attention over events and a dense layer for each, both with a way around them."""

    def __init__(self, config: RetrievalConfig, name: str) -> None:
        super().__init__(name=name)
        self.heads, self.width = config.heads, config.dimensions // config.heads
        self.before_attention = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.before_dense = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.projections = [tf.keras.layers.Dense(self.heads * self.width) for _ in range(3)]
        self.joined = tf.keras.layers.Dense(config.dimensions)
        self.wide = tf.keras.layers.Dense(2 * config.dimensions, activation="relu")
        self.narrow = tf.keras.layers.Dense(config.dimensions)
        self.dropout = tf.keras.layers.Dropout(config.dropout)

    def call(self, events: Tensor, known: Tensor, training: bool = False) -> Tensor:
        """[B, L, D] of events [B, L, D], of which `known` [B, L] are no padding (1, else 0)."""
        length, normed = events.shape[1], self.before_attention(events)
        queries, keys, values = (
            tf.transpose(tf.reshape(dense(normed), [-1, length, self.heads, self.width]), [0, 2, 1, 3])
            for dense in self.projections
        )
        logits = tf.matmul(queries, keys, transpose_b=True) / np.sqrt(self.width)
        weights = tf.nn.softmax(logits + UNSEEN * (1.0 - known[:, None, None, :]))
        seen = tf.reshape(
            tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3]), [-1, length, self.heads * self.width]
        )
        events += self.dropout(self.joined(seen), training=training)
        dense = self.narrow(self.wide(self.before_dense(events)))
        return events + self.dropout(dense, training=training)


class QueryEncoder(tf.keras.layers.Layer):
    """Users at an instant to vectors of length 1."""

    def __init__(
        self,
        embedding: ItemEmbedding,
        features: Standardize,
        profile_sizes: list[int],
        n_types: int,
        config: RetrievalConfig,
    ) -> None:
        super().__init__(name="query_encoder")
        self.embedding, self.features = embedding, features
        self.types = tf.keras.layers.Embedding(n_types + 1, config.dimensions, name="types")
        self.ages = tf.keras.layers.Embedding(AGE_LEVELS, config.dimensions, name="ages")
        self.gaps = tf.keras.layers.Embedding(AGE_LEVELS, config.dimensions, name="gaps")
        self.blocks = [AttentionBlock(config, name=f"block_{place}") for place in range(config.blocks)]
        self.last_norm = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.attention = tf.keras.layers.Dense(1, name="attention")
        self.profile = Profile(profile_sizes, 8, name="profile") if profile_sizes else None
        self.hidden = tf.keras.layers.Dense(2 * config.dimensions, activation="relu", name="hidden")
        self.out = tf.keras.layers.Dense(config.dimensions, name="out")
        self.dropout = tf.keras.layers.Dropout(config.dropout)

    def call(
        self,
        history_codes: Tensor,
        history_types: Tensor,
        history_ages_s: Tensor,
        user_features: Tensor,
        user_profile: Tensor,
        training: bool = False,
    ) -> Tensor:
        """[B, D] of the inputs named in the release format; `history_codes` is [B, L, 1 + K]."""
        known = tf.cast(history_types > 0, tf.float32)
        gaps = tf.concat([history_ages_s[:, :1], history_ages_s[:, 1:] - history_ages_s[:, :-1]], axis=1)
        events = self.embedding(history_codes[..., 1:], training=training)
        events += self.types(history_types) + self.ages(_levels(history_ages_s)) + self.gaps(_levels(gaps))
        events = self.dropout(events, training=training)
        for block in self.blocks:
            events = block(events, known, training=training)
        events = self.last_norm(events)
        weights = tf.nn.softmax(self.attention(events)[..., 0] + UNSEEN * (1.0 - known))
        pooled = tf.reduce_sum(events * (weights * known)[..., None], axis=1)
        parts = [pooled, self.features(user_features)]
        if self.profile is not None:
            parts.append(self.profile(user_profile))
        hidden = self.dropout(self.hidden(tf.concat(parts, axis=-1)), training=training)
        return tf.math.l2_normalize(pooled + self.out(hidden), axis=-1)


def _levels(seconds: Tensor) -> Tensor:
    """Whole half-steps of log2 of the hours, the same for everything beyond the last level."""
    hours = tf.maximum(seconds, 0.0) / HOUR_S
    levels = tf.math.log(1.0 + hours) * (2.0 / np.log(2.0))
    return tf.cast(tf.minimum(levels, AGE_LEVELS - 1.0), tf.int32)
