"""Reading a bundle: memory-mapped arrays, the catalogue, and the graphs' paths."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from serving.bundle.catalogue import Catalogue
from serving.bundle.layout import ARRAYS, INTENT, ITEM_COLUMNS, ITEMS, QUERY_ENCODER, RANKER, TEXT_INDEX
from serving.bundle.spec import Spec, read_spec
from serving.bundle.writer import check_values
from serving.errors import BundleError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What a shopper is shown of one item, in the order of `ITEM_COLUMNS`."""

    item_id: str
    title: str
    description: str | None
    category: str | None
    brand: str | None
    price: float | None
    image_url: str | None
    available: bool
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """One release in memory. Arrays are read-only maps of the files, shared by every process."""

    directory: Path
    spec: Spec
    items: pa.Table
    """The catalogue, in one chunk; row i is item index i."""
    catalogue: Catalogue
    """Category paths and brands as codes."""
    item_vectors: Floats
    """[n, D], rows of length 1 (or 0 for an item that nothing is known of)."""
    search_vectors: Floats
    """[n, S] products of item vectors and search directions; S = 0 where a search takes whole vectors."""
    search_directions: Floats
    """[D, S] directions in which items' vectors differ most, orthogonal and of length 1."""
    item_codes: Integers
    """[n, K] codes in the order of `spec.code_columns`, 0 = unknown."""
    item_features: Floats
    """[n, F] raw values in the order of `spec.item_features`, NaN = unknown."""
    popularity: Floats
    """[n], decayed over time; higher is more popular."""
    trending: Floats
    """[n], by how much an item's recent events exceed its own past; 0 = they do not, or it is not known."""
    neighbours: Integers
    """[n, M] item indices, best first, -1 = none."""
    neighbour_scores: Floats
    complements: Integers
    """[n, M] item indices bought in one basket with the item, best first, -1 = none."""
    complement_scores: Floats
    followers: Integers
    """[n, M] item indices that users took after the item, most often first, -1 = none."""
    follower_scores: Floats
    lookalikes: Integers
    """[n, M] item indices that are described most like the item, best first, -1 = none."""
    lookalike_scores: Floats
    popularity_order: Integers
    """[n] item indices, most popular first."""
    _columns: tuple[pa.Array, ...]
    _index: dict[str, int]
    _codes_with_padding: Integers
    """[n + 1, 1 + K]: row i + 1 holds item i's graph codes, row 0 the padding."""

    @classmethod
    def open(cls, directory: Path | str) -> "Bundle":
        """The bundle in that directory, sealed or still under construction.

        Says nothing about who made it: `verify` does, and comes first in serving.

        Raises:
            BundleError: a file is missing, or not of the form that the format says; it names the file.
        """
        directory = Path(directory)
        spec = read_spec(directory)
        items = _read_items(directory)
        arrays = {name: _read_array(directory, name, items.num_rows) for name in ARRAYS}
        _check_widths(spec, arrays)
        index = {item_id: row for row, item_id in enumerate(items.column("item_id").to_pylist())}
        if len(index) != items.num_rows:
            raise BundleError(f"{ITEMS}: expected one row per item_id, received an id twice.")
        codes = np.zeros((items.num_rows + 1, 1 + len(spec.code_columns)), np.int32)
        codes[1:, 0] = np.arange(1, items.num_rows + 1)
        codes[1:, 1:] = arrays["item_codes"]
        order = np.argsort(-arrays["popularity"], kind="stable").astype(np.int32)
        return cls(
            directory=directory,
            spec=spec,
            items=items,
            catalogue=Catalogue.of(items),
            popularity_order=order,
            _columns=tuple(items.column(name).chunk(0) for name in ITEM_COLUMNS),
            _index=index,
            _codes_with_padding=codes,
            **arrays,
        )

    @property
    def n_items(self) -> int:
        """Items in the catalogue."""
        return int(self.items.num_rows)

    @property
    def query_encoder_path(self) -> Path | None:
        """The query encoder's graph, where the bundle has one."""
        return self._existing(QUERY_ENCODER)

    @property
    def ranker_path(self) -> Path | None:
        """The ranker's graph, where the bundle has one."""
        return self._existing(RANKER)

    @property
    def intent_path(self) -> Path | None:
        """The intent model's graph, where the bundle has one."""
        return self._existing(INTENT)

    @property
    def text_index_path(self) -> Path | None:
        """The text index's directory, where the bundle has one."""
        return self._existing(TEXT_INDEX)

    def _existing(self, name: str) -> Path | None:
        path = self.directory / name
        return path if path.exists() else None

    def index_of(self, item_id: str | None) -> int:
        """The item's index, -1 when it is not in this release."""
        return -1 if item_id is None else self._index.get(item_id, -1)

    def indices_of(self, item_ids: Iterable[str | None]) -> Integers:
        """The items' indices, -1 where one is not in this release."""
        ids = item_ids if isinstance(item_ids, Sequence) else list(item_ids)
        return np.fromiter(map(self._index.get, ids, repeat(-1)), np.int32, len(ids))

    def history_codes(self, items: Integers) -> Integers:
        """Graph codes `[..., 1 + K]` of item indices: column 0 is index + 1; all 0 where the index is -1."""
        return self._codes_with_padding[items + 1]

    def item(self, index: int) -> ItemFacts:
        """What a shopper is shown of the item with that index."""
        item_id, title, *texts, price, image_url, available, attributes = (
            column[index].as_py() for column in self._columns
        )
        description, category, brand = (text or None for text in texts)
        return ItemFacts(
            item_id,
            title,
            description,
            category,
            brand,
            price,
            image_url or None,
            available is not False,
            tuple(attributes or ()),
        )


