"""The ASOF offline store against a brute-force oracle, whatever the entity rows hold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Array, Float64, Int64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import FeatureError

START = datetime(2024, 1, 1, tzinfo=UTC)
TTL_HOURS = 5
STAMP = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("known_at", STAMP),
        ("created_at", STAMP),
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("tags", pa.list_(pa.string())),
    ]
)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def make_store(folder: Path) -> FeatureStore:
    """Feast with three views over one file: plain, with time to live, with created timestamps."""
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    fields = [
        Field(name="n", dtype=Int64),
        Field(name="x", dtype=Float64),
        Field(name="tags", dtype=Array(String)),
    ]

    def view(name: str, ttl: timedelta, created: str | None = None) -> FeatureView:
        source = FileSource(
            name=f"{name}_source",
            path=str(folder / "rows.parquet"),
            timestamp_field="known_at",
            created_timestamp_column=created,
        )
        schema = [Field(name="user_id", dtype=String), *fields]
        return FeatureView(name=name, entities=[user], ttl=ttl, schema=schema, source=source)

    plain = view("plain", timedelta(0))
    fresh = view("fresh", timedelta(hours=TTL_HOURS))
    corrected = view("corrected", timedelta(0), created="created_at")
    write_rows(folder, [])
    store = FeatureStore(
        config=RepoConfig(
            project="test",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store={
                "type": "pipelines.features.offline_store.store.AsofOfflineStore",
                "lake_root": str(folder),
            },
            coerce_tz_aware=False,  # as in `feature_store.yaml`
            entity_key_serialization_version=3,
        )
    )
    service = FeatureService(name="all_v1", features=[plain[["n"]], fresh[["x"]], corrected[["tags"]]])
    store.apply([user, plain, fresh, corrected, service])
    return store


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "rows.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asof")


@pytest.fixture(scope="module")
def store(folder: Path) -> FeatureStore:
    return make_store(folder)


def newest(
    rows: list[dict[str, Any]], user_id: Any, at: Any, ok: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The oracle: of the user's rows known by `at`, the one known last, and of these the one created last."""
    if user_id is None or pd.isna(at):
        return {}
    known = [row for row in rows if row["user_id"] == user_id and row["known_at"] <= at and ok(row)]
    return max(known, key=lambda row: (row["known_at"], row["created_at"]), default={})


