"""How the values of one feature are spread over all entities, as known at the last build."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from pipelines.features.offline_store import AsofOfflineStore
from pipelines.features.online_store import EVER
from pipelines.features.registry import declared_views, last_build, open_store, source_of
from pipelines.lake import open_lake
from pipelines.settings import Settings

BARS = 10
"""Bars of a histogram."""

BAR_WIDTH = 40
"""Characters of the longest bar."""


class Bar(BaseModel):
    """One bar of a histogram."""

    model_config = ConfigDict(frozen=True)

    label: str
    """The value, or the range `low … high`: from low, and below high, which the last bar includes."""

    count: int
    """Entities in it."""


class Distribution(BaseModel):
    """How the values of one feature are spread."""

    model_config = ConfigDict(frozen=True)

    as_of: datetime
    """The instant as known at which."""

    entities: int
    """Entities that have a row."""

    null_share: float | None
    """Share of them without a value; None: there are no entities."""

    what: str
    """What the numbers and bars are of: `values`, or `lengths` where values are lists."""

    quantiles: dict[str, float]
    """Least, quartiles, mean and greatest of numbers and lengths; empty for words."""

    bars: tuple[Bar, ...]
    """Ten ranges of equal width for numbers and lengths, or one bar for each whole number if at most ten;
    the commonest values for words, most first."""


def distribution(settings: Settings, view: str, name: str) -> Distribution:
    """Read the newest value of every entity from the lake and count.

    Raises:
        FeatureError: Features were never built.
    """
    as_of: datetime = last_build(open_lake(settings))["as_of"]
    declared = declared_views()[view]
    source = source_of(declared)
    newest = AsofOfflineStore.pull_latest_from_table_or_query(
        open_store(settings).config,
        source,
        [column.name for column in declared.entity_columns],
        [name],
        source.timestamp_field,
        source.created_timestamp_column or None,
        EVER,
        as_of,
    ).to_arrow()
    return distribution_of(newest[name].combine_chunks(), as_of)


def distribution_of(values: pa.Array, as_of: datetime) -> Distribution:
    """Count values, one for each entity."""
    known = pc.drop_null(values)
    lists = pa.types.is_list(values.type)
    numbers = pc.list_value_length(known) if lists else known
    is_number = lists or pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return Distribution(
        as_of=as_of,
        entities=len(values),
        null_share=values.null_count / len(values) if len(values) else None,
        what="lengths" if lists else "values",
        quantiles=_quantiles(numbers) if is_number else {},
        bars=_ranges(numbers) if is_number else _commonest(known),
    )


def drawn(bars: Sequence[Bar]) -> list[str]:
    """Return the bars as lines of text."""
    longest = max((bar.count for bar in bars), default=0)
    labels = max((len(bar.label) for bar in bars), default=0)
    counts = max((len(f"{bar.count:,}") for bar in bars), default=0)
    drawn_to = BAR_WIDTH / max(longest, 1)
    return [
        f"{bar.label:>{labels}}  {bar.count:>{counts},}  {'█' * round(bar.count * drawn_to)}" for bar in bars
    ]


def _quantiles(numbers: pa.Array) -> dict[str, float]:
    if not len(numbers):
        return {}
    values = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
    least, first, middle, third, greatest = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    named = {"min": least, "q25": first, "median": middle, "q75": third, "max": greatest}
    return {name: float(one) for name, one in (named | {"mean": values.mean()}).items()}


def _ranges(numbers: pa.Array) -> tuple[Bar, ...]:
    if not len(numbers):
        return ()
    values = numbers.to_numpy(zero_copy_only=False)
    least, greatest = values.min(), values.max()
    if least == greatest:
        return (Bar(label=f"{least:g}", count=len(values)),)
    if pa.types.is_integer(numbers.type) and greatest - least < BARS:
        counts = np.bincount((values - least).astype(np.int64))
        return tuple(Bar(label=f"{least + step}", count=int(count)) for step, count in enumerate(counts))
    counts, edges = np.histogram(values.astype(np.float64), bins=BARS)
    return tuple(
        Bar(label=f"{low:.4g} … {high:.4g}", count=int(count))
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    )


def _commonest(words: pa.Array) -> tuple[Bar, ...]:
    """The commonest values, and one bar for all the others."""
    counted: list[dict[str, Any]] = pc.value_counts(words).to_pylist()
    ranked = sorted(counted, key=lambda one: (-one["counts"], str(one["values"])))
    bars = [Bar(label=str(one["values"]), count=one["counts"]) for one in ranked[:BARS]]
    if others := ranked[BARS:]:
        bars.append(Bar(label=f"{len(others):,} other values", count=sum(one["counts"] for one in others)))
    return tuple(bars)
