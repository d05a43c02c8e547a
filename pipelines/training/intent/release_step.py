"""The intent model of a release: trained on the events that retrieval learns from."""

from typing import Any

import numpy as np

from pipelines.errors import TrainingError
from pipelines.training.data import TrainingData
from pipelines.training.intent.examples import intent_examples
from pipelines.training.intent.export import export_intent
from pipelines.training.intent.train import train_intent
from serving.bundle import Bundle
from serving.engine.intent import PURCHASE, ItemGroups, event_roles


def fit_intent(material: TrainingData) -> dict[str, Any]:
    """Train the intent model and write it into the bundle, where the shop's events allow it.

    Args:
        material: What is learned from; its bundle holds the catalogue.

    Returns:
        `trained`; then `auc`, `calibration_error`, `purchase_rate` and `examples`, else the `reason`.
    """
    config, events = material.config.intent, material.learning
    roles = event_roles(material.event_types, material.target_types)
    if not np.any(roles[events.types] != PURCHASE):
        return {"trained": False, "reason": "every event is a purchase, so that no session is one without"}
    bundle = Bundle.open(material.workdir)
    columns = [bundle.items.column(name).combine_chunks() for name in ("category", "price")]
    groups = ItemGroups.fit(*columns)
    history_length = min(config.history_length, bundle.spec.history_length)
    examples = intent_examples(
        events,
        roles,
        groups.codes(*columns),
        groups.sizes,
        history_length,
        config.examples,
        material.config.seed,
    )
    try:
        trained = train_intent(examples, groups.sizes, config, material.config.seed)
    except TrainingError as error:
        return {"trained": False, "reason": str(error)}
    parity = export_intent(trained, material.workdir, groups, history_length, examples)
    return {"trained": True, **trained.metrics, "parity": parity.to_json()}