ZONES = (
    UTC,
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("America/New_York"),
    timezone(timedelta(hours=-3, minutes=-30)),
)
USERS = ("anna", "bob", "carl|☃")
feature_rows = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(USERS),
            "known_at": st.integers(0, 20).map(hour),
            "created_at": st.integers(0, 40).map(lambda n: hour(n / 2)),
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(allow_nan=False),
            "tags": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
        }
    ),
    max_size=25,
    unique_by=lambda row: (row["user_id"], row["known_at"], row["created_at"]),
)
one_row_each = st.lists(
    feature_rows.filter(bool).map(lambda rows: rows[0]),
    max_size=12,
    unique_by=lambda row: (row["user_id"], row["known_at"]),
)
entity_rows = st.lists(
    st.tuples(
        st.sampled_from([*USERS, "stranger", "", None]),
        st.none() | st.tuples(st.integers(-30, 300), st.sampled_from(ZONES)),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=40,
)


def entity_frame(rows: list[tuple[Any, Any, int]]) -> pd.DataFrame:
    """Users and instants in several zones, in tenths of an hour, and a column of the caller's own."""
    instants = [None if one is None else hour(one[0] / 10).astimezone(one[1]) for _, one, _ in rows]
    return pd.DataFrame(
        {
            "user_id": pd.Series([user for user, _, _ in rows], dtype=object),
            "event_timestamp": pd.Series(instants, dtype=object),
            "label": [label for _, _, label in rows],
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=one_row_each, entities=entity_rows)
def test_every_row_comes_out_once_in_order_with_what_was_known_then(store, folder, rows, entities):
    write_rows(folder, rows)
    frame = entity_frame(entities)
    answer = store.get_historical_features(frame, ["plain:n", "plain:tags", "fresh:x"]).to_arrow().to_pylist()

    assert [(row["user_id"], row["label"]) for row in answer] == [
        (user, label) for user, _, label in entities
    ]
    for row, at in zip(answer, frame["event_timestamp"], strict=True):
        plain = newest(rows, row["user_id"], at, lambda _: True)
        assert row["event_timestamp"] == (None if pd.isna(at) else at)
        assert (row["n"], row["tags"]) == (plain.get("n"), plain.get("tags"))
        alive = plain if plain and at - plain["known_at"] <= timedelta(hours=TTL_HOURS) else {}
        assert row["x"] == alive.get("x")


@pytest.mark.parametrize("instant", ["soon", "9999-01-01", datetime(9999, 1, 1, tzinfo=UTC), {}])
def test_instants_that_cannot_be_read_are_named_with_their_column(store, instant):
    frame = pd.DataFrame({"user_id": ["a"], "event_timestamp": pd.Series([instant], dtype=object)})
    with pytest.raises(
        FeatureError, match="expected instants of the years 1678 to 2262 in column event_timestamp"
    ):
        store.get_historical_features(frame, ["plain:n"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=feature_rows, entities=entity_rows, before=st.booleans())
def test_of_rows_known_from_one_instant_the_one_created_last_holds(store, folder, rows, entities, before):
    write_rows(folder, rows)
    frame = entity_frame(entities)
    job = store.get_historical_features(
        frame, ["corrected:n", "corrected:tags"], filter_by_created_timestamp=before
    )
    for row, at in zip(job.to_arrow().to_pylist(), frame["event_timestamp"], strict=True):
        held = newest(rows, row["user_id"], at, lambda one, at=at: not before or one["created_at"] <= at)
        assert (row["n"], row["tags"]) == (held.get("n"), held.get("tags"))


ROWS = [
    {"user_id": "anna", "known_at": hour(1), "created_at": hour(1), "n": 1, "x": 0.5, "tags": ["a", "b"]},
    {"user_id": "anna", "known_at": hour(3), "created_at": hour(3), "n": 3, "x": None, "tags": []},
    {"user_id": "7", "known_at": hour(2), "created_at": hour(2), "n": 7, "x": 7.5, "tags": None},
]


def test_a_feature_service_joins_its_views_and_keeps_their_projections(store, folder):
    write_rows(folder, ROWS)
    frame = pd.DataFrame({"user_id": ["anna"], "event_timestamp": [hour(2)]})
    answer = store.get_historical_features(frame, store.get_feature_service("all_v1")).to_arrow()
    assert answer.column_names == ["user_id", "event_timestamp", "n", "x", "tags"]
    assert answer.to_pylist()[0] | {"event_timestamp": None} == {
        **{"user_id": "anna", "event_timestamp": None},
        **{"n": 1, "x": 0.5, "tags": ["a", "b"]},
    }


def test_a_value_known_from_the_very_instant_counts_and_one_of_a_microsecond_later_does_not(store, folder):
    write_rows(folder, ROWS)
    instants = [hour(3) - timedelta(microseconds=1), hour(3)]
    frame = pd.DataFrame({"user_id": ["anna", "anna"], "event_timestamp": instants})
    assert store.get_historical_features(frame, ["plain:n"]).to_arrow()["n"].to_pylist() == [1, 3]


def test_a_value_lives_exactly_as_long_as_its_time_to_live(store, folder):
    write_rows(folder, ROWS)
    ends = hour(2 + TTL_HOURS)
    frame = pd.DataFrame({"user_id": ["7", "7"], "event_timestamp": [ends, ends + timedelta(microseconds=1)]})
    assert store.get_historical_features(frame, ["fresh:x"]).to_arrow()["x"].to_pylist() == [7.5, None]


def test_integer_keys_find_the_keys_that_the_lake_holds_as_strings(store, folder):
    write_rows(folder, ROWS)
    for keys in (pd.Series([7, 8]), pd.Series([7, None])):
        frame = pd.DataFrame({"user_id": keys, "event_timestamp": [hour(5)] * 2})
        assert store.get_historical_features(frame, ["plain:n"]).to_arrow()["n"].to_pylist() == [7, None]


def test_two_roles_of_one_entity_are_joined_by_their_own_columns(store, folder):
    write_rows(folder, ROWS)
    view = store.get_feature_view("plain")
    giver = view.with_name("giver").with_join_key_map({"user_id": "giver_id"})
    taker = view.with_name("taker").with_join_key_map({"user_id": "taker_id"})
    service = FeatureService(name="gifts_v1", features=[giver[["n"]], taker[["n"]]])
    store.apply([service])
    frame = pd.DataFrame({"giver_id": ["anna"], "taker_id": ["7"], "event_timestamp": [hour(9)]})
    answer = store.get_historical_features(frame, service, full_feature_names=True).to_arrow().to_pylist()[0]
    assert (answer["giver__n"], answer["taker__n"]) == (3, 7)


def test_naive_instants_are_utc(store, folder):
    write_rows(folder, ROWS)
    frame = pd.DataFrame({"user_id": ["anna"], "event_timestamp": [datetime(2024, 1, 1, 2)]})  # noqa: DTZ001
    assert store.get_historical_features(frame, ["plain:n"]).to_arrow()["n"].to_pylist() == [1]


@pytest.mark.parametrize(("user", "later"), [("anna", "bob"), (7, 8)])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_a_frame_that_changes_later_does_not_change_what_was_asked(store, folder, zone, user, later):
    write_rows(folder, ROWS)
    instants = pd.Series(pd.to_datetime(["2024-01-01T02:00:00"])).dt.tz_localize(zone).dt.as_unit("us")
    frame = pd.DataFrame({"user_id": [user], "event_timestamp": instants, "label": [1], "weight": [0.5]})
    frame["kind"] = pd.Series(["a"], dtype="category")
    expected = store.get_historical_features(frame, ["plain:n"]).to_arrow().to_pylist()
    job = store.get_historical_features(frame, ["plain:n"])
    frame["event_timestamp"].array._ndarray[:] = np.datetime64("2020-01-01", "us")
    frame["label"].to_numpy()[:] = 9
    frame["weight"].to_numpy()[:] = 9
    frame["user_id"].to_numpy()[:] = later
    assert frame.loc[0, ["user_id", "label"]].tolist() == [later, 9]
    assert job.to_arrow().to_pylist() == expected


def test_columns_come_in_the_order_in_which_they_were_asked_for(store, folder):
    """Lists are read first."""
    write_rows(folder, ROWS)
    frame = pd.DataFrame({"user_id": ["anna"], "event_timestamp": [hour(2)], "label": [1]})
    refs = ["plain:n", "plain:tags", "plain:x", "fresh:x", "fresh:tags"]
    answer = store.get_historical_features(frame, refs, full_feature_names=True).to_arrow()
    features = [ref.replace(":", "__") for ref in refs]
    assert answer.column_names == ["user_id", "event_timestamp", "label", *features]


def test_instants_written_as_text_are_read(store, folder):
    write_rows(folder, ROWS)
    texts = ["2024-01-01T02:00:00Z", "2024-01-01T08:30:00+05:30"]
    frame = pd.DataFrame({"user_id": ["anna", "anna"], "event_timestamp": texts})
    assert store.get_historical_features(frame, ["plain:n"]).to_arrow()["n"].to_pylist() == [1, 3]


def test_an_answer_can_be_a_data_frame_or_a_saved_file(store, folder, tmp_path):
    write_rows(folder, ROWS)
    frame = pd.DataFrame({"user_id": ["anna", "bob"], "event_timestamp": [hour(2)] * 2})
    job = store.get_historical_features(frame, ["plain:n"])
    assert job.to_df()["n"].tolist()[0] == 1
    job.persist(SavedDatasetFileStorage(str(tmp_path / "saved.parquet")))
    assert pq.read_table(tmp_path / "saved.parquet")["n"].to_pylist() == [1, None]
    assert "ASOF" in job.to_sql()


def test_an_empty_frame_gives_an_empty_answer(store, folder):
    write_rows(folder, ROWS)
    frame = pd.DataFrame(
        {"user_id": pd.Series([], dtype=object), "event_timestamp": pd.to_datetime([], utc=True)}
    )
    answer = store.get_historical_features(frame, ["plain:n"]).to_arrow()
    assert (answer.num_rows, answer.column_names) == (0, ["user_id", "event_timestamp", "n"])


def test_what_cannot_be_joined_is_said_plainly(store, folder):
    write_rows(folder, ROWS)
    with pytest.raises(FeatureError, match="add \\['user_id'\\]"):
        store.get_historical_features(pd.DataFrame({"event_timestamp": [hour(1)]}), ["plain:n"])
    with pytest.raises(FeatureError, match="expected a data frame of entity rows"):
        store.get_historical_features("SELECT 1", ["plain:n"])


def test_feast_own_default_store_still_loses_rows(store, folder, tmp_path):
    """The reason for this store. When it fails, Feast has mended its own: see issue 6787 there."""
    write_rows(folder, ROWS)
    config = store.config.model_copy(deep=True)
    theirs = FeatureStore(
        config=RepoConfig(
            project="test",
            provider="local",
            registry=config.registry.path,
            online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
            offline_store={"type": "dask"},
            entity_key_serialization_version=3,
        )
    )
    instants = [hour(2), hour(2), hour(0), hour(30)]
    frame = pd.DataFrame({"user_id": ["anna", "anna", "anna", "7"], "event_timestamp": instants})
    assert len(theirs.get_historical_features(frame.copy(), ["fresh:x"]).to_df()) < len(frame)
    assert len(store.get_historical_features(frame, ["fresh:x"]).to_df()) == len(frame)
