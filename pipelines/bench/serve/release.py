"""A release of any size without a training: arrays with the statistics of real ones, and graphs as trained.

Serving does with it exactly what it does with a trained one; only what it recommends means nothing.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.features.registry import declared_views
from pipelines.training import TrainingConfig
from serving.bundle import ProfileFeature, Spec, write_array, write_items, write_spec

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
EVENT_TYPES = ("view", "cart", "purchase")
SHARES = (0.6, 0.15, 0.25)
"""Share of each event type, about as in a shop of groceries."""
CATEGORIES = (20, 200, 1_000)
"""Different categories of each level."""
BRANDS = 2_000
LIST_WIDTH = 20
"""Related items in each list of an item."""
SPECTRUM = 0.7
"""How item vectors fall off: direction i has a deviation of (i + 1) ** -SPECTRUM, much as trained ones."""
CODE_COLUMNS = ("item", "category_1", "category_2", "category_3", "brand")
PROFILE = ("gender", "age_band", "location", "income", "household_size")
ZIPF = 3.0
"""Popularity: an event's item is `n_items * u ** ZIPF`; a tenth of the items has about half of the events."""


def item_name(number: int) -> str:
    """The id of an item."""
    return f"item-{number}"


def drawn_items(n_items: int, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """[size] items of events, popular ones more often."""
    return (n_items * rng.random(size) ** ZIPF).astype(np.int64)


def spec_of(n_items: int, config: TrainingConfig) -> Spec:
    """The spec of a release with the default lengths, and the features that are declared now."""
    views = declared_views()
    numbers = {
        name: tuple(one.name for one in views[name].features if str(one.dtype) in ("Int64", "Float64"))
        for name in ("user_activity", "item_activity")
    }
    return Spec(
        history_length=config.history_length,
        history_length_retrieval=config.retrieval.history_length,
        candidates=config.candidates,
        event_types=EVENT_TYPES,
        code_columns=CODE_COLUMNS,
        user_features=tuple(name for name in numbers["user_activity"] if name != "last_event_at_s"),
        profile_features=tuple(ProfileFeature(name, _values(name)) for name in PROFILE),
        item_features=(*(name for name in numbers["item_activity"] if name != "last_event_at_s"), "price"),
        sources=config.sources,
        ranker_outputs=EVENT_TYPES,
        item_vocabulary_size=min(n_items, config.retrieval.max_item_ids),
    )


def _values(name: str) -> tuple[str, ...]:
    return tuple(f"{name}-{number}" for number in range(6))


def write_release(directory: Path, n_items: int, config: TrainingConfig, seed: int = 0) -> None:
    """Write a bundle, sealed by nobody yet and without graphs and text index.

    Args:
        directory: Where it is written; must not exist.
        n_items: Items of the catalogue.
        config: Lengths and the width of the vectors.
        seed: Of every draw.
    """
    directory.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    spec = spec_of(n_items, config)
    write_spec(directory, spec)
    numbers = np.arange(n_items)
    levels = [numbers % size for size in CATEGORIES]
    brands = rng.integers(0, BRANDS, n_items)
    price = np.round(rng.lognormal(1.5, 1.0, n_items), 2)
    write_items(directory, _items(numbers, levels, brands, price, rng))
    width = config.retrieval.embedding_dim
    deviations = np.arange(1, width + 1) ** -SPECTRUM
    vectors = (rng.standard_normal((n_items, width)) * deviations).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_array(directory, "item_vectors", vectors)
    popularity = rng.permutation((1 + numbers) ** -0.8).astype(np.float32)
    write_array(directory, "popularity", popularity)
    write_array(directory, "trending", np.maximum(0, rng.standard_normal(n_items) - 1).astype(np.float32))
    vocabulary = np.where(numbers < spec.item_vocabulary_size, numbers + 1, 0)
    write_array(directory, "item_codes", np.stack([vocabulary, *(1 + one for one in levels), 1 + brands], 1))
    features = rng.lognormal(0, 2, (n_items, len(spec.item_features))).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    features[:, -1] = price
    write_array(directory, "item_features", features)
    for items, scores in (
        ("neighbours", "neighbour_scores"),
        ("complements", "complement_scores"),
        ("followers", "follower_scores"),
        ("lookalikes", "lookalike_scores"),
    ):
        related = drawn_items(n_items, n_items * LIST_WIDTH, rng).reshape(n_items, LIST_WIDTH)
        write_array(directory, items, related)
        write_array(directory, scores, np.sort(rng.random(related.shape), axis=1)[:, ::-1])


def _items(
    numbers: npt.NDArray[np.int64],
    levels: list[npt.NDArray[np.int64]],
    brands: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> pa.Table:
    size = len(numbers)
    words = np.array([start + end for start in _SYLLABLES for end in _SYLLABLES])
    chosen = words[(len(words) * rng.random((size, 4)) ** 2).astype(int)]
    title = chosen[:, 0]
    for place in range(1, 4):
        title = np.char.add(np.char.add(title, " "), chosen[:, place])
    category = np.char.add("Department ", levels[0].astype(str))
    for name, level in zip(("Aisle", "Shelf"), levels[1:], strict=True):
        category = np.char.add(np.char.add(category, f" > {name} "), level.astype(str))
    return pa.table(
        {
            "item_id": np.char.add("item-", numbers.astype(str)),
            "title": title,
            "category": category,
            "brand": np.char.add("Brand ", brands.astype(str)),
            "price": price,
            "available": rng.random(size) < 0.95,
        }
    )


_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstv" for vowel in "aeiou")
