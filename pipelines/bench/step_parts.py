"""Where a training step's processor time goes: its parts, each run alone on the same batches."""

import time
from collections.abc import Callable

from pipelines.training import Tensor
from pipelines.training.retrieval import Batches, SequenceRetrieval
from pipelines.training.tf import tf

REPEATS = 20


def step_parts(model: SequenceRetrieval, batches: Batches) -> dict[str, float]:
    """Milliseconds of processor time, all threads together.

    Returns:
        `batch`: drawing and gathering its numbers; `items`: the items' vectors and the gradients of their
        tables; `network`: the query encoder and the loss, forward and backward; `whole`: a step of `fit`;
        `update_and_rest`: what is left, above all the optimizer.
    """
    # The first batch of a pass cuts the whole tape.
    coming = batches.part(0, 1 + REPEATS)
    next(coming)
    started = time.process_time()
    made = list(coming)
    making = 1_000 * (time.process_time() - started) / REPEATS
    given = [{name: tf.constant(values) for name, values in batch.items()} for batch in made]
    tables = model.item.trainable_variables

    def items(inputs: dict[str, Tensor]) -> list[Tensor]:
        with tf.GradientTape() as tape:
            vectors = model.vectors(inputs)
        return [tf.identity(one) for one in tape.gradient(vectors, tables, output_gradients=vectors)]

    encode, foretell = (
        tf.function(items, autograph=False),
        tf.function(model.gradients, autograph=False, jit_compile=True),
    )
    step = tf.function(model.train_step, autograph=False)
    vectors = [model.vectors(inputs) for inputs in given]
    told = {
        "batch": making,
        "items": _milliseconds(lambda place: encode(given[place])),
        "network": _milliseconds(lambda place: foretell(vectors[place], given[place])),
        "whole": _milliseconds(lambda place: step(given[place])),
    }
    told["update_and_rest"] = told["whole"] - told["items"] - told["network"]
    return told


def _milliseconds(work: Callable[[int], object]) -> float:
    """Of one run on average, after a first one that traces and compiles."""
    work(0)
    started = time.process_time()
    for place in range(REPEATS):
        work(place)
    return 1_000 * (time.process_time() - started) / REPEATS
