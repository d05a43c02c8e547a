"""The query encoder: a user's last events by causal self-attention, with features, to one vector."""

import numpy as np

from pipelines.training.config import RetrievalConfig
from pipelines.training.layers import Profile, Standardize
from pipelines.training.tensorflow import Tensor, tf

GAP_LEVELS = 32
"""Levels of the gaps between events, two to each doubling of the hours."""

HOUR_S = 3_600.0
UNSEEN = -1e9

ITEM_SCALE = 1.0
"""Length of an item's vector at the entrance, in units of the square root of the dimensions."""


class AttentionBlock(tf.keras.layers.Layer):
    """Pre-norm self-attention over events and a dense layer for each, both with a way around them."""

    def __init__(self, config: RetrievalConfig, name: str) -> None:
        super().__init__(name=name)
        self.heads, self.width = config.heads, config.dimensions // config.heads
        self.before_attention = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.before_dense = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.projected = tf.keras.layers.Dense(3 * config.dimensions)
        self.joined = tf.keras.layers.Dense(config.dimensions)
        self.wide = tf.keras.layers.Dense(config.dimensions, activation="gelu")
        self.narrow = tf.keras.layers.Dense(config.dimensions)
        self.dropout = tf.keras.layers.Dropout(config.dropout)

    def call(self, events: Tensor, visible: Tensor, training: bool = False) -> Tensor:
        """[B, L, D] of events [B, L, D]; `visible` [B, L, L] is 1 where the row may see the column."""
        length, dimensions = events.shape[1], events.shape[2]
        queries, keys, values = (
            tf.transpose(tf.reshape(part, [-1, length, self.heads, self.width]), [0, 2, 1, 3])
            for part in tf.split(self.projected(self.before_attention(events)), 3, axis=-1)
        )
        logits = tf.matmul(queries, keys, transpose_b=True) / np.sqrt(self.width)
        weights = tf.nn.softmax(logits + UNSEEN * (1.0 - visible[:, None]))
        seen = tf.matmul(weights, values)
        seen = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [-1, length, dimensions])
        events += self.dropout(self.joined(seen), training=training)
        hidden = self.dropout(self.wide(self.before_dense(events)), training=training)
        return events + self.dropout(self.narrow(hidden), training=training)


class QueryEncoder(tf.keras.layers.Layer):
    """Users after each of their events to vectors of length 1."""

    def __init__(
        self, features: Standardize, profile_sizes: list[int], n_types: int, config: RetrievalConfig
    ) -> None:
        super().__init__(name="query_encoder")
        self.scale = float(ITEM_SCALE * np.sqrt(config.dimensions))
        self.features = features
        self.types, self.positions, self.gaps = (
            tf.keras.layers.Embedding(
                size,
                config.dimensions,
                embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=0.02),
                name=name,
            )
            for name, size in (
                ("types", n_types + 1),
                ("positions", config.history_length),
                ("gaps", GAP_LEVELS),
            )
        )
        self.blocks = [AttentionBlock(config, name=f"block_{place}") for place in range(config.blocks)]
        self.last_norm = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.profile = Profile(profile_sizes, 8, name="profile") if profile_sizes else None
        self.hidden = tf.keras.layers.Dense(config.dimensions, activation="gelu", name="hidden")
        self.out = tf.keras.layers.Dense(config.dimensions, name="out", kernel_initializer="zeros")
        self.dropout = tf.keras.layers.Dropout(config.dropout)

    def states(
        self,
        vectors: Tensor,
        types: Tensor,
        gaps_s: Tensor,
        positions: Tensor,
        visible: Tensor,
        training: bool = False,
    ) -> Tensor:
        """[B, L, D] what is known after each event.

        Args:
            vectors: [B, L, D] of the events' items, of length 1.
            types: [B, L] 1-based codes, 0 at padding.
            gaps_s: [B, L] seconds since the event before, 0 at the first.
            positions: [B, L] 0 for the oldest event of a history, then 1, and so on.
            visible: [B, L, L] 1 where the row's event may see the column's: its own user's, none later.
            training: Whether dropout is on.
        """
        events = vectors * self.scale + self.types(types) + self.positions(positions)
        events = self.dropout(events + self.gaps(_levels(gaps_s)), training=training)
        for block in self.blocks:
            events = block(events, visible=visible, training=training)
        return self.last_norm(events)

    def queries(
        self, states: Tensor, user_features: Tensor, user_profile: Tensor, training: bool = False
    ) -> Tensor:
        """[..., D] unit vectors of states [..., D], raw features [..., U] and profile codes [..., P]."""
        parts = [states, self.features(user_features)]
        if self.profile is not None:
            parts.append(self.profile(user_profile))
        hidden = self.dropout(self.hidden(tf.concat(parts, axis=-1)), training=training)
        return tf.math.l2_normalize(states + self.out(hidden), axis=-1)

    def call(
        self,
        history_vectors: Tensor,
        history_types: Tensor,
        history_ages_s: Tensor,
        user_features: Tensor,
        user_profile: Tensor,
    ) -> Tensor:
        """[B, D] of the inputs named in the release format, histories newest first."""
        known = tf.cast(history_types > 0, tf.float32)
        count = tf.reduce_sum(known, axis=1, keepdims=True)
        index = tf.cast(tf.range(history_types.shape[1]), tf.float32)[None, :]
        positions = tf.cast(tf.maximum(count - 1.0 - index, 0.0), tf.int32)
        has_older = tf.concat([known[:, 1:], tf.zeros_like(known[:, :1])], axis=1)
        older = tf.concat([history_ages_s[:, 1:], history_ages_s[:, -1:]], axis=1)
        gaps = (older - history_ages_s) * has_older
        not_later = tf.cast(history_ages_s[:, None, :] >= history_ages_s[:, :, None], tf.float32)
        states = self.states(history_vectors, history_types, gaps, positions, not_later * known[:, None, :])
        return self.queries(states[:, 0], user_features, user_profile)


def _levels(seconds: Tensor) -> Tensor:
    """Whole half-steps of log2 of the hours, the same for everything beyond the last level."""
    hours = tf.maximum(seconds, 0.0) / HOUR_S
    levels = tf.math.log(1.0 + hours) * (2.0 / np.log(2.0))
    return tf.cast(tf.minimum(levels, GAP_LEVELS - 1.0), tf.int32)
