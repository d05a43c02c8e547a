"""An earlier model's weights in a new one: rows of tables by what they stand for, the others as they are."""

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.batches import Batches
from pipelines.training.retrieval.checkpoint import Checkpoint
from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.retrieval.named_weights import named_tables, other_weights
from pipelines.training.tf import tf
from serving.bundle import Bundle


def load_matching_weights(
    kept: Checkpoint, member: int, model: SequenceRetrieval, bundle: Bundle, config: RetrievalConfig
) -> None:
    """Give a model the weights of a member: rows of tables by name, the others as they are.

    Args:
        kept: What fits, as `misfits` says.
        member: Its number from 0.
        model: One whose weights are made; its new rows stay as they are.
        bundle: The bundle that it is to be trained for.
        config: Its settings.
    """
    old, tables = kept.members[member], named_tables(model, bundle, config)
    for name, table in tables.items():
        if name in kept.names:
            table.weights.assign(table.carried(old[name], kept.names[name]))
    for place, weights in enumerate(other_weights(model, tables)):
        weights.assign(old[f"other/{place}"])


def build_weights(model: SequenceRetrieval, batches: Batches) -> SequenceRetrieval:
    """The model with its weights made, as the first batch of a training makes them."""
    example = next(batches.part(0, 1))
    model.compute_loss({name: tf.constant(values) for name, values in example.items()})
    return model
