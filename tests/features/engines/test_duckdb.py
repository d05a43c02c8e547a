"""DuckDB as the engine of features: what it may hold, and what is said when that is not enough."""

import pytest

from pipelines.errors import FeatureError
from pipelines.features.engines.duckdb import duckdb_engine
from pipelines.features.engines.select import engine_of
from pipelines.settings import Settings

LIMIT = "SELECT current_setting('memory_limit')"


def test_it_holds_what_the_setting_allows():
    with engine_of(Settings(duckdb_memory="1GiB"))() as engine:
        assert engine.backend.raw_sql(LIMIT).fetchall() == [("1.0 GiB",)]


def test_what_cannot_be_held_or_spilled_names_the_setting():
    with (
        pytest.raises(FeatureError, match=r"AISLE_DUCKDB_MEMORY=64MB.*raise it"),
        duckdb_engine("64MB") as engine,
    ):
        engine.backend.raw_sql("SELECT list(number) FROM range(50000000) AS numbers(number)").fetchall()
