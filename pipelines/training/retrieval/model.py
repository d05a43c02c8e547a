"""The two-tower model: a TFRS retrieval task over in-batch and extra negatives, with logQ correction."""

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.content import CandidateEncoder
from pipelines.training.retrieval.query import QueryEncoder
from pipelines.training.tensorflow import Tensor, tf, tfrs

QUERY_INPUTS = ("history_codes", "history_types", "history_ages_s", "user_features", "user_profile")


class TwoTower(tfrs.Model):
    """Requests and the items that followed them, drawn together; other items pushed apart."""

    def __init__(
        self,
        query: QueryEncoder,
        candidate: CandidateEncoder,
        sampling: npt.NDArray[np.float32],
        config: RetrievalConfig,
    ) -> None:
        """Join the towers.

        Args:
            query: Encodes users.
            candidate: Encodes items.
            sampling: [n] chance of each item to be drawn into a batch, up to a common factor, at most 1.
            config: Choices of the model.
        """
        super().__init__()
        self.query, self.candidate = query, candidate
        self.sampling = tf.constant(sampling)
        self.extra_negatives = config.extra_negatives
        self.task = tfrs.tasks.Retrieval(temperature=config.temperature)

    def compute_loss(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Mean cross-entropy of each positive among all items of the batch.

        Args:
            inputs: The query encoder's inputs `[B, …]` and `positives` `[B, P]` item indices.
            training: Whether dropout is on.
        """
        positives = inputs["positives"]
        n_positives = positives.shape[1]
        queries = self.query(**{name: inputs[name] for name in QUERY_INPUTS}, training=training)
        n_items = self.sampling.shape[0]
        extra = tf.random.uniform([self.extra_negatives], 0, n_items, tf.int32)
        items = tf.concat([tf.reshape(positives, [-1]), extra], axis=0)
        vectors = self.candidate(items, training=training)
        # Another positive of the same request is no negative, wherever in the batch it was drawn.
        is_own = tf.reduce_any(positives[:, :, None] == items[None, None, :], axis=1)
        rows = tf.shape(positives)[0] * n_positives
        allowed = tf.repeat(~is_own, n_positives, axis=0) | tf.eye(rows, tf.shape(items)[0], dtype=tf.bool)
        loss = self.task(
            tf.repeat(queries, n_positives, axis=0),
            vectors,
            candidate_sampling_probability=tf.gather(self.sampling, items),
            score_mask=allowed,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return loss / tf.cast(rows, tf.float32)


def sampling_chances(
    label_counts: npt.NDArray[np.int64], rows_per_batch: int, extra_negatives: int
) -> npt.NDArray[np.float32]:
    """[n] how often each item is expected in a batch, scaled to at most 1.

    An item comes as someone's positive, in proportion to its labels, or as one of the uniform extra negatives
    (mixed negative sampling, Yang et al., 2020). The logarithm is taken off its logit (Yi et al., 2019),
    where a common factor does not matter.

    Args:
        label_counts: [n] labels of each item.
        rows_per_batch: Positives in a batch.
        extra_negatives: Uniform draws in a batch.
    """
    expected = rows_per_batch * label_counts / max(label_counts.sum(), 1) + extra_negatives / len(
        label_counts
    )
    # Without extra negatives an item without labels is never drawn; any chance above 0 will do for it.
    expected = np.maximum(expected, expected.max() * 1e-6)
    chances: npt.NDArray[np.float32] = (expected / expected.max()).astype(np.float32)
    return chances
