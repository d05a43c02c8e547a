"""Hard negatives: items that the model's own retrieval offers and the user did not take.

They are drawn for the whole batch like all negatives, and how often comes off their logit, so that the loss
still tends to the softmax over all items: drawing near what the model believes in only makes it less noisy
(adaptive importance sampling: Bengio and Senecal, 2008).
"""

import numpy as np

from pipelines.training.retrieval.batches import Batches, SamplingProbabilities
from pipelines.training.retrieval.inference import Encoders
from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.tf import tf

MINED_EVENTS = 4_096
"""Events after which the model is asked, drawn anew each time."""

MINED_ITEMS = 50
"""Items offered after each of them."""

EVENT_BATCH_SIZE = 256


def hard_negative_probabilities(
    model: SequenceRetrieval, batches: Batches, part: int, share: float
) -> SamplingProbabilities:
    """[n] chances of which `share` is by how often the model, as it is, offers an item in vain.

    Args:
        model: As trained so far.
        batches: The tape to draw events from.
        part: Of the training; decides which events are drawn.
        share: Of the chances, in [0, 1].
    """
    rng = np.random.default_rng((batches.seed, part, 1))
    rows = batches.sequences.cut(batches.config.history_length, rng)
    rows = rows[: max(1, MINED_EVENTS // rows.shape[1])]
    batch = batches.batch(rows, rng)
    encoders = Encoders(model)
    vectors = encoders.item_vectors(len(batches.chances))
    queries = model.queries(tf.constant(vectors[batch["items"].ravel()]), batch).numpy()
    places, k = rows.ravel(), min(MINED_ITEMS, len(vectors))
    counts = np.zeros(len(vectors))
    for start in range(0, len(places), EVENT_BATCH_SIZE):
        some = places[start : start + EVENT_BATCH_SIZE]
        scores = queries[start : start + EVENT_BATCH_SIZE] @ vectors.T
        starts = batches.sequences.rows[some] + 1
        taken = batches.sequences.next_ends[some] - starts
        at = np.repeat(np.arange(len(some)), taken)
        within = np.arange(len(at)) - np.repeat(np.cumsum(taken) - taken, taken)
        items = batches.sequences.events.items[np.repeat(starts, taken) + within]
        scores[at, items] = -np.inf
        offered = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        counts += np.bincount(offered.ravel(), minlength=len(vectors))
    mixed: SamplingProbabilities = (1 - share) * batches.chances + share * counts / counts.sum()
    return mixed
