"""The query encoder: a user's last events and features to one vector, of nothing later than each event."""

import numpy as np

from pipelines.training.config import Encoder, RetrievalConfig
from pipelines.training.fit import Profile, Standardize
from pipelines.training.retrieval.dropout import Dropout
from pipelines.training.retrieval.sequence_mixers import MIXERS
from pipelines.training.tf import Tensor, tf

GAP_LEVELS = 32
"""Levels of the gaps between events, two to each doubling of the hours."""

HOUR_S = 3_600.0

ITEM_SCALE = 1.0
"""Length of an item's vector at the entrance, in units of the square root of the dimensions."""


class Block(tf.keras.layers.Layer):
    """Pre-norm: what each event learns of the others, then a dense layer, both with a way around them."""

    def __init__(self, config: RetrievalConfig, encoder: Encoder, place: int) -> None:
        super().__init__(name=f"block_{place}")
        self.before_mixing = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.before_dense = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.mixer = MIXERS[encoder](config, place)
        self.wide = tf.keras.layers.Dense(config.embedding_dim, activation="gelu")
        self.narrow = tf.keras.layers.Dense(config.embedding_dim)
        self.dropout = Dropout(config.dropout)

    def call(self, events: Tensor, positions: Tensor, visible: Tensor, training: bool = False) -> Tensor:
        """[B, L, D] of events [B, L, D]; the others as in `QueryEncoder.states`."""
        mixed = self.mixer(self.before_mixing(events), positions=positions, visible=visible)
        events += self.dropout(mixed, training=training)
        hidden = self.dropout(self.wide(self.before_dense(events)), training=training)
        return events + self.dropout(self.narrow(hidden), training=training)


class QueryEncoder(tf.keras.layers.Layer):
    """Users after each of their events to vectors of length 1."""

    def __init__(
        self,
        features: Standardize,
        profile_sizes: list[int],
        n_types: int,
        config: RetrievalConfig,
        encoder: Encoder,
    ) -> None:
        super().__init__(name="query_encoder")
        self.scale = float(ITEM_SCALE * np.sqrt(config.embedding_dim))
        self.features = features
        self.types, self.positions, self.gaps = (
            tf.keras.layers.Embedding(
                size,
                config.embedding_dim,
                embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=0.02),
                name=name,
            )
            for name, size in (
                ("types", n_types + 1),
                ("positions", config.history_length),
                ("gaps", GAP_LEVELS),
            )
        )
        self.blocks = [Block(config, encoder, place) for place in range(config.num_layers)]
        self.last_norm = tf.keras.layers.LayerNormalization(epsilon=1e-5)
        self.profile = Profile(profile_sizes, 8, name="profile") if profile_sizes else None
        self.hidden = tf.keras.layers.Dense(config.embedding_dim, activation="gelu", name="hidden")
        self.out = tf.keras.layers.Dense(config.embedding_dim, name="out", kernel_initializer="zeros")
        self.dropout = Dropout(config.dropout)

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

        Rows are in order of time, oldest first.

        Args:
            vectors: [B, L, D] of the events' items, of length 1.
            types: [B, L] 1-based codes, 0 at padding.
            gaps_s: [B, L] seconds since the event before, 0 at the first.
            positions: [B, L] 0 for the oldest event of a history, then 1, and so on; 0 at padding, which is
                before the oldest.
            visible: [B, L, L] 1 where the row's event may see the column's: its own user's, none later.
            training: Whether dropout is on.
        """
        events = vectors * self.scale + self.types(types) + self.positions(positions)
        events = self.dropout(events + self.gaps(_levels(gaps_s)), training=training)
        for block in self.blocks:
            events = block(events, positions=positions, visible=visible, training=training)
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
        vectors, types, ages = (
            tf.reverse(newest_first, [1]) for newest_first in (history_vectors, history_types, history_ages_s)
        )
        known = tf.cast(types > 0, tf.float32)
        positions = tf.cast(tf.maximum(tf.cumsum(known, axis=1) - 1.0, 0.0), tf.int32)
        older = tf.concat([ages[:, :1], ages[:, :-1]], axis=1)
        gaps = (older - ages) * tf.cast(positions > 0, tf.float32)
        visible = tf.cast(ages[:, None, :] >= ages[:, :, None], tf.float32) * known[:, None, :]
        states = self.states(vectors, types, gaps, positions, visible)
        return self.queries(states[:, -1], user_features, user_profile)


def _levels(seconds: Tensor) -> Tensor:
    """Whole half-steps of log2 of the hours, the same for everything beyond the last level."""
    hours = tf.maximum(seconds, 0.0) / HOUR_S
    levels = tf.math.log(1.0 + hours) * (2.0 / np.log(2.0))
    return tf.cast(tf.minimum(levels, GAP_LEVELS - 1.0), tf.int32)
