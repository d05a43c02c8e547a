"""Small folders for backtests, written by hand or drawn with habits to learn."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST_AT = datetime(2024, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")


def events_table(rows, **more):
    """Events from `(user, item, type, minute)` rows."""
    users, items, types, minutes = zip(*rows, strict=True)
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "event_type": pa.array(types, pa.string()),
            "event_at": pa.array([FIRST_AT + timedelta(minutes=m) for m in minutes], INSTANT),
            **more,
        }
    )


def write_folder(folder: Path, events, *, items=None, users=None, test=None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("events", events), ("items", items), ("users", users), ("test", test)):
        if table is not None:
            pq.write_table(table, folder / f"{name}.parquet")
    return folder


def drawn_folder(folder: Path, *, n_users=60, n_items=50, days=60, seed=5, with_test=False) -> Path:
    """A shop of views and purchases, partly described, in which item n is mostly followed by item n + 1."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        length = int(random.integers(2, 14))
        item = int(random.integers(n_items))
        minutes = np.sort(random.integers(0, days * 1440, length))
        for minute in minutes.tolist():
            kind = "purchase" if random.random() < 0.3 else "view"
            rows.append((f"u{user:03d}", f"i{item:03d}", kind, minute))
            item = (item + 1) % n_items if random.random() < 0.8 else int(random.integers(n_items))
    ratings = pa.array(random.integers(1, 6, len(rows)).astype(float))
    numbers = range(n_items - 5)
    items = pa.table(
        {
            "item_id": [f"i{n:03d}" for n in numbers],
            "title": [f"Thing {n}" for n in numbers],
            "category": [("Food > Fruit", "Garden", None)[n % 3] for n in numbers],
            "price": [1.0 + n for n in numbers],
            "attributes": [[f"colour:{n % 4}"] for n in numbers],
        }
    )
    test = None
    if with_test:
        starts = random.integers(0, n_items, 40)
        test = pa.table(
            {
                "history": [[f"i{s:03d}", f"i{(s + 1) % n_items:03d}"] for s in starts],
                "target": [f"i{(s + 2) % n_items:03d}" for s in starts],
            }
        )
    return write_folder(folder, events_table(rows, rating=ratings), items=items, test=test)
