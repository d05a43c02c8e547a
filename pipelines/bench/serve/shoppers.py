"""The feature store of the measured shop: every user with activity, history and profile, in SQLite."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.bench.serve.release import AS_OF, EVENT_TYPES, PROFILE, SHARES, drawn_items
from pipelines.features import store
from pipelines.features.online_store import one_generation
from pipelines.features.registry import lake_schema_of, open_store
from pipelines.settings import Settings

EVENTS_OF_USER = 40
"""Median of the log-normal number of events in a user's history."""
LONGEST = 512
DAYS = 120
VIEWS = ("user_activity", "user_history", "user_profile")


def user_name(number: int) -> str:
    """The id of a user."""
    return f"user-{number}"


def write_shoppers(home: str, users: int, items: int, seed: int = 0) -> dict[str, Any]:
    """Write features of `users` users, whose histories hold items of the release; returns `events`."""
    settings = Settings(home=Path(home), lake_uri=str(Path(home) / "lake"))
    store.apply(settings)
    feast = open_store(settings)
    rng = np.random.default_rng(seed)
    ids = pa.array(np.char.add("user-", np.arange(users).astype(str)))
    history = _histories(users, items, rng)
    with one_generation(feast) as write:
        for name in VIEWS:
            view = feast.get_feature_view(name)
            columns = [_column(field, ids, history, rng) for field in lake_schema_of(view)]
            write(view, pa.table(columns, lake_schema_of(view)), whole=True)
    return {"events": len(history["item_ids"].flatten())}


def _histories(users: int, items: int, rng: np.random.Generator) -> dict[str, pa.Array]:
    lengths = np.clip(rng.lognormal(np.log(EVENTS_OF_USER), 1.0, users).astype(np.int64), 1, LONGEST)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    size = int(offsets[-1])
    who = np.repeat(np.arange(users), lengths)
    ages = rng.integers(0, DAYS * 86_400, size)
    ages = ages[np.lexsort((ages, who))]
    item_ids = pa.array(np.char.add("item-", np.arange(items).astype(str)))
    flat = {
        "item_ids": item_ids.take(pa.array(drawn_items(items, size, rng))),
        "event_types": pa.array(EVENT_TYPES).take(pa.array(rng.choice(len(EVENT_TYPES), size, p=SHARES))),
        "event_times": pa.array(int(AS_OF.timestamp()) - ages),
    }
    return {name: pa.ListArray.from_arrays(pa.array(offsets), values) for name, values in flat.items()}


def _column(
    field: pa.Field, ids: pa.Array, history: dict[str, pa.Array], rng: np.random.Generator
) -> pa.Array:
    size = len(ids)
    if field.name == "user_id":
        return ids
    if field.name in history:
        return history[field.name].cast(field.type)
    unknown = rng.random(size) < 0.1
    if pa.types.is_timestamp(field.type):
        return pa.array(np.full(size, int(AS_OF.timestamp()) * 1_000_000), pa.int64()).cast(field.type)
    if pa.types.is_string(field.type):
        values = pa.array([f"{field.name}-{number}" for number in range(6)])
        places = pa.array(rng.integers(0, 6, size), mask=unknown | (field.name not in PROFILE))
        return values.take(places)
    return pa.array(rng.lognormal(1, 1, size), mask=unknown).cast(field.type, safe=False)
