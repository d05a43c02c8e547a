"""Features of users are computed for a part of them at a time, so that memory has a bound."""

from datetime import timedelta
from functools import partial

import duckdb
import pyarrow as pa
import pytest
from ibis.common.exceptions import IbisError

from pipelines.errors import FeatureError
from pipelines.features import build
from pipelines.features.build import build_features, user_tables
from pipelines.features.engines.duckdb import duckdb_engine
from pipelines.features.registry.declarations import declared_views, lake_table_of
from pipelines.features.transforms.config import FeatureConfig
from tests.features.small_shop import at, event, write_shop

USERS, VISITS = 23, 4


def _shop(root):
    start = at("2024-01-01T08:00")
    kinds = ("view", "cart", "purchase")
    events = [
        event(
            f"user-{user}",
            (start + timedelta(days=user % 5 + 3 * visit, minutes=step)).replace(tzinfo=None).isoformat(),
            kinds[step],
            f"item-{(user * 7 + visit * step) % 11}",
            price=2.5,
            quantity=1.0,
        )
        for user in range(USERS)
        for visit in range(VISITS)
        for step in range(3)
    ]
    items = [{"item_id": f"item-{n}", "category": f"A > {n % 3}", "brand": f"b{n % 4}"} for n in range(11)]
    return write_shop(root, events, items, [{"user_id": f"user-{user}"} for user in range(USERS)])


def _tables(lake, names):
    views = declared_views()
    tables = {name: lake.read(lake_table_of(views[name])) for name in names}
    return {
        name: table.sort_by([(table.column_names[0], "ascending"), ("known_at", "ascending")])
        for name, table in tables.items()
    }


def test_every_table_is_the_same_in_one_part_and_in_many(tmp_path):
    names = [*user_tables(FeatureConfig()), "item_activity", "item_pairs"]
    lake = _shop(tmp_path)
    whole = build_features(lake)
    expected = _tables(lake, names)
    parted = build_features(lake, connect=partial(duckdb_engine, events_at_once=40))
    assert parted.tables == whole.tables
    assert parted.tables["user_profile"] == USERS
    for name, table in _tables(lake, names).items():
        assert table.equals(expected[name]), name


def test_there_are_as_many_parts_as_bound_the_events_of_one():
    with duckdb_engine(events_at_once=100) as engine:
        assert [engine.parts(events) for events in (0, 100, 101, 1_000)] == [1, 1, 2, 10]


def test_what_is_kept_for_one_part_is_gone_before_the_next():
    with duckdb_engine() as engine:
        before = engine.keep(engine.given(pa.table({"a": [1]})))
        with engine.passing():
            engine.keep(engine.given(pa.table({"a": [2]})))
            assert len(_kept(engine)) == 2
        assert len(_kept(engine)) == 1
        assert before.to_pyarrow()["a"].to_pylist() == [1]


def _kept(engine):
    return [name for (name,) in engine.backend.raw_sql("SELECT table_name FROM duckdb_tables()").fetchall()]


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException("out of memory"), IbisError("no such column")])
def test_what_fails_while_rows_are_being_written_is_told_as_it_is(tmp_path, monkeypatch, error):
    def fail(shop, **choices):
        raise error

    lake = _shop(tmp_path)
    monkeypatch.setattr(build, "user_history", fail)
    with pytest.raises(FeatureError, match=r"AISLE_DUCKDB_MEMORY|could not be computed: no such column"):
        build_features(lake)
    assert not lake.exists("features_user_history")
