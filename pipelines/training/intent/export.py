"""The intent model, written into the bundle."""

from pathlib import Path

import numpy as np

from pipelines.training.fit import Parity, litert_export
from pipelines.training.intent.examples import IntentExamples
from pipelines.training.intent.train import TrainedIntent, inputs_of
from pipelines.training.tf import tf
from serving.bundle import INTENT
from serving.engine.intent import (
    NUMBERS,
    SEQUENCE_CHANNELS,
    SEQUENCE_LENGTH,
    IntentSpec,
    ItemGroups,
    write_intent_spec,
)

COMPARED = 200
"""Examples on which the written graph is compared with the trained one."""


def export_intent(
    trained: TrainedIntent, directory: Path, groups: ItemGroups, history_length: int, compared: IntentExamples
) -> Parity:
    """Write `intent.tflite` and `intent.json`.

    Returns:
        How close the written graph is to the trained one. It stays in float, being small.
    """
    shapes = {
        "numbers": tf.TensorSpec([1, len(NUMBERS)], tf.float32),
        "sequence": tf.TensorSpec([1, SEQUENCE_LENGTH, SEQUENCE_CHANNELS], tf.float32),
        "shares": tf.TensorSpec([1, 2, sum(groups.sizes)], tf.float32),
    }
    path = directory / INTENT
    litert_export.convert(trained.outputs, list(trained.networks), shapes, "none", path)
    inputs = {name: values[:COMPARED] for name, values in inputs_of(compared).items()}
    expected = {name: values.numpy() for name, values in trained.outputs(**inputs).items()}
    received = litert_export.run(path, inputs)
    write_intent_spec(directory, IntentSpec(groups, trained.about_to_buy_from, history_length))
    return Parity(
        part="intent",
        overlap=litert_export.overlap(expected["purchase"].T, received["purchase"].T),
        largest_difference=max(float(np.abs(expected[name] - received[name]).max()) for name in expected),
        quantization="none",
    )
