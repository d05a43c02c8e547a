"""Running the two sides of a comparison, each in a process of its own, alternating."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from pipelines.runtime import Limits, peak_bytes, run_isolated

LIMIT_S = 1800.0
"""Seconds after which a side is killed."""

Result = TypeVar("Result")


Side = Callable[..., dict[str, Any]]
"""One side of a comparison: a function at the top level of a module that returns its figures."""


def alternating(
    sides: Sequence[Side], arguments: Mapping[Side, Mapping[str, Any]], runs: int
) -> dict[Side, list[dict[str, Any]]]:
    """The figures of every run of each side.

    Args:
        sides: The functions.
        arguments: Keyword arguments of each side.
        runs: How often each side runs.
    """
    figures: dict[Side, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            figures[side].append(run_isolated(side, Limits(LIMIT_S), **arguments[side]))
    return figures


def median(told: Sequence[Mapping[str, Any]], name: str) -> float:
    """Median of one figure over the runs."""
    return float(statistics.median(one[name] for one in told))


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """What the work gives, its seconds, and the process's peak memory in MB until then."""
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    return result, seconds, peak_bytes() / 2**20


def digest(table: pa.Table, key: str) -> dict[str, str]:
    """One number for each column, the same for the same values beside the same keys, in any order of rows."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("answer", table)
        names = list(table.column_names)
        # DuckDB hashes an empty list as it hashes null.
        sums = ", ".join(
            f'sum(hash("{key}", "{name}", "{name}" IS NULL))::VARCHAR AS "{name}"' for name in names
        )
        query = f"SELECT count(*)::VARCHAR AS __rows, {sums} FROM answer"  # noqa: S608 - names of ours
        return dict(connection.sql(query).to_arrow_table().to_pylist()[0])
