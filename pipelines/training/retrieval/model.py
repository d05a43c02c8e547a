"""The retrieval model: query and item encoders on one scale, learned to foretell what comes next, in TFRS."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.item_tower import ItemEncoder
from pipelines.training.retrieval.query_tower import QueryEncoder
from pipelines.training.retrieval.sampled_softmax import sampled_softmax
from pipelines.training.tf import Tensor, tf, tfrs, unconverted

HISTORY_INPUTS = ("history_vectors", "history_types", "history_ages_s")
QUERY_INPUTS = (*HISTORY_INPUTS, "user_features", "user_profile")
"""The query encoder's inputs, as the release format names them."""


class SequenceRetrieval(tfrs.Model):
    """Two towers: what a user is likely to want after each event, and what each item is."""

    def __init__(
        self,
        query: QueryEncoder,
        item: ItemEncoder,
        config: RetrievalConfig,
    ) -> None:
        """Join the towers."""
        super().__init__()
        self.query, self.item = query, item
        self.temperature = config.temperature
        self._gradients = tf.function(self.gradients, autograph=False, jit_compile=True)
        self._update = tf.function(self._updated, autograph=False, jit_compile=True)

    def compute_loss(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Mean cross-entropy of each target among the items drawn for the batch, as `foretell` gives it.

        Args:
            inputs: What `Batches.batch` gives.
            training: Whether dropout is on.
        """
        return self.loss_from_vectors(self.vectors(inputs), inputs, training)

    @unconverted
    def train_step(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Learn from one batch.

        XLA compiles what is made of the items' vectors, and the optimizer: that goes over all numbers of the
        tables ten times as fast. The gradients of the tables' rows are added up outside of it, see `vectors`.
        """
        with tf.GradientTape() as tape:
            vectors = self.vectors(inputs)
        loss, of_vectors, of_query = self._gradients(vectors, inputs)
        items, query = self.item.trainable_variables, self.query.trainable_variables
        of_items = tape.gradient(vectors, items, output_gradients=of_vectors)
        self._update([*map(tf.convert_to_tensor, of_items), *of_query], [*items, *query])
        return {"loss": loss, "total_loss": loss}

    def gradients(
        self, vectors: Tensor, inputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """The training loss, and its gradients with respect to `vectors` and the query encoder's weights."""
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            loss = self.loss_from_vectors(vectors, inputs, training=True)
        of_vectors, *of_query = tape.gradient(loss, [vectors, *self.query.trainable_variables])
        return loss, of_vectors, of_query

    def vectors(self, inputs: dict[str, Tensor]) -> Tensor:
        """[2 * B * L + K, D] vectors of the items of events, of their targets, and of the negatives.

        Popular items come again and again in a batch. Each is encoded once, outside of what XLA compiles:
        there the gradient of a table's rows is a loop over single numbers.
        """
        asked = tf.concat([tf.reshape(inputs[name], [-1]) for name in ("items", "targets", "negatives")], 0)
        distinct, places = tf.unique(asked)
        return tf.ensure_shape(tf.gather(self.item(distinct), places), [*asked.shape, None])

    def loss_from_vectors(self, vectors: Tensor, inputs: dict[str, Tensor], training: bool) -> Tensor:
        """The loss, given what `vectors` gives."""
        n_events = inputs["items"].shape[0] * inputs["items"].shape[1]
        queries = self.queries(vectors[:n_events], inputs, training)
        targets, drawn = tf.reshape(inputs["targets"], [-1]), inputs["negatives"]
        return sampled_softmax(
            queries,
            vectors[n_events : 2 * n_events],
            vectors[2 * n_events :],
            inputs["expected"],
            drawn[None, :] == targets[:, None],
            self.temperature,
        )

    def queries(self, vectors: Tensor, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """[B * L, D] what users want after each event, given the vectors [B * L, D] of the items."""
        batch, length = inputs["items"].shape
        own = inputs["segments"][:, :, None] == inputs["segments"][:, None, :]
        not_later = inputs["moments"][:, None, :] <= inputs["moments"][:, :, None]
        states = self.query.states(
            tf.reshape(vectors, [batch, length, vectors.shape[1]]),
            inputs["types"],
            inputs["gaps_s"],
            inputs["positions"],
            tf.cast(own & not_later, tf.float32),
            training=training,
        )
        queries = self.query.queries(
            states, inputs["user_features"], inputs["user_profile"], training=training
        )
        return tf.reshape(queries, [batch * length, queries.shape[-1]])

    def _updated(self, gradients: list[Tensor | None], weights: list[Any]) -> None:
        # The optimizer would sort the rows of a table, which XLA does slowly; adding up costs little.
        whole = [gradient if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply_gradients(zip(whole, weights, strict=True))


def negative_sampling_probabilities(events_of_item: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """[n] chances to be drawn as a negative: half by frequency, half all alike.

    Frequent items are the hard ones, and rare ones must be pushed away from those whom nothing draws to them
    (mixed negative sampling: Yang et al., 2020).

    Args:
        events_of_item: [n] events with each item.
    """
    counts = events_of_item / max(int(events_of_item.sum()), 1)
    chances: npt.NDArray[np.float64] = 0.5 * (counts + 1 / len(counts))
    chances /= chances.sum()
    return chances
