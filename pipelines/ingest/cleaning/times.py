"""Times of any sort, brought to UTC in microseconds.

Read are timestamps with and without a zone, dates, ISO-8601 text, and seconds, milliseconds, microseconds or
nanoseconds since 1970. Other text is not guessed at: `05/06/2024` is two days, depending on who wrote it. A
mapping says which (`day_first`), or how else times are written (`date_format`).
"""

from collections import Counter

import polars as pl

from pipelines.ingest.cleaning.column_result import Normalised, as_text, nothing_readable, readable_or_null

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

ISO_8601 = (
    r"^(?<year>\d{4})[-/](?<month>\d{2})[-/](?<day>\d{2})"
    r"(?:[Tt ]+(?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?"
    r"\s*(?<offset>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$"
)
COMMON = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,9})?"
"""The shape that most times have, which is read many times faster than all the others."""

COMPACT = r"^(19|20)\d{6}(\d{6})?$"
"""`20240501` and `20240501093000`: read as numbers they would be in 1970 and in the year 2611."""

LOCAL = (
    r"^(?<first>\d{1,2})[./-](?<other>\d{1,2})[./-](?<year>\d{4}|\d{2})"
    r"(?:[Tt, ]+(?<hour>\d{1,2})[:.](?<minute>\d{2})(?:[:.](?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?"
    r"\s*(?:(?<half>[AaPp])\.?[Mm]\.?)?)?$"
)
"""Day and month in either order: `12/1/2010 8:26`, `01.05.2024`, `5/6/24 8:26 PM`."""

NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"

SECONDS_BELOW = 100_000_000_000
"""Smaller numbers are seconds (until the year 5138), those up to 1,000 times that milliseconds, and so on."""


def to_utc(
    column: pl.Series, timezone: str = "UTC", *, day_first: bool | None = None, date_format: str | None = None
) -> Normalised:
    """The instants of a column; times without an offset are taken as times of `timezone`.

    Args:
        column: Timestamps, dates, numbers or text.
        timezone: Name of a zone.
        day_first: Whether in `05/06/2024` the day comes first; None does not read it.
        date_format: Format of text in the signs of strptime, tried before the others.
    """
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        return _from_timestamps(column, kind, timezone)
    if kind == pl.Date:
        steps = Counter({"dates taken as midnight": column.len() - column.null_count()})
        return readable_or_null(column, _in_zone(column.cast(pl.Datetime("us")), timezone), steps)
    if kind.is_numeric() and date_format is None:
        return _from_epoch(column)
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Null) or kind.is_integer():
        text = as_text(column)
        declared = _declared(text, timezone, day_first, date_format)
        if declared is None:
            return _from_text(text, timezone)
        rest = _from_text(text.set(declared.is_not_null(), None), timezone)
        read = declared.zip_with(declared.is_not_null(), rest.values)
        return readable_or_null(
            text, read, rest.steps + Counter({"times read as the mapping says": declared.count()})
        )
    return nothing_readable(column, UTC_MICROSECONDS)


def _declared(
    text: pl.Series, timezone: str, day_first: bool | None, date_format: str | None
) -> pl.Series | None:
    """The instants that are written as the mapping says, null elsewhere; None where it says nothing."""
    if text.dtype == pl.Null or (day_first is None and date_format is None):
        return None
    empty = pl.Series(text.name, [None], dtype=UTC_MICROSECONDS).new_from_index(0, len(text))
    if date_format is not None:
        read = text.str.to_datetime(date_format, time_unit="us", strict=False, ambiguous="earliest")
        aware = isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is not None
        return read.cast(UTC_MICROSECONDS) if aware else _in_zone(read, timezone)
    parts = text.str.extract_groups(LOCAL).struct.unnest()
    if parts["year"].null_count() == len(parts):
        return empty
    year = pl.col("year").cast(pl.Int64, strict=False)
    hour = pl.col("hour").fill_null("0").cast(pl.Int64, strict=False)
    half = pl.col("half").str.to_lowercase()
    on_dial = hour % 12 + pl.when(half == "p").then(12).otherwise(0)
    hour = (
        pl.when(half.is_null()).then(hour).when(hour.is_between(1, 12)).then(on_dial).otherwise(99)  # no hour
    )
    full_year = pl.when(year >= 100).then(year).when(year < 70).then(year + 2000).otherwise(year + 1900)
    iso = parts.select(
        full_year.cast(pl.String).alias("year"),
        pl.col("other" if day_first else "first").str.pad_start(2, "0").alias("month"),
        pl.col("first" if day_first else "other").str.pad_start(2, "0").alias("day"),
        hour.cast(pl.String).str.pad_start(2, "0").alias("hour"),
        "minute",
        "second",
        "fraction",
        pl.lit(None, pl.String).alias("offset"),
    )
    return _from_parts(iso, timezone)[0].rename(text.name)


def _from_timestamps(column: pl.Series, kind: pl.Datetime, timezone: str) -> Normalised:
    present = column.len() - column.null_count()
    steps: Counter[str] = Counter()
    if kind.time_unit == "ns":
        steps["nanoseconds cut to microseconds"] = present
    values = column.dt.cast_time_unit("us")
    if kind.time_zone is None:
        steps[f"times without a zone taken as {timezone}"] = present
        return readable_or_null(column, _in_zone(values, timezone), steps)
    if kind.time_zone != "UTC":
        steps["times of other zones turned to UTC"] = present
    return readable_or_null(column, values.dt.convert_time_zone("UTC"), steps)


