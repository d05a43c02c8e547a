"""`aisle bench engines` on shops of a few events: every figure is there, and what does not finish is told."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.bench.engines import growing_shop, measuring
from pipelines.bench.engines.plot import draw_engines
from pipelines.cli.main import main
from pipelines.errors import FeatureError, ProcessError
from pipelines.lake import Lake
from pipelines.runtime.console import Console


def test_a_growing_shop_has_the_events_asked_for_in_visits_of_one_user(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(growing_shop, "PART_EVENTS", 1000)
    growing_shop.write_growing_shop(tmp_path, 2_500)
    events = Lake(tmp_path / "lake").read("events").to_pandas()
    assert len(events) == 2_500 == events["event_id"].nunique()
    assert events["event_at"].min() >= growing_shop.AS_OF - timedelta(days=growing_shop.DAYS)
    assert events["event_at"].max() < growing_shop.AS_OF
    visits = events.groupby("session_id")
    assert (visits["user_id"].nunique() == 1).all()
    assert visits.size().max() == growing_shop.EVENTS_OF_A_VISIT
    assert events.loc[events["event_type"] == "purchase", "price"].notna().all()
    assert events["item_id"].isna().equals(events["event_type"] == "search")
    assert Lake(tmp_path / "lake").read("items").num_rows == 50


@pytest.mark.slow
def test_seconds_memory_and_rows_of_a_build_are_told_and_drawn(tmp_path: Path, capsys):
    plot = tmp_path / "engines.svg"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "engines", "--events", "1000", "--engine", "duckdb", "--plot", str(plot), "--json"])
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    [figure] = told["engines"]["duckdb"]
    assert (figure["events"], figure["rows"] > 1000) == (1000, True)
    assert min(figure["seconds"], figure["cpu_s"]) > 0
    assert 100 < figure["peak_mb"] < 4000
    assert plot.read_text().count("<svg") == 1


def test_an_engine_that_does_not_finish_gets_no_larger_shop(tmp_path: Path, monkeypatch):
    asked: list[tuple[str, Any]] = []

    def run(function: Any, limits: Any, **arguments: Any) -> dict[str, Any]:
        asked.append((arguments.get("engine", "write"), Path(arguments["home"]).name))
        Path(arguments["home"]).mkdir(exist_ok=True)
        if asked[-1] == ("duckdb", "2000"):
            raise FeatureError("out of memory")
        if asked[-1] == ("spark", "1000"):
            raise ProcessError("ran past its limit")
        return {"seconds": 1.0, "cpu_s": 1.5, "peak_mb": 2, "rows": 3}

    monkeypatch.setattr(measuring, "run_isolated", run)
    monkeypatch.setattr(measuring.time, "monotonic", iter(np.arange(0, 900, 30.0)).__next__)
    told = measuring.measure_engines(
        tmp_path, [3000, 1000, 2000, 4000], ["duckdb", "spark"], 30.0, Console(quiet=True)
    )
    assert [one.get("failed") for one in told["engines"]["duckdb"]] == [
        *(None, "out of memory", *["not tried: a smaller one did not finish"] * 2),
    ]
    assert [one.get("failed") for one in told["engines"]["spark"]] == [
        *("not finished in 30 s", *["not tried: a smaller one did not finish"] * 3),
    ]
    assert asked == [
        *(("write", "1000"), ("duckdb", "1000"), ("spark", "1000"), ("write", "2000"), ("duckdb", "2000")),
    ]
    draw_engines(told, tmp_path / "engines.svg")
    assert "Spark" in (tmp_path / "engines.svg").read_text()
