"""A lake with a synthetic shop of any size: described items, and users with tastes who come back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lake import SCHEMAS, Lake
from serving.bundle import CATEGORY_SEPARATOR

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
DAYS = 180
EVENTS_OF_USER = 100
"""Mean over users."""
DEPARTMENTS = 50
LOYALTY = 0.7
"""Share of a user's events in the department of the user's taste."""
TYPES, SHARES = ("view", "cart", "purchase"), (0.7, 0.1, 0.2)
WORDS = 4_000
"""Words that titles are made of, three each."""

Numbers = npt.NDArray[np.int64]


def users_of(events: int) -> int:
    """Users of a shop with so many events."""
    return max(100, events // EVENTS_OF_USER)


def write_shop(lake: Lake, events: int, items: int, seed: int = 0) -> None:
    """Write its events, items and an empty table of users; events end before `AS_OF`."""
    rng = np.random.default_rng(seed)
    lake.replace("items", _items(items, rng))
    lake.replace("users", SCHEMAS["users"].empty_table())
    lake.replace("events", _events(events, items, rng))


def _events(size: int, items: int, rng: np.random.Generator) -> pa.Table:
    """Days with more and fewer events; in each department a few items are taken by most."""
    n_users = users_of(size)
    users = rng.integers(0, n_users, size)
    own = rng.integers(0, DEPARTMENTS, n_users)[users]
    departments = np.where(rng.random(size) < LOYALTY, own, rng.integers(0, DEPARTMENTS, size))
    ranks = (items / DEPARTMENTS * rng.random(size) ** 3).astype(np.int64)
    what = np.minimum(ranks * DEPARTMENTS + departments, items - 1)
    seconds = np.sort(rng.integers(0, DAYS * 86_400, size))
    at = (int((AS_OF - timedelta(days=DAYS)).timestamp()) + seconds) * 1_000_000
    kinds = rng.choice(len(TYPES), size, p=SHARES)
    bought = kinds == TYPES.index("purchase")
    return _table(
        "events",
        size,
        {
            "event_id": _ids("e", np.arange(size)),
            "event_at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "event_on": pa.array((at // 86_400_000_000).astype("datetime64[D]")),
            "user_id": _ids("u", users),
            "session_id": _ids("s", users * 1_000 + seconds // 86_400),
            "event_type": pa.array(TYPES).take(pa.array(kinds)),
            "item_id": _ids("i", what),
            "quantity": pa.array(np.ones(size), mask=~bought),
            "price": pa.array(_prices(what), mask=~bought),
            "source": pa.repeat("bench", size),
        },
    )


def _items(size: int, rng: np.random.Generator) -> pa.Table:
    numbers = np.arange(size)
    words = rng.integers(0, WORDS, (3, size))
    parts = [_ids("", words[place]) for place in range(3)]
    # Letters, since digits are no words.
    title = pc.binary_join_element_wise(*(_letters(part) for part in parts), " ")
    departments, shelves = numbers % DEPARTMENTS, rng.integers(0, 20, size)
    category = pc.binary_join_element_wise(
        _ids("department ", departments), _ids("shelf ", departments * 20 + shelves), CATEGORY_SEPARATOR
    )
    begins_at = pa.scalar(AS_OF - timedelta(days=DAYS + 1), pa.timestamp("us", tz="UTC"))
    return _table(
        "items",
        size,
        {
            "item_id": _ids("i", numbers),
            "title": title,
            "category": category,
            "brand": _ids("brand ", rng.integers(0, 500, size)),
            "description": title,
            "price": pa.array(_prices(numbers)),
            "attributes": pa.ListArray.from_arrays(
                pa.array(np.zeros(size + 1, np.int32)), pa.array([], pa.string())
            ),
            "available": pa.repeat(True, size),
            "updated_at": pa.repeat(begins_at, size),
        },
    )


def _table(name: str, size: int, given: Mapping[str, Any]) -> pa.Table:
    """The table in its contract's columns, null where nothing is given."""
    schema = SCHEMAS[name]
    columns = [
        given[field.name].cast(field.type) if field.name in given else pa.nulls(size, field.type)
        for field in schema
    ]
    return pa.table(columns, schema)


def _prices(items: Numbers) -> npt.NDArray[np.float64]:
    return (items * 7_919 % 5_000 + 50) / 100


def _ids(beginning: str, numbers: Numbers) -> pa.Array:
    return pc.binary_join_element_wise(beginning, pa.array(numbers).cast(pa.string()), "")


def _letters(digits: pa.Array) -> pa.Array:
    for digit, letter in zip("0123456789", "abcdefghij", strict=True):
        digits = pc.replace_substring(digits, digit, letter)
    return pc.binary_join_element_wise("w", digits, "")
