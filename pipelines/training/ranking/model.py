"""The ranking model: explicit crosses (DCN v2), a listwise score, and one probability per task, in TFRS."""

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RankingConfig
from pipelines.training.fit import Profile, Standardize
from pipelines.training.tf import Tensor, tf, tfrs, unconverted

NETWORK_INPUTS = (
    "signals",
    "candidate_features",
    "retrieval_scores",
    "source_scores",
    "source_strengths",
    "user_features",
    "user_profile",
)
PADDED = -1e9
LEAST_SHARE = 1e-3
EXPECTED_RATING = "expected_rating"
"""The task whose output is a rating; every other task is named by an event type and gives its probability."""


class RankingNetwork(tf.keras.layers.Layer):
    """What is known of each candidate item and its user, to a score and a logit per task."""

    def __init__(
        self,
        tasks: tuple[str, ...],
        items: Standardize,
        users: Standardize,
        profile_sizes: list[int],
        config: RankingConfig,
        biases: npt.NDArray[np.float32],
    ) -> None:
        super().__init__(name="ranking_network")
        self.tasks, self.items, self.users = tasks, items, users
        self.profile = (
            Profile(profile_sizes, config.profile_embedding_dim, "profile") if profile_sizes else None
        )
        self.user_dense = tf.keras.layers.Dense(16, activation="relu", name="user")
        self.crosses = [
            tfrs.layers.dcn.Cross(projection_dim=config.cross_rank, name=f"cross_{place}")
            for place in range(config.num_cross_layers)
        ]
        self.dense = [
            tf.keras.layers.Dense(width, activation="relu", name=f"dense_{place}")
            for place, width in enumerate(config.hidden)
        ]
        self.dropout = tf.keras.layers.Dropout(config.dropout)
        # All say nothing of an item at first; where lists are few, training starts from the best linear one.
        self.score = tf.keras.layers.Dense(1, name="score", kernel_initializer="zeros")
        self.linear = tf.keras.layers.Dense(1, name="linear", use_bias=False, kernel_initializer="zeros")
        self.logits = tf.keras.layers.Dense(
            len(tasks),
            name="logits",
            kernel_initializer="zeros",
            bias_initializer=tf.keras.initializers.Constant(biases),
        )

    def call(
        self,
        signals: Tensor,
        candidate_features: Tensor,
        retrieval_scores: Tensor,
        source_scores: Tensor,
        source_strengths: Tensor,
        user_features: Tensor,
        user_profile: Tensor,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Score [B, C] and logits [B, C, T].

        Args:
            signals: [B, C, S] of `pipelines.training.ranking.features`.
            candidate_features: [B, C, F] raw, NaN = unknown.
            retrieval_scores: [B, C] dot product of the towers.
            source_scores: [B, C, O] 1 / rank in each source.
            source_strengths: [B, C, O] score as a share of the best one's in each source.
            user_features: [B, U] raw, NaN = unknown.
            user_profile: [B, P] codes.
            training: Whether dropout is on.
        """
        about_user = [self.users(user_features)]
        if self.profile is not None:
            about_user.append(self.profile(user_profile))
        told = tf.concat(about_user, axis=-1)
        # A product with a matrix of no rows is none to oneDNN.
        user = self.user_dense(told) if told.shape[-1] else told
        user = user[:, None, :] + tf.zeros_like(retrieval_scores)[..., None]
        pairs = linear_inputs(signals, retrieval_scores, source_scores, source_strengths)
        inputs = tf.concat([pairs, self.items(candidate_features), user], axis=-1)
        crossed = inputs
        for cross in self.crosses:
            crossed = cross(inputs, crossed)
        hidden = self.dropout(crossed, training=training)
        for dense in self.dense:
            hidden = self.dropout(dense(hidden), training=training)
        score = self.score(hidden) + self.linear(pairs)
        return score[..., 0], self.logits(tf.concat([hidden, score], axis=-1))

    @tf.function(autograph=False, reduce_retracing=True)
    def traced(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score and logits of the inputs by name, traced once for all calls."""
        score, logits = self(**{name: inputs[name] for name in NETWORK_INPUTS})
        return score, logits


def linear_inputs(
    signals: Tensor, retrieval_scores: Tensor, source_scores: Tensor, source_strengths: Tensor
) -> Tensor:
    """[B, C, S + 3 + 5 O] what is known of user and item together; shapes as in `RankingNetwork.call`.

    Ranks and strengths are told by their roots, which part the first places, and by their logarithms, which
    part the others. Nothing depends on the rest of the list, so that a filter moves no score.
    """
    offers = tf.cast(source_scores > 0, tf.float32)
    of_item = [
        retrieval_scores * 2.0,
        tf.sqrt(tf.reduce_max(source_scores, axis=-1)),
        tf.reduce_sum(offers, axis=-1) / 3.0,
    ]
    of_sources = [
        offers,
        tf.sqrt(source_scores),
        tf.sqrt(source_strengths),
        offers * _scaled_log(source_scores),
        offers * _scaled_log(source_strengths),
    ]
    return tf.concat([signals, tf.stack(of_item, axis=-1), *of_sources], axis=-1)


def _scaled_log(shares: Tensor) -> Tensor:
    """1 for a whole, 0 for about one part in 150."""
    return 1.0 + tf.math.log(tf.maximum(shares, LEAST_SHARE)) / 5.0


class Ranker(tfrs.Model):
    """A TFRS ranking task per label, and a softmax over each list for the score."""

    def __init__(self, network: RankingNetwork, config: RankingConfig) -> None:
        super().__init__()
        self.network, self.auxiliary_loss_weight = network, config.auxiliary_loss_weight
        self.ranking_tasks = {
            name: tfrs.tasks.Ranking(
                loss=tf.keras.losses.MeanSquaredError(reduction=tf.keras.losses.Reduction.SUM)
                if name == EXPECTED_RATING
                else tf.keras.losses.BinaryCrossentropy(
                    from_logits=True, reduction=tf.keras.losses.Reduction.SUM
                )
            )
            for name in network.tasks
        }

    @unconverted
    def train_step(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Learn from one batch."""
        losses: dict[str, Tensor] = super().train_step(inputs)
        return losses

    def compute_loss(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Mean loss of the tasks plus the listwise loss of the first one's positives.

        Args:
            inputs: The network's inputs, `labels` [B, C, T] (NaN = none), `weights` [B, C] (0 at padding).
            training: Whether dropout is on.
        """
        score, logits = self.network(**{name: inputs[name] for name in NETWORK_INPUTS}, training=training)
        total = listwise_loss(inputs["labels"][..., 0], score, inputs["weights"])
        for place, task in enumerate(self.ranking_tasks.values()):
            labels = inputs["labels"][..., place]
            told = ~tf.math.is_nan(labels)
            weights = tf.where(told, inputs["weights"], 0.0)
            loss = task(
                labels=tf.reshape(tf.where(told, labels, 0.0), [-1, 1]),
                predictions=tf.reshape(logits[..., place], [-1, 1]),
                sample_weight=tf.reshape(weights, [-1, 1]),
            )
            total += self.auxiliary_loss_weight * loss / tf.maximum(tf.reduce_sum(weights), 1.0)
        return total


def listwise_loss(labels: Tensor, score: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of a list's positives under the softmax of its scores (ListNet, Cao et al., 2007).

    A list counts by the square root of its positives; one without any not at all.

    Args:
        labels: [B, C] 0 or 1.
        score: [B, C].
        weights: [B, C] copies of an item that a sampled one stands for; 0 at padding.
    """
    positives = tf.where(weights > 0, labels, 0.0)
    count = tf.reduce_sum(positives, axis=1, keepdims=True)
    shifted = tf.where(weights > 0, score + tf.math.log(tf.maximum(weights, 1e-6)), PADDED)
    shares = positives / tf.sqrt(tf.maximum(count, 1.0))
    losses = -tf.reduce_sum(shares * tf.nn.log_softmax(shifted), axis=1)
    return tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(tf.sqrt(count)), 1.0)


def sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probabilities of logits, without overflow."""
    probabilities: npt.NDArray[np.float32] = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
    return probabilities
