"""Features on the tiny shop: counted by brute force, blind to the future, the same at every build."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.build import build_features
from pipelines.features.registry.declarations import declared_views, lake_table_of
from pipelines.features.transforms.config import FeatureConfig
from pipelines.lake import Lake, open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF

INSTANTS = 120
"""Pairs of a key and an instant that are compared with brute force."""


@pytest.fixture(scope="module")
def events(ingested_home: Settings) -> pd.DataFrame:
    frame = open_lake(ingested_home).read("events").to_pandas()
    return frame.sort_values(["event_at", "event_id"], ascending=False, ignore_index=True)


def entity_frame(events: pd.DataFrame, key: str) -> pd.DataFrame:
    """Keys at random instants of the last ninety days, some of them midnights, and a key that nobody has."""
    random = np.random.default_rng(7)
    keys = random.choice([*sorted(events[key].dropna().unique()), "nobody"], size=INSTANTS)
    hours = random.integers(0, 90 * 24, size=INSTANTS)
    hours[::3] = hours[::3] // 24 * 24
    return pd.DataFrame({key: keys, "event_timestamp": [AS_OF - timedelta(hours=int(one)) for one in hours]})


def whole_days_before(events: pd.DataFrame, instant: datetime) -> pd.DataFrame:
    """Events of the days that were over at an instant, with their age in whole days, 0 for yesterday."""
    midnight = pd.Timestamp(instant).floor("D")
    known = events[events["event_at"] < midnight]
    return known.assign(age=(midnight - known["event_at"].dt.floor("D")).dt.days - 1)


def test_user_activity_is_what_brute_force_counts(built_home: Settings, events: pd.DataFrame):
    frame = entity_frame(events, "user_id")
    rows = store.historical(built_home, frame, "retrieval_v1").to_pylist()
    known_any = 0
    for row in rows:
        known = whole_days_before(events[events["user_id"] == row["user_id"]], row["event_timestamp"])
        if known.empty:
            assert row["views_30d"] is None
            continue
        known_any += 1
        for days in (1, 7, 30):
            window = known[known["age"] < days]
            for name, kind in (("views", "view"), ("carts", "cart"), ("purchases", "purchase")):
                assert row[f"{name}_{days}d"] == (window["event_type"] == kind).sum(), (
                    row["user_id"],
                    name,
                    days,
                )
        month = known[known["age"] < 30]
        bought = month[month["event_type"] == "purchase"]
        assert row["distinct_items_30d"] == bought["item_id"].nunique()
        assert row["active_days_30d"] == month["age"].nunique()
        spend = (bought["price"] * bought["quantity"].fillna(1)).sum()
        assert row["spend_30d"] == pytest.approx(spend)
    assert known_any > INSTANTS / 2


def test_item_activity_is_what_brute_force_counts(built_home: Settings, events: pd.DataFrame):
    frame = entity_frame(events, "item_id")
    rows = store.historical(built_home, frame, "ranking_v1").to_pylist()
    known_any = 0
    for row in rows:
        known = whole_days_before(events[events["item_id"] == row["item_id"]], row["event_timestamp"])
        if known.empty:
            assert row["purchases_30d"] is None
            continue
        known_any += 1
        month = known[known["age"] < 30]
        sold = month[month["event_type"] == "purchase"]
        assert row["purchases_30d"] == len(sold)
        assert row["buyers_30d"] == sold["user_id"].nunique()
        views = (month["event_type"] == "view").sum()
        assert row["conversion_30d"] == (pytest.approx(len(sold) / views) if views else None)
        ever = known[known["event_type"] == "purchase"]
        days_of_buyers = ever.groupby("user_id")["age"].nunique()
        assert row["buyers_total"] == len(days_of_buyers)
        assert row["repeat_rate"] == (pytest.approx((days_of_buyers > 1).mean()) if len(ever) else None)
    assert known_any > INSTANTS / 2


def test_a_history_is_what_the_user_did_until_the_last_midnight(built_home: Settings, events: pd.DataFrame):
    frame = entity_frame(events, "user_id")
    for row in store.historical(built_home, frame, "retrieval_v1").to_pylist():
        known = whole_days_before(events[events["user_id"] == row["user_id"]], row["event_timestamp"])
        known = known[
            known["event_type"].isin(["view", "cart", "purchase", "rating"]) & known["item_id"].notna()
        ]
        assert (row["item_ids"] or []) == known["item_id"].tolist()[:512]
        assert (row["event_types"] or []) == known["event_type"].tolist()[:512]


def tables(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for name, view in declared_views().items():
        key = view.entity_columns[0].name
        rows = lake.read(lake_table_of(view)).sort_by([(key, "ascending"), ("known_at", "ascending")])
        found[name] = rows.to_pylist()
    return found


def copied_lake(ingested_home: Settings, root: Path) -> Lake:
    shop, lake = open_lake(ingested_home), Lake(root)
    for table in ("events", "items", "users"):
        lake.replace(table, shop.read(table))
    return lake


def test_what_happens_at_or_after_as_of_changes_nothing(
    ingested_home: Settings, built_home: Settings, tmp_path: Path
):
    lake = copied_lake(ingested_home, tmp_path)
    shop = lake.read("events")
    future = shop.filter(pc.greater_equal(shop["event_at"], pa.scalar(AS_OF, shop["event_at"].type)))
    assert future.num_rows > 100
    past = shop.filter(pc.less(shop["event_at"], pa.scalar(AS_OF, shop["event_at"].type)))
    moved = pa.array([AS_OF] * 50, shop["event_at"].type)  # at the very instant
    noise = past.slice(0, 50)
    noise = noise.set_column(noise.column_names.index("event_at"), shop.schema.field("event_at"), moved)
    noise = noise.set_column(0, shop.schema.field("event_id"), pa.array([f"noise-{n}" for n in range(50)]))
    lake.replace("events", pa.concat_tables([past, noise]))
    for table in ("items", "users"):
        rows = lake.read(table)
        later = pa.array([AS_OF] * rows.num_rows, rows["updated_at"].type)
        changed = rows.set_column(
            rows.column_names.index("updated_at"), rows.schema.field("updated_at"), later
        )
        lake.replace(table, pa.concat_tables([rows, changed]))

    build_features(lake, AS_OF)
    assert tables(lake) == tables(open_lake(built_home))


def test_building_again_gives_the_same_rows_whatever_the_zone_of_the_machine(
    ingested_home: Settings, built_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lake = copied_lake(ingested_home, tmp_path)
    try:
        for zone in (
            "Asia/Kolkata",
            "America/New_York",
        ):  # half an hour off; a change to summer time in March
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            report = build_features(lake, AS_OF)
            assert tables(lake) == tables(open_lake(built_home))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert report.rows == sum(map(len, tables(lake).values()))


def test_what_was_known_then_is_the_same_when_more_is_known(
    ingested_home: Settings, built_home: Settings, tmp_path: Path
):
    later = Settings(home=tmp_path, lake_uri=str(tmp_path / "lake"))
    copied_lake(ingested_home, tmp_path / "lake")
    build_features(open_lake(later), AS_OF + timedelta(days=9))
    store.apply(later)
    lake = open_lake(ingested_home)
    users = sorted(set(lake.read("events", ["user_id"])["user_id"].to_pylist()))
    instants = [AS_OF - timedelta(days=days, hours=days % 24) for days in range(0, 60, 7)]
    frame = pd.DataFrame(
        {
            "user_id": users * len(instants),
            "event_timestamp": np.repeat(np.array(instants, dtype=object), len(users)),
        }
    )
    assert store.historical(later, frame, "retrieval_v1").equals(
        store.historical(built_home, frame, "retrieval_v1")
    )


def test_a_late_event_is_counted_by_the_next_build_on_the_day_on_which_it_happened(
    ingested_home: Settings, built_home: Settings, tmp_path: Path
):
    def views(lake: Lake, day: datetime) -> int | None:
        rows = lake.read("features_user_activity").to_pylist()
        found = [row for row in rows if row["user_id"] == "u57" and row["known_at"] <= day]
        return max(found, key=lambda row: row["known_at"])["views_7d"] if found else None

    happened = AS_OF - timedelta(days=20)
    assert views(open_lake(built_home), happened + timedelta(days=2)) is None  # a user who never acted
    lake = copied_lake(ingested_home, tmp_path)
    late = lake.read("events").slice(0, 1).to_pylist()[0] | {
        **{"event_id": "late-1", "user_id": "u57", "event_type": "view", "event_at": happened},
        **{"event_on": happened.date(), "item_id": "i01"},
    }
    lake.append_new("events", pa.Table.from_pylist([late], lake.read("events").schema))
    build_features(lake, AS_OF)
    assert views(lake, happened) is None
    assert views(lake, happened + timedelta(days=2)) == 1
    assert views(lake, happened + timedelta(days=9)) == 0


def test_instants_before_the_kept_span_are_refused(built_home: Settings):
    early = pd.DataFrame({"user_id": ["u01"], "event_timestamp": [AS_OF - timedelta(days=151)]})
    with pytest.raises(FeatureError, match="build features with more span days"):
        store.historical(built_home, early, "retrieval_v1")


def test_a_service_that_is_not_applied_is_named(built_home: Settings):
    frame = pd.DataFrame({"user_id": ["u01"], "event_timestamp": [AS_OF]})
    with pytest.raises(FeatureError, match="'retrieval_v9'"):
        store.historical(built_home, frame, "retrieval_v9")
    with pytest.raises(FeatureError, match="expected a column event_timestamp"):
        store.historical(built_home, frame[["user_id"]], "retrieval_v1")


def test_views_can_be_left_out_of_a_service(built_home: Settings):
    frame = pd.DataFrame({"user_id": ["u01"], "event_timestamp": [AS_OF]})
    names = store.historical(built_home, frame, "retrieval_v1", without=["user_history"]).column_names
    assert "item_ids" not in names
    assert {"views_1d", "gender"} <= set(names)


def test_by_default_features_are_built_to_just_after_the_newest_event(
    ingested_home: Settings, tmp_path: Path
):
    lake = copied_lake(ingested_home, tmp_path)
    report = build_features(lake, config=FeatureConfig(span_days=20))
    newest = pc.max(lake.read("events", ["event_at"])["event_at"]).as_py()
    assert newest < report.as_of <= newest + timedelta(seconds=1)
    assert report.as_of.microsecond == 0
    assert report.rows == sum(report.tables.values()) > 0
    assert set(report.tables) == set(declared_views())


def test_nothing_to_build_from_is_said_plainly(tmp_path: Path):
    with pytest.raises(FeatureError, match="aisle ingest"):
        build_features(Lake(tmp_path))


def test_instants_are_kept_in_microseconds_utc(built_home: Settings):
    lake = open_lake(built_home)
    for view in declared_views().values():
        assert lake.dataset(lake_table_of(view)).schema.field("known_at").type == pa.timestamp("us", tz="UTC")


def test_a_lake_in_an_object_store_is_joined_through_arrow(
    built_home: Settings, monkeypatch: pytest.MonkeyPatch
):
    from pipelines.features.offline_store import sources

    frame = pd.DataFrame(
        {"user_id": ["u01", "nobody", "u05"], "event_timestamp": [AS_OF, AS_OF, AS_OF - timedelta(days=9)]}
    )
    expected = store.historical(built_home, frame, "retrieval_v1")
    monkeypatch.setattr(sources, "is_remote", lambda _: True)
    assert store.historical(built_home, frame, "retrieval_v1").equals(expected)


def test_ages_are_seconds_since_the_values_were_known(built_home: Settings):
    # The history's running day was known at the cutoff itself; nothing was known of a stranger.
    at = AS_OF + timedelta(seconds=90)
    frame = pd.DataFrame({"user_id": ["u05", "nobody"], "event_timestamp": [at, at]})
    answer = store.historical(built_home, frame, "retrieval_v1", with_ages=True)
    profile_known = [
        row["known_at"]
        for row in open_lake(built_home).read("features_user_profile").to_pylist()
        if row["user_id"] == "u05"
    ]
    assert answer["user_profile__age_s"].to_pylist() == [int((at - max(profile_known)).total_seconds()), None]
    assert answer.column_names[-3:] == [
        "user_activity__age_s",
        "user_history__age_s",
        "user_profile__age_s",
    ]