def _in_zone(naive: pl.Series, timezone: str) -> pl.Series:
    """Times on the clock of a zone as instants; of the hour that a clock shows twice, the first is meant."""
    if timezone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    local = naive.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _from_epoch(column: pl.Series) -> Normalised:
    """Numbers since 1970; each one's size tells its unit."""
    frame = column.rename("number").to_frame()
    number = pl.col("number").cast(pl.Float64).fill_nan(None)
    size = number.abs()
    units = (
        ("seconds", 1_000_000),
        ("milliseconds", 1_000),
        ("microseconds", 1),
        ("nanoseconds", 0.001),
    )
    unit = pl.lit(3)
    for index in (2, 1, 0):
        unit = pl.when(size < SECONDS_BELOW * 1000**index).then(index).otherwise(unit)
    frame = frame.with_columns(unit=pl.when(number.is_not_null()).then(unit))
    whole = pl.col("number").cast(pl.Int64, strict=False) if column.dtype.is_integer() else number
    microseconds = (
        pl.when(pl.col("unit") == 0)
        .then(whole * 1_000_000)
        .when(pl.col("unit") == 1)
        .then(whole * 1_000)
        .when(pl.col("unit") == 2)
        .then(whole)
        .otherwise(whole // 1_000)
    )
    # Integers stay integers: a float of 64 bits holds no microsecond of 2024 in nanoseconds.
    in_range = size < 1e20
    values = frame.select(
        pl.when(in_range).then(microseconds.cast(pl.Int64, strict=False)).cast(UTC_MICROSECONDS)
    ).to_series()
    found = dict(frame["unit"].value_counts().iter_rows())
    steps = Counter(
        {f"numbers taken as {name} since 1970": found.get(i, 0) for i, (name, _) in enumerate(units)}
    )
    present = column.set(column.is_nan(), None) if column.dtype.is_float() else column
    return readable_or_null(present, values, steps)


def _from_text(text: pl.Series, timezone: str) -> Normalised:
    if text.dtype == pl.Null or text.null_count() == len(text):
        return readable_or_null(
            text, text.cast(pl.String).str.to_datetime(strict=False).cast(UTC_MICROSECONDS)
        )
    naive = text.str.contains(f"{COMMON}$").fill_null(value=False)
    zoned = text.str.contains(f"{COMMON}(Z|[+-]\\d{{2}}:\\d{{2}})$").fill_null(value=False)
    if (naive | zoned | text.is_null()).all():
        return _from_common_text(text, naive, zoned, timezone)
    compact = text.str.contains(COMPACT)
    if compact.any():
        text = _spread(text, compact)
    parts = text.str.extract_groups(ISO_8601).struct.unnest()
    values, offsets = _from_parts(parts, timezone)
    steps = Counter(
        {
            "times with an offset turned to UTC": int(((offsets != 0) & values.is_not_null()).sum()),
            f"times without a zone taken as {timezone}": int(
                (parts["offset"].is_null() & values.is_not_null()).sum()
            ),
        }
    )
    numeric = parts["year"].is_null() & text.str.contains(NUMBER).fill_null(value=False)
    if numeric.any():
        digits = text.set(~numeric, None)
        whole = digits.cast(pl.Int64, strict=False)
        broken = digits.cast(pl.Float64, strict=False).set(whole.is_not_null(), None)
        for numbers in (_from_epoch(whole), _from_epoch(broken)):
            values = values.zip_with(numbers.values.is_null(), numbers.values)
            steps += numbers.steps
    return readable_or_null(text, values, steps)


def _from_common_text(text: pl.Series, naive: pl.Series, zoned: pl.Series, timezone: str) -> Normalised:
    """The instants of times that all have the common shape, with or without an offset."""
    spaced = text.str.replace("T", " ", literal=True)
    local = spaced.set(~naive, None).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    values = _in_zone(local, timezone)
    steps = Counter({f"times without a zone taken as {timezone}": values.count()})
    if zoned.any():
        offset = spaced.set(~zoned, None).str.replace("Z", "+00:00", literal=True)
        instants = offset.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="us", strict=False)
        values = values.zip_with(naive, instants.cast(UTC_MICROSECONDS))
        shifted = ~offset.str.contains(r"[+-]00:00$") & instants.is_not_null()
        steps["times with an offset turned to UTC"] = int(shifted.sum())
    return readable_or_null(text, values, steps)


def _spread(text: pl.Series, compact: pl.Series) -> pl.Series:
    """`20240501` as `2024-05-01`, `20240501093000` as `2024-05-01 09:30:00`."""
    day = text.str.replace(r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3")
    spread = day.str.replace(r"^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", "$1-$2-$3 $4:$5:$6")
    return spread.zip_with(compact.fill_null(value=False), text)


def _from_parts(parts: pl.DataFrame, timezone: str) -> tuple[pl.Series, pl.Series]:
    """Instants, and the offsets in minutes that were taken off (0 where there was none)."""
    clock = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        "year",
        "month",
        "day",
        pl.col("hour").fill_null("00"),
        pl.col("minute").fill_null("00"),
        pl.col("second").fill_null("00"),
        pl.col("fraction").fill_null("").str.slice(0, 6).str.pad_end(6, "0"),
    )
    digits = pl.col("offset").str.replace(":", "")
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    frame = parts.select(
        clock.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).alias("naive"),
        (sign * (hours.fill_null(0) * 60 + minutes.fill_null(0))).alias("offset"),
        pl.col("offset").is_null().alias("is_local"),
        ((hours > 15) | (minutes > 59)).fill_null(value=False).alias("no_offset"),
    )
    shifted = frame["naive"] - pl.Series("by", frame["offset"] * 60_000_000).cast(pl.Duration("us"))
    instants = shifted.dt.replace_time_zone("UTC")
    if timezone != "UTC" and frame["is_local"].any():
        instants = _in_zone(frame["naive"].set(~frame["is_local"], None), timezone).zip_with(
            frame["is_local"], instants
        )
    return instants.set(frame["no_offset"], None), frame["offset"]
