"""Choosing shoppers worth looking at: a heavy, a middling and a light one first, then more of all kinds."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import DemoError

if TYPE_CHECKING:
    from pipelines.lake import Lake

RECENT_DAYS = 28
FIRST_QUANTILES = (0.95, 0.5, 0.15)
MORE_SHOPPERS = 9
SHOWN_ATTRIBUTES = ("household_size", "kids", "income")


def choose_shoppers(lake: Lake, as_of: datetime) -> list[dict[str, str]]:
    """Up to twelve shoppers with events in the last four weeks: `user_id`, `name`, `note`.

    Raises:
        DemoError: When nobody had an event in that time.
    """
    events = lake.read("events", columns=["user_id", "event_at"])
    recent = events.filter(pc.greater_equal(events["event_at"], as_of - timedelta(days=RECENT_DAYS)))
    counts = recent.group_by("user_id").aggregate([("event_at", "count")])
    counts = counts.sort_by([("event_at_count", "ascending"), ("user_id", "ascending")])
    if counts.num_rows == 0:
        raise DemoError(f"no user has an event in the {RECENT_DAYS} days before {as_of:%Y-%m-%d}")
    quantiles = (*FIRST_QUANTILES, *((n + 0.5) / MORE_SHOPPERS for n in range(MORE_SHOPPERS)))
    positions = dict.fromkeys(int(q * (counts.num_rows - 1)) for q in quantiles)
    chosen = counts.take(pa.array(list(positions), pa.int64())).to_pylist()
    notes = _demographics(lake, [row["user_id"] for row in chosen])
    return [
        {
            "user_id": row["user_id"],
            "name": f"Shopper {row['user_id']}",
            "note": ", ".join([f"{row['event_at_count']} events in four weeks", *notes[row["user_id"]]]),
        }
        for row in chosen
    ]


def write_shoppers(shoppers: list[dict[str, str]], home: Path) -> None:
    """Leave the shoppers where the storefront looks for them."""
    file = home / "serving" / "shoppers.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(shoppers, indent=1))


def read_shoppers(home: Path) -> list[dict[str, str]]:
    """The shoppers that an earlier run chose."""
    found: list[dict[str, str]] = json.loads((home / "serving" / "shoppers.json").read_text())
    return found


def _demographics(lake: Lake, user_ids: list[str]) -> dict[str, list[str]]:
    users = lake.read("users")
    users = users.filter(pc.is_in(users["user_id"], pa.array(user_ids))).sort_by("updated_at")
    known: dict[str, list[str]] = {user_id: [] for user_id in user_ids}
    for user in users.to_pylist():
        attributes = dict(text.split(":", 1) for text in user["attributes"] or [] if ":" in text)
        told = [f"aged {user['age_band']}"] if user["age_band"] else []
        told += [
            f"{name.replace('_', ' ')} {attributes[name]}"
            for name in SHOWN_ATTRIBUTES
            if attributes.get(name)
        ]
        known[user["user_id"]] = told
    return known
