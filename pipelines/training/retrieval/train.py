"""Training retrieval: from what users did to item vectors and the query encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import TrainingError
from pipelines.training.config import Encoder
from pipelines.training.data import TrainingData
from pipelines.training.fit import AveragingAdam, Standardize, fit_with_early_stopping
from pipelines.training.retrieval.batches import Batches
from pipelines.training.retrieval.checkpoint import Checkpoint
from pipelines.training.retrieval.ensemble import EnsembleTowers, joined
from pipelines.training.retrieval.hard_negatives import hard_negative_probabilities
from pipelines.training.retrieval.item_tower import ItemContent, ItemEncoder
from pipelines.training.retrieval.model import SequenceRetrieval, negative_sampling_probabilities
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.query_tower import QueryEncoder
from pipelines.training.retrieval.validation import FIGURE, ValidationNdcg
from pipelines.training.retrieval.weight_transfer import build_weights, load_matching_weights
from pipelines.training.tf import fix_seeds, tf
from serving.bundle import Bundle

RELATED: Mapping[Encoder, str] = {
    "attention": "neighbours",
    "convolution": "neighbours",
    "mingru": "followers",
    "gru": "followers",
}
"""Which lists an item's related ones are from, by the kind of the model: where all have the same, they
mistake more of the same."""

PRICE_NAMES = ("price", "mean_price_30d", "mean_price")


@dataclass(frozen=True, slots=True)
class TrainedRetrieval:
    """A trained model and how it came about."""

    model: SequenceRetrieval | EnsembleTowers
    members: list[SequenceRetrieval]
    """The models that it is joined of."""
    curve: dict[str, list[float]]
    """Per check: `loss` and the figure on validation; of one member after the other."""


def train(material: TrainingData, start: Checkpoint | None = None) -> TrainedRetrieval:
    """Train every member until validation gets no better, keep a state that none beats, and join them.

    Args:
        material: What they are trained on.
        start: Weights that fit, each member to go on from its own; by default all start from nothing.

    Raises:
        TrainingError: No user did anything twice.
    """
    tape = PackedSequences.of(material.learning)
    if len(tape) == 0:
        raise TrainingError(
            "expected users who came back after their first event, in the events before retrieval's end; "
            "received none; ingest more history"
        )
    bundle = Bundle.open(material.workdir)
    members, curve = [], {"loss": list[float](), FIGURE: list[float]()}
    for place in range(len(material.config.retrieval.ensemble_mixers)):
        model, its_curve = train_member(material, bundle, tape, place, start)
        members.append(model)
        curve = {name: [*values, *its_curve[name]] for name, values in curve.items()}
    return TrainedRetrieval(joined(members), members, curve)


def train_member(
    material: TrainingData, bundle: Bundle, tape: PackedSequences, place: int, start: Checkpoint | None = None
) -> tuple[SequenceRetrieval, dict[str, list[float]]]:
    """One model as it is kept, and its curve.

    Args:
        material: What it is trained on.
        bundle: The bundle under construction.
        tape: Of the learning events.
        place: Its number from 0. The seed of its weights, of the order of its events and of its negatives is
            the material's and so much more.
        start: Weights to go on from.
    """
    model, batches = begin(material, bundle, tape, place, warm=start is not None)
    config = material.config.retrieval
    if start is not None:
        load_matching_weights(start, place, build_weights(model, batches), bundle, config)

    def batches_of(part: int) -> Any:
        share = config.hard_negative_share
        return batches.dataset(
            part, hard_negative_probabilities(model, batches, part, share) if part and share else None
        )

    curve = fit_with_early_stopping(
        model,
        batches_of,
        ValidationNdcg(material, bundle, model),
        figure=FIGURE,
        epochs=batches.checks,
        patience=config.patience,
        errors=1,
        begun=start is not None,
    )
    return model, curve


def begin(
    material: TrainingData, bundle: Bundle, tape: PackedSequences, place: int, *, warm: bool = False
) -> tuple[SequenceRetrieval, Batches]:
    """A compiled model whose weights are not trained yet, and its batches; arguments as of `train_member`.

    Where it is to go on from an earlier one's weights (`warm`), steps are fewer and begin smaller.
    """
    config, seed = material.config.retrieval, material.config.seed + place
    fix_seeds(seed)
    chances = negative_sampling_probabilities(np.bincount(material.learning.items, minlength=bundle.n_items))
    share, rate = (config.warm_start_steps_share, config.warm_start_lr_share) if warm else (1.0, 1.0)
    batches = Batches(tape, material.user_states(), chances, config, seed, share)
    model = build_model(material, bundle, batches, place)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        rate * config.learning_rate, batches.steps, alpha=config.final_learning_rate_share
    )
    model.compile(AveragingAdam(schedule, span=config.weight_averaging_share * batches.steps))
    return model, batches


def build_model(
    material: TrainingData, bundle: Bundle, batches: Batches, place: int = 0
) -> SequenceRetrieval:
    """The towers with sizes, statistics and content of this shop, their weights not trained yet."""
    spec, settled = bundle.spec, material.config.retrieval.full_dropout_epochs
    share = min(1.0, batches.steps_anew / batches.per_epoch / settled)
    config = material.config.retrieval.model_copy(
        update={"dropout": material.config.retrieval.dropout * share}
    )
    known = material.item_features(material.ranking_names[0])
    prices = np.full(bundle.n_items, np.nan)
    for name in PRICE_NAMES:
        if name in spec.item_features:
            prices = np.where(np.isfinite(prices), prices, known[:, spec.item_features.index(name)])
    query = QueryEncoder(
        Standardize.fit(batches.states.features, "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        len(spec.event_types),
        config,
        config.ensemble_mixers[place],
    )
    lists = {"neighbours": bundle.neighbours, "followers": bundle.followers}
    content = ItemContent.of(
        bundle.item_codes,
        bundle.items,
        prices,
        neighbours=bundle.neighbours[:, : config.neighbours],
        related=lists[RELATED[config.ensemble_mixers[place]]][:, : config.neighbours],
    )
    item = ItemEncoder(content, config)
    return SequenceRetrieval(query, item, config)
