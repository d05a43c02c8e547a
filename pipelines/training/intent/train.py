"""Training the intent model: earlier sessions to learn from, the latest ones to stop and to calibrate by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import TrainingError
from pipelines.evaluation import auc, calibration_error
from pipelines.training.config import IntentConfig
from pipelines.training.fit import fit_platt
from pipelines.training.intent.examples import IntentExamples
from pipelines.training.intent.network import IntentNetwork
from pipelines.training.tf import Tensor, fix_seeds, tf

LEAST_OF_A_KIND = 50
"""Examples followed by a purchase, and examples that are not, without which nothing can be learned."""

SURE_ENOUGH = 0.5
"""Probability from which a session is about to buy, in shops where purchases are frequent."""

NEAREST_SHARE = 0.1
"""Share of validation's moments that are about to buy where no probability is as high as `SURE_ENOUGH`."""


@dataclass(frozen=True, slots=True)
class TrainedIntent:
    """Trained networks, their calibration, and how good they are on the latest sessions."""

    networks: tuple[IntentNetwork, ...]
    scale: float
    """By which the mean logit of a purchase is multiplied."""
    offset: float
    """Added to it then."""
    about_to_buy_from: float
    """Probability from which a session is about to buy."""
    metrics: dict[str, float]
    """On validation: `auc`, `calibration_error`, `purchase_rate`, `examples`."""

    def outputs(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Probabilities: `purchase` [B, 1], and `categories` and `price_bands` where there are groups."""
        members = [network(inputs) for network in self.networks]
        mean = {name: sum(one[name] for one in members) / len(members) for name in members[0]}
        logit = mean.pop("purchase") * self.scale + self.offset
        return {"purchase": tf.sigmoid(logit), **{name: tf.nn.softmax(one) for name, one in mean.items()}}

    def purchase_probabilities(self, examples: IntentExamples) -> npt.NDArray[np.float32]:
        """[E] calibrated probabilities of a purchase later in the session."""
        logits = purchase_logits(self.networks, examples)
        return np.asarray(1 / (1 + np.exp(-(logits * self.scale + self.offset))), np.float32)


def train_intent(
    examples: IntentExamples, sizes: tuple[int, int], config: IntentConfig | None = None, seed: int = 0
) -> TrainedIntent:
    """Train on the earlier sessions; calibrate on the latest, which nothing was learned from.

    Args:
        examples: Moments of sessions, none of which is to be tested on.
        sizes: How many categories and price bands there are.
        config: How to train.
        seed: Of the first network; the others follow.

    Raises:
        TrainingError: Too few sessions bought something, or too few did not.
    """
    config = config or IntentConfig()
    cut = _cut(examples.session_starts_s, config.validation_share)
    learning = examples.rows(examples.session_starts_s < cut)
    validation = examples.rows(examples.session_starts_s >= cut)
    for name, part in (("before", learning), ("after", validation)):
        bought = int(part.purchase.sum())
        if min(bought, len(part) - bought) < LEAST_OF_A_KIND:
            raise TrainingError(
                f"expected at least {LEAST_OF_A_KIND} events with a purchase later in their session and as "
                f"many without, {name} the cut, received {bought} and {len(part) - bought}"
            )
    networks = tuple(_fitted(learning, sizes, config, seed + member) for member in range(config.members))
    logits = purchase_logits(networks, validation)
    scale, offset = fit_platt(logits, validation.purchase)
    probabilities = 1 / (1 + np.exp(-(logits * scale + offset)))
    return TrainedIntent(
        networks,
        scale,
        offset,
        about_to_buy_from=float(min(SURE_ENOUGH, np.quantile(probabilities, 1 - NEAREST_SHARE))),
        metrics={
            "auc": auc(validation.purchase, probabilities),
            "calibration_error": calibration_error(validation.purchase, probabilities),
            "purchase_rate": float(validation.purchase.mean()),
            "examples": float(len(learning)),
        },
    )


def inputs_of(examples: IntentExamples) -> dict[str, npt.NDArray[np.float32]]:
    """The network's inputs by name."""
    return {"numbers": examples.numbers, "sequence": examples.sequence, "shares": examples.shares}


def purchase_logits(
    networks: tuple[IntentNetwork, ...], examples: IntentExamples, batch_size: int = 8_192
) -> npt.NDArray[np.float32]:
    """[E] mean logit of a purchase, before calibration."""
    inputs = inputs_of(examples)
    parts = []
    for begin in range(0, len(examples), batch_size):
        batch = {name: values[begin : begin + batch_size] for name, values in inputs.items()}
        parts.append(np.mean([network(batch)["purchase"].numpy()[:, 0] for network in networks], axis=0))
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _fitted(
    learning: IntentExamples, sizes: tuple[int, int], config: IntentConfig, seed: int
) -> IntentNetwork:
    fix_seeds(seed)
    network = IntentNetwork(
        learning.numbers,
        sizes,
        bins=config.bins,
        units=config.units,
        hidden=config.hidden,
        dropout=config.dropout,
    )
    steps = -(-len(learning) // config.batch_size) * config.epochs
    schedule = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.01)
    network.compile(optimizer=tf.keras.optimizers.Adam(schedule))
    labels: dict[str, Any] = {
        "purchase": learning.purchase,
        "categories": learning.category,
        "price_bands": learning.price_band,
    }
    rows = tf.data.Dataset.from_tensor_slices((inputs_of(learning), labels))
    batches = rows.shuffle(len(learning), seed=seed).batch(config.batch_size).prefetch(4)
    network.fit(batches, epochs=config.epochs, verbose=0)
    return network


def _cut(starts_s: npt.NDArray[np.int64], share: float) -> int:
    """The start of the latest sessions, which hold about that share of the examples."""
    ordered = np.sort(starts_s)
    return int(ordered[int((1 - share) * (len(ordered) - 1))]) if len(ordered) else 0
