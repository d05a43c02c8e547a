"""The retrieval model: query and item encoders on one scale, learned to foretell what comes next, in TFRS."""

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.content import ItemEncoder
from pipelines.training.retrieval.query import QueryEncoder
from pipelines.training.tensorflow import Tensor, tf, tfrs

HISTORY_INPUTS = ("history_vectors", "history_types", "history_ages_s")
QUERY_INPUTS = (*HISTORY_INPUTS, "user_features", "user_profile")
"""The query encoder's inputs, as the release format names them."""


class SequenceRetrieval(tfrs.Model):
    """Two towers: what a user is likely to want after each event, and what each item is."""

    def __init__(
        self,
        query: QueryEncoder,
        item: ItemEncoder,
        chances: npt.NDArray[np.float64],
        config: RetrievalConfig,
    ) -> None:
        """Join the towers; `chances` [n] are those with which an item is drawn as a negative."""
        super().__init__()
        self.query, self.item = query, item
        self.expected = tf.constant(np.log(config.negatives * chances), tf.float32)
        self.temperature = config.temperature

    def compute_loss(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Mean cross-entropy of each target among items drawn for the whole batch (sampled softmax).

        How often an item is expected among the negatives comes off its logit (logQ: Bengio and Senecal, 2008;
        Yi et al., 2019); an item is no negative of itself.

        Args:
            inputs: What `Tape.batch` gives, with `user_features` and `user_profile` of every event, and
                `negatives` [K].
            training: Whether dropout is on.
        """
        own = inputs["segments"][:, :, None] == inputs["segments"][:, None, :]
        not_later = inputs["times_s"][:, None, :] <= inputs["times_s"][:, :, None]
        states = self.query.states(
            self.item(inputs["items"]),
            inputs["types"],
            inputs["gaps_s"],
            inputs["positions"],
            tf.cast(own & not_later, tf.float32),
            training=training,
        )
        queries = self.query.queries(
            states, inputs["user_features"], inputs["user_profile"], training=training
        )
        queries = tf.reshape(queries, [-1, queries.shape[-1]])
        targets = tf.reshape(inputs["targets"], [-1])
        drawn = inputs["negatives"]
        positive = tf.reduce_sum(queries * self.item(targets), axis=-1) / self.temperature
        negative = tf.matmul(queries, self.item(drawn), transpose_b=True) / self.temperature
        negative -= tf.gather(self.expected, drawn)[None, :]
        negative = tf.where(drawn[None, :] == targets[:, None], -1e9, negative)
        everything = tf.concat([positive[:, None], negative], axis=1)
        return tf.reduce_mean(tf.reduce_logsumexp(everything, axis=1) - positive)


def drawing_chances(events_of_item: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
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
