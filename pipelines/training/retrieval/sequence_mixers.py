"""How an event learns of the user's other events: four layers that stand in for each other.

All of them see events in order of time, oldest first, and know by its position where a history begins, since
histories lie behind each other in one row. Attention sees the other events of the same moment too; the
others take a moment's events one after the other, as they are in the history.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.linear_recurrence import recurrence
from pipelines.training.tf import Tensor, tf

UNSEEN = -1e9


class SelfAttention(tf.keras.layers.Layer):
    """Every event looks at all that it may see (Vaswani et al., 2017; for sequences: SASRec, 2018)."""

    def __init__(self, config: RetrievalConfig, place: int) -> None:
        """Attention of `config.heads` heads, the same at every place."""
        super().__init__(name=f"attention_{place}")
        self.heads, self.width = config.heads, config.embedding_dim // config.heads
        self.projected = tf.keras.layers.Dense(3 * config.embedding_dim)
        self.joined = tf.keras.layers.Dense(config.embedding_dim)

    def call(self, events: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """[B, L, D] of events [B, L, D]; `visible` [B, L, L] is 1 where the row may see the column."""
        del positions
        length, dimensions = events.shape[1], events.shape[2]
        queries, keys, values = (
            tf.transpose(tf.reshape(part, [-1, length, self.heads, self.width]), [0, 2, 1, 3])
            for part in tf.split(self.projected(events), 3, axis=-1)
        )
        logits = tf.matmul(queries, keys, transpose_b=True) / np.sqrt(self.width)
        weights = tf.nn.softmax(logits + UNSEEN * (1.0 - visible[:, None]))
        seen = tf.matmul(weights, values)
        return self.joined(tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [-1, length, dimensions]))


class Gru(tf.keras.layers.Layer):
    """A gated recurrent unit, empty where a history begins (Cho et al., 2014; GRU4Rec, 2016)."""

    def __init__(self, config: RetrievalConfig, place: int) -> None:
        """A unit as wide as the events, the same at every place."""
        super().__init__(name=f"recurrence_{place}")
        self.projected = tf.keras.layers.Dense(3 * config.embedding_dim)
        self.gates = tf.keras.layers.Dense(
            2 * config.embedding_dim, use_bias=False, kernel_initializer="orthogonal", name="gates"
        )
        self.proposed = tf.keras.layers.Dense(
            config.embedding_dim, use_bias=False, kernel_initializer="orthogonal", name="proposed"
        )
        self.joined = tf.keras.layers.Dense(config.embedding_dim)

    def call(self, events: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """[B, L, D] of events [B, L, D] at positions [B, L], 0 where a history begins and at padding."""
        del visible
        inputs = tf.unstack(self.projected(events), axis=1)
        goes_on = tf.unstack(tf.cast(positions > 0, events.dtype)[..., None], axis=1)
        state, states = tf.zeros_like(events[:, 0]), []
        # A step after the other and no loop in the graph: XLA takes gradients of it, and LiteRT needs no
        # operation beyond its own.
        for given, keep in zip(inputs, goes_on, strict=True):
            state *= keep
            update_in, reset_in, proposed_in = tf.split(given, 3, axis=-1)
            update, reset = tf.split(self.gates(state), 2, axis=-1)
            update, reset = tf.sigmoid(update_in + update), tf.sigmoid(reset_in + reset)
            proposed = tf.tanh(proposed_in + self.proposed(reset * state))
            state = update * state + (1.0 - update) * proposed
            states.append(state)
        return self.joined(tf.stack(states, axis=1))


class MinGru(tf.keras.layers.Layer):
    """A gated recurrence whose gates see the event alone, so that all its states are found at once.

    minGRU (Feng et al., 2024), with a gate on what is told.
    """

    def __init__(self, config: RetrievalConfig, place: int) -> None:
        """A unit as wide as the events, the same at every place."""
        super().__init__(name=f"minimal_recurrence_{place}")
        self.projected = tf.keras.layers.Dense(3 * config.embedding_dim)
        self.joined = tf.keras.layers.Dense(config.embedding_dim)

    def call(self, events: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """[B, L, D] of events [B, L, D] at positions [B, L], 0 where a history begins and at padding."""
        del visible
        gates, proposed, told = tf.split(self.projected(events), 3, axis=-1)
        updates = tf.sigmoid(gates)
        kept = (1.0 - updates) * tf.cast(positions > 0, events.dtype)[..., None]
        return self.joined(recurrence(kept, updates * proposed) * tf.sigmoid(told))


class CausalConvolution(tf.keras.layers.Layer):
    """Each event with some before it, filtered and gated (Dauphin et al., 2017; NextItNet, 2019)."""

    def __init__(self, config: RetrievalConfig, place: int) -> None:
        """A filter over `config.kernel_size` events, at each place as many times further apart."""
        super().__init__(name=f"convolution_{place}")
        self.lags = [lag * config.kernel_size**place for lag in range(config.kernel_size)]
        self.filtered = tf.keras.layers.Dense(2 * config.embedding_dim)
        self.joined = tf.keras.layers.Dense(config.embedding_dim)

    def call(self, events: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """[B, L, D] of events [B, L, D] at positions [B, L]: an event at position p sees p before it."""
        del visible
        length = events.shape[1]
        seen = [events]
        for lag in self.lags[1:]:
            before = tf.pad(events, [[0, 0], [min(lag, length), 0], [0, 0]])[:, :length]
            seen.append(before * tf.cast(positions >= lag, events.dtype)[..., None])
        values, gates = tf.split(self.filtered(tf.concat(seen, axis=-1)), 2, axis=-1)
        return self.joined(values * tf.sigmoid(gates))


Mixer = type[SelfAttention] | type[Gru] | type[MinGru] | type[CausalConvolution]

MIXERS: Mapping[str, Mixer] = {
    "attention": SelfAttention,
    "gru": Gru,
    "mingru": MinGru,
    "convolution": CausalConvolution,
}
"""The layers by the name of the setting."""
