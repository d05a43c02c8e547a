"""A tiny shop with habits to learn, the same at every call.

60 users, 80 items in four departments, and 120 days of views, carts and purchases up to 2024-05-01. Every
user has five staples that come back every few days, a favourite department, and follows pairs of items that
belong together (item 2i is often bought with item 2i+1). Three users never act, four items are never touched.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

USERS = 60
ITEMS = 80
DAYS = 120
ENDS_AT = datetime(2024, 5, 1, tzinfo=UTC)
STARTS_AT = ENDS_AT - timedelta(days=DAYS)
SILENT_USERS = {"u57", "u58", "u59"}
UNTOUCHED_ITEMS = {"i76", "i77", "i78", "i79"}
DEPARTMENTS = ("Grocery", "Drinks", "Household", "Garden")
NOUNS = ("Apple", "Bread", "Cheese", "Coffee", "Lamp", "Mop", "Rice", "Rose", "Soap", "Tea")
ADJECTIVES = ("Crisp", "Dark", "Fresh", "Green", "Large", "Mild", "Red", "Small")

TIMESTAMP = pa.timestamp("us", tz="UTC")


def items() -> pa.Table:
    """The catalogue in the columns of the item contract."""
    numbers = range(ITEMS)
    departments = [DEPARTMENTS[n // 20] for n in numbers]
    return pa.table(
        {
            "item_id": [f"i{n:02d}" for n in numbers],
            "title": [f"{ADJECTIVES[n % 8]} {NOUNS[n % 10]} {n}" for n in numbers],
            "description": [
                f"A {ADJECTIVES[n % 8].lower()} {NOUNS[n % 10].lower()} of the house" for n in numbers
            ],
            "category": [
                f"{departments[n]} > {departments[n]} {n // 5 % 4} > {NOUNS[n % 10]}" for n in numbers
            ],
            "brand": [f"Brand {n % 7}" for n in numbers],
            "price": pa.array([round(1.5 + (n * 37 % 90) / 4, 2) for n in numbers], pa.float64()),
            "attributes": [[f"colour:{ADJECTIVES[n % 8].lower()}"] for n in numbers],
            "available": [n % 25 != 24 for n in numbers],
            "updated_at": pa.array([STARTS_AT - timedelta(days=30)] * ITEMS, TIMESTAMP),
        }
    )


def users() -> pa.Table:
    """The users in the columns of the user contract."""
    numbers = range(USERS)
    return pa.table(
        {
            "user_id": [f"u{n:02d}" for n in numbers],
            "gender": [("F", "M", None)[n % 3] for n in numbers],
            "age_band": [("18-24", "25-34", "35-44", "45+")[n % 4] for n in numbers],
            "location": [("north", "south")[n % 2] for n in numbers],
            "signup_at": pa.array([STARTS_AT - timedelta(days=n) for n in numbers], TIMESTAMP),
            "consent": [True] * USERS,
            "updated_at": pa.array([STARTS_AT - timedelta(days=n) for n in numbers], TIMESTAMP),
        }
    )


def events() -> pa.Table:
    """About 16,000 events in the columns of the event contract, in order of time."""
    random = np.random.default_rng(2024)
    prices = items()["price"].to_numpy()
    rows: list[tuple[datetime, str, str, str, str, float | None, float | None]] = []
    for user in range(USERS):
        user_id = f"u{user:02d}"
        if user_id in SILENT_USERS:
            continue
        department = user % 4
        first = department * 20
        staples = first + random.choice(16, size=5, replace=False)
        rhythm_days = 3 + user % 5
        for day in range(int(random.integers(0, rhythm_days)), DAYS, rhythm_days):
            at = STARTS_AT + timedelta(
                days=day, hours=int(random.integers(8, 20)), minutes=int(random.integers(60))
            )
            session = f"s{user:02d}-{day:03d}"
            basket = {int(item) for item in random.choice(staples, size=2, replace=False)}
            explored = (
                int(random.integers(first, first + 16)) if random.random() < 0.8 else int(random.integers(76))
            )
            if random.random() < 0.4:
                basket.add(explored)
            basket |= {item ^ 1 for item in list(basket) if random.random() < 0.5}
            basket = {item for item in basket if f"i{item:02d}" not in UNTOUCHED_ITEMS}
            for step, item in enumerate(sorted(basket | {explored})):
                seen_at = at + timedelta(minutes=2 * step)
                rows.append((seen_at, user_id, session, "view", f"i{item:02d}", None, None))
                if item in basket:
                    rows.append(
                        (seen_at + timedelta(seconds=20), user_id, session, "cart", f"i{item:02d}", 1.0, None)
                    )
                    rows.append(
                        (
                            seen_at + timedelta(hours=1),
                            user_id,
                            session,
                            "purchase",
                            f"i{item:02d}",
                            1.0,
                            prices[item],
                        )
                    )
    rows.sort(key=lambda row: (row[0], row[1], row[3], row[4]))
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {
            "event_id": [f"e{n:05d}" for n in range(len(rows))],
            "event_at": pa.array(columns[0], TIMESTAMP),
            "user_id": columns[1],
            "session_id": columns[2],
            "event_type": columns[3],
            "item_id": columns[4],
            "quantity": pa.array(columns[5], pa.float64()),
            "price": pa.array(columns[6], pa.float64()),
        }
    )


def write_tiny_shop(folder: Path) -> Path:
    """Write `events.parquet`, `items.parquet` and `users.parquet` into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("events", events()), ("items", items()), ("users", users())):
        pq.write_table(table, folder / f"{name}.parquet")
    return folder