def _read_items(directory: Path) -> pa.Table:
    try:
        table = pq.read_table(directory / ITEMS, use_threads=False).combine_chunks()
        schema = {entry.name: entry.type for entry in table.schema}
        if schema != ITEM_COLUMNS:
            raise BundleError(f"{ITEMS}: expected the columns {ITEM_COLUMNS}, received {schema}.")
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise BundleError(f"{ITEMS}: expected a catalogue in Parquet, received {error}.") from error
    if table.num_rows == 0 or table.column("item_id").null_count or table.column("title").null_count:
        raise BundleError(f"{ITEMS}: expected at least one item, and an item_id and a title in every row.")
    return table


def _read_array(directory: Path, name: str, n_items: int) -> npt.NDArray[Any]:
    path, form = directory / f"{name}.npy", ARRAYS[name]
    if form.optional and not path.exists():
        nothing = np.zeros((n_items if form.of_items else 0, 0)[: form.dimensions], form.dtype)
        nothing.setflags(write=False)
        return nothing
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        raise BundleError(f"{path.name}: expected a plain NumPy array, received {error}.") from error
    if not isinstance(array, np.memmap):
        raise BundleError(f"{path.name}: expected a plain NumPy array, received {type(array).__name__}.")
    rows = n_items if form.of_items else len(array)
    if array.dtype != np.dtype(form.dtype) or array.ndim != form.dimensions or len(array) != rows:
        shape = (rows, "width")[: form.dimensions]
        raise BundleError(
            f"{path.name}: expected {np.dtype(form.dtype)} of shape {shape}, received {array.dtype} of "
            f"shape {array.shape}."
        )
    if not array.flags.c_contiguous or array.offset + array.nbytes != path.stat().st_size:
        raise BundleError(f"{path.name}: expected rows one after the other and nothing behind them.")
    check_values(name, array)
    return array.view(np.ndarray)


def _check_widths(spec: Spec, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Refuse arrays that do not fit the spec or each other."""
    wanted = {
        "item_codes": len(spec.code_columns),
        "item_features": len(spec.item_features),
        "neighbour_scores": arrays["neighbours"].shape[1],
        "complement_scores": arrays["complements"].shape[1],
        "follower_scores": arrays["followers"].shape[1],
        "lookalike_scores": arrays["lookalikes"].shape[1],
        "search_directions": arrays["search_vectors"].shape[1],
    }
    for name, width in wanted.items():
        if arrays[name].shape[1] != width:
            raise BundleError(
                f"{name}.npy: expected {width} columns, received {arrays[name].shape[1]} "
                "(spec.json and the array beside it say how many)."
            )
    if arrays["item_vectors"].shape[1] == 0:
        raise BundleError("item_vectors.npy: expected at least one column, received none.")
    directions, width = arrays["search_directions"], arrays["item_vectors"].shape[1]
    if directions.shape[1] and len(directions) != width:
        raise BundleError(
            f"search_directions.npy: expected {width} rows, as many as an item's vector has numbers, "
            f"received {len(directions)}."
        )
