"""User activity and user history in pandas: the same logic as `pipelines.features`, as a peer writes it.

Vectorised like ours: daily sums, signed changes that enter and leave windows, running totals.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MICRO = 1_000_000
DAY_US = 86_400_000_000
WINDOWS = (1, 7, 30)
LAST = ("last_day", "last_purchase_day", "last_at_s")
FIRST = ("first_day", "first_purchase_day")


def read_events(files: Sequence[str], as_of_us: int) -> pd.DataFrame:
    """Events before the cutoff, with day numbers and amounts in millionths."""
    columns = [
        *("event_id", "event_at", "user_id", "session_id", "event_type", "item_id"),
        *("quantity", "price", "discount"),
    ]
    events = pd.concat([pd.read_parquet(Path(file), columns=columns) for file in files], ignore_index=True)
    micros = events["event_at"].dt.as_unit("us").astype("int64")
    events = events.assign(micros=micros).loc[micros < as_of_us]
    bought = events["event_type"] == "purchase"
    quantity = events["quantity"].fillna(1.0)
    day = events["micros"] // DAY_US

    def millionths(counts: pd.Series, amount: pd.Series) -> pd.Series:
        return (amount * MICRO).round().where(counts).fillna(0).astype("int64")

    known: pd.DataFrame = events.assign(
        day=day,
        at_s=events["micros"] // MICRO,
        spend=millionths(bought, events["price"] * quantity),
        discounted=millionths(bought, events["discount"] * quantity),
        units=millionths(bought & events["price"].notna(), quantity),
        visit=events["session_id"].fillna("day-" + day.astype(str)),
    )
    return known


def user_activity(events: pd.DataFrame, from_day: int, until_day: int) -> pd.DataFrame:
    """The table `user_activity`, in the columns of ours."""
    actions = events[events["event_type"] != "impression"]
    of_type = {"views": "view", "carts": "cart", "purchases": "purchase", "searches": "search"}
    actions = actions.assign(
        **{name: (actions["event_type"] == kind).astype("int64") for name, kind in of_type.items()}, actions=1
    )
    sums = [*of_type, "actions", "spend", "units", "discounted"]
    daily = actions.groupby(["user_id", "day"], as_index=False)[sums].sum()
    daily = daily.assign(active_days=1, purchase_days=(daily["purchases"] > 0).astype("int64"))
    windows: dict[str, Sequence[int]] = {
        **dict.fromkeys(("views", "carts", "purchases"), WINDOWS),
        **{"searches": (30,), "actions": (7, 30), "active_days": (30,), "spend": (7, 30)},
        **{"units": (30,), "discounted": (30,)},
    }
    pairs = _purchase_days(actions)
    changes = [
        *_changes(daily, windows),
        *_changes(_visits(actions), {"sessions": (30,), "baskets": (30,)}),
        *_changes(pairs, {"bought": (30,), "bought_again": (30,)}),
        *_distinct(pairs, from_day),
        _after(daily, {f"{name}_total": daily[name] for name in ("spend", "units", "purchase_days")}),
        _marks(actions),
    ]
    every = pd.concat(changes, ignore_index=True)
    every = every[every["day"] <= until_day]
    every["day"] = every["day"].clip(lower=from_day)
    by_day = every.groupby(["user_id", "day"])
    added = [name for name in every.columns if name not in ("user_id", "day", *LAST, *FIRST)]
    totals = by_day[added].sum().groupby("user_id").cumsum()
    last = by_day[list(LAST)].max().groupby("user_id").cummax().groupby("user_id").ffill()
    first = by_day[list(FIRST)].min().groupby("user_id").cummin().groupby("user_id").ffill()
    return _features(pd.concat([totals, last, first], axis=1).reset_index())


def _features(t: pd.DataFrame) -> pd.DataFrame:
    def ratio(above: pd.Series, below: pd.Series) -> pd.Series:
        return above / below.where(below != 0)

    counts = [f"{name}_{days}d" for name in ("views", "carts", "purchases") for days in WINDOWS]
    counts += ["searches_30d", "sessions_30d", "active_days_30d", "distinct_items_30d"]
    return pd.DataFrame(
        {
            "user_id": t["user_id"],
            "known_at": pd.to_datetime(t["day"] * 86_400, unit="s", utc=True),
            **{name: t[name].astype("int64") for name in counts},
            "spend_7d": t["spend_7d"] / MICRO,
            "spend_30d": t["spend_30d"] / MICRO,
            "mean_basket_value_30d": ratio(t["spend_30d"], t["baskets_30d"]) / MICRO,
            "mean_basket_items_30d": ratio(t["purchases_30d"], t["baskets_30d"]),
            "mean_price_30d": ratio(t["spend_30d"], t["units_30d"]),
            "mean_price": ratio(t["spend_total"], t["units_total"]),
            "discount_share_30d": ratio(t["discounted_30d"], t["spend_30d"] + t["discounted_30d"]),
            "repeat_share_30d": ratio(t["bought_again_30d"], t["bought_30d"]),
            "trend_7_30": ratio(t["actions_7d"] * 30, t["actions_30d"] * 7),
            "purchase_gap_days": ratio(
                t["last_purchase_day"] - t["first_purchase_day"], t["purchase_days_total"] - 1
            ),
            "recency_days": (t["day"] - t["last_day"]).astype("int64"),
            "tenure_days": (t["day"] - t["first_day"]).astype("int64"),
            "last_event_at_s": t["last_at_s"].astype("int64"),
        }
    )


def user_history(events: pd.DataFrame, length: int) -> pd.DataFrame:
    """The table `user_history`, in the columns of ours, for a span that holds all events."""
    kinds = ["view", "cart", "purchase", "rating"]
    events = events[events["event_type"].isin(kinds) & events["item_id"].notna()]
    events = events.sort_values(["user_id", "micros", "event_id"], ascending=[True, False, False])
    of_user = events.groupby("user_id", sort=False)
    ends = of_user.size().cumsum()
    days = events.groupby(["user_id", "day"]).size().groupby("user_id").cumsum().reset_index(name="n_known")
    until = days["user_id"].map(ends)
    start = (until - days["n_known"]).to_numpy()
    stop = np.minimum(start + length, until.to_numpy())
    spans = list(zip(start, stop, strict=True))

    def lists(name: str) -> list[Any]:
        values = events[name].to_numpy()
        return [values[low:high] for low, high in spans]

    return pd.DataFrame(
        {
            "user_id": days["user_id"],
            "known_at": pd.to_datetime((days["day"] + 1) * 86_400, unit="s", utc=True),
            "item_ids": lists("item_id"),
            "event_types": lists("event_type"),
            "event_times": lists("at_s"),
        }
    )


def _after(days: pd.DataFrame, values: dict[str, pd.Series], later: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"user_id": days["user_id"], "day": days["day"] + 1 + later, **values})


def _changes(days: pd.DataFrame, windows: dict[str, Sequence[int]]) -> list[pd.DataFrame]:
    entering = {f"{name}_{w}d": days[name] for name, of in windows.items() for w in of}
    tables = [_after(days, entering)]
    for w in sorted({w for of in windows.values() for w in of}):
        leaving = {f"{name}_{w}d": -days[name] for name, of in windows.items() if w in of}
        tables.append(_after(days, leaving, later=w))
    return tables


def _purchase_days(actions: pd.DataFrame) -> pd.DataFrame:
    bought = actions[(actions["event_type"] == "purchase") & actions["item_id"].notna()]
    pairs = bought[["user_id", "item_id", "day"]].drop_duplicates().sort_values(["user_id", "item_id", "day"])
    of_pair = pairs.groupby(["user_id", "item_id"])["day"]
    again = of_pair.shift(1).notna().astype("int64")
    return pairs.assign(next_day=of_pair.shift(-1), bought=1, bought_again=again)


def _distinct(pairs: pd.DataFrame, from_day: int) -> list[pd.DataFrame]:
    leaves = np.minimum(pairs["day"] + 31, pairs["next_day"].fillna(pairs["day"] + 30) + 1).astype("int64")
    stays = pairs.assign(leaves=leaves)[leaves > from_day]
    enter = _after(stays, {"distinct_items_30d": stays["bought"]})
    leave = pd.DataFrame(
        {"user_id": stays["user_id"], "day": stays["leaves"], "distinct_items_30d": -stays["bought"]}
    )
    return [enter, leave]


def _visits(actions: pd.DataFrame) -> pd.DataFrame:
    keys = ["user_id", "visit"]
    began = actions.groupby(keys, as_index=False)["day"].min().assign(sessions=1, baskets=0)
    bought = actions[actions["event_type"] == "purchase"].groupby(keys, as_index=False)["day"].min()
    both: pd.DataFrame = pd.concat([began, bought.assign(sessions=0, baskets=1)], ignore_index=True)
    return both


def _marks(actions: pd.DataFrame) -> pd.DataFrame:
    days = actions.assign(bought_on=actions["day"].where(actions["event_type"] == "purchase"))
    days = days.groupby(["user_id", "day"], as_index=False).agg(
        last_at_s=("at_s", "max"), bought_on=("bought_on", "min")
    )
    marks = {
        "last_day": days["day"],
        "first_day": days["day"],
        "last_purchase_day": days["bought_on"],
        "first_purchase_day": days["bought_on"],
        "last_at_s": days["last_at_s"],
    }
    return _after(days, marks)
