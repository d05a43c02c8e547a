"""The catalogue as it is now, which a release shows; its models learned from the catalogue as it was.

An instant of training sees no state of an item that came after it. A shopper has to see today's title, price
and stock, also where these changed after the last event (ADR 0012).
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import TrainingError
from pipelines.training.data import training_directory
from serving.bundle import ITEMS, write_items

CURRENT_ITEMS = "current-items.parquet"
"""File of the training set: the newest state of the bundle's items, in their order."""


def current_items(catalogue: pa.Table, newest: pa.Table | None) -> pa.Table:
    """The newest state of each item of the catalogue, in its order.

    Args:
        catalogue: The items that models learn from, one row each.
        newest: One row for each described item; items that are not in it stay as they are.
    """
    if newest is None or newest.num_rows == 0:
        return catalogue
    known = pc.is_in(catalogue["item_id"], value_set=newest["item_id"].combine_chunks())
    every = pa.concat_tables([newest, catalogue.filter(pc.invert(known))], promote_options="default")
    places = pc.index_in(catalogue["item_id"], value_set=every["item_id"].combine_chunks())
    return every.take(places)


def save_current_items(directory: Path, items: pa.Table) -> None:
    """Write the newest states into the folder of the training set, for `serve_current_items`."""
    pq.write_table(items, directory / CURRENT_ITEMS)


def serve_current_items(workdir: Path, into: Path) -> None:
    """Put the newest states into the catalogue of a copy of the bundle, whose items stay the same.

    Args:
        workdir: The evaluated bundle, with its training set beside it.
        into: The copy.

    Raises:
        TrainingError: The training set has no such file, or one of other items.
    """
    path = training_directory(workdir) / CURRENT_ITEMS
    try:
        current = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise TrainingError(
            f"expected {path} with the newest state of each item, received {error}; build the training set"
        ) from error
    evaluated = pq.read_table(into / ITEMS, columns=["item_id"])["item_id"]
    if not current["item_id"].equals(evaluated):
        raise TrainingError(
            f"expected the items of {into / ITEMS} in {path}, received others; build both anew"
        )
    write_items(into, current)
