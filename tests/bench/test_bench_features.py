"""`aisle bench features` at a thousandth of its size: the sides agree, and every figure is there."""

import json
from pathlib import Path

import pytest

from pipelines.cli.main import main
from tests.features.databases import own_redis

MATERIALIZE = [
    *("rows", "rows_per_second", "feast_rows_per_second", "ratio"),
    *("increment_rows", "increment_rows_per_second", "feast_increment_rows_per_second"),
    *("increment_ratio", "seconds"),
]

FIELDS = {
    "point_in_time": [
        *("rows", "seconds", "peak_mb", "feast_duckdb_seconds", "feast_duckdb_peak_mb", "ratio", "equal"),
    ],
    "materialize": MATERIALIZE,
    "online": ["one_row_p50_ms", "one_row_p99_ms", "hundred_rows_p50_ms"],
    "build": ["events", "seconds", "pandas_seconds", "ratio", "equal"],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_sides_give_the_same_values_and_every_figure_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "features", "--scale", "0.002", "--runs", "1", "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert {part: list(figures) for part, figures in told.items()} == FIELDS
    assert told["point_in_time"]["equal"] is True
    assert told["build"]["equal"] is True
    assert (told["point_in_time"]["rows"], told["build"]["events"]) == (2_800, 3_000)
    assert told["materialize"]["rows"] == 7 * 100
    assert 0 < told["materialize"]["increment_rows"] < 7 * 100


@pytest.mark.slow
def test_a_redis_is_filled_as_well_and_left_as_empty_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    with own_redis(tmp_path) as server, server.client() as client:
        code, told = _materialized(capsys, server.url)
        assert code == 0
        written = json.loads(told.out)["materialize"]
        assert list(written) == [*MATERIALIZE, *(f"redis_{name}" for name in MATERIALIZE), "redis_mb"]
        assert written["redis_rows"] == written["rows"] == 7 * 100
        assert written["redis_increment_rows"] == written["increment_rows"]
        assert written["redis_mb"] > 0
        assert client.dbsize() == 0
        client.set("theirs", "1")
        code, told = _materialized(capsys, server.url)
        assert code == 1
        assert "expected an empty Redis" in told.err
        assert client.get("theirs") == b"1"


def _materialized(capsys: pytest.CaptureFixture[str], redis_url: str):
    sizes = ("--scale", "0.002", "--runs", "1", "--only", "materialize")
    with pytest.raises(SystemExit) as ended:
        main(["bench", "features", *sizes, "--redis", redis_url, "--json"])
    return ended.value.code or 0, capsys.readouterr()


def test_a_difference_in_one_value_or_one_row_is_noticed():
    import pyarrow as pa

    from pipelines.bench.features.sides import digest

    table = pa.table({"row": [1, 2, 3], "x": [0.5, None, 2.0], "tags": [["a"], [], None]})
    same = digest(table, "row")
    assert digest(table.take([2, 0, 1]), "row") == same
    assert digest(table.slice(0, 2), "row") != same
    for column, values in (("x", [0.5, 0.0, 2.0]), ("tags", [["a"], [], []]), ("x", [None, 0.5, 2.0])):
        other = table.set_column(table.column_names.index(column), column, [values])
        assert digest(other, "row") != same


def test_a_part_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "features", "--only", "nothing"])
    assert ended.value.code == 2
