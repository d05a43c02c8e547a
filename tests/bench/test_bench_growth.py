"""`aisle bench growth`: which shops are measured, what is in them, what is told of a part that ends early."""

import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from pipelines.bench.growth import measuring
from pipelines.bench.growth.measuring import kept, measure, sizes, with_shop
from pipelines.bench.growth.names import GROWTH_PARTS
from pipelines.bench.growth.plot import series, write_plot
from pipelines.bench.growth.shop import AS_OF, write_shop
from pipelines.cli.main import main
from pipelines.errors import ProcessError
from pipelines.lake import Lake
from pipelines.runtime import Limits
from pipelines.runtime.console import Console


def shop(events: int, items: int, **parts: Any) -> dict[str, Any]:
    return {"events": events, "items": items, **parts}


def test_events_grow_beside_some_items_and_items_beside_some_events_each_shop_once():
    assert sizes([10, 100], [5, 7], with_events=100, with_items=5) == [(10, 5), (100, 5), (100, 7)]


def test_a_line_holds_the_shops_that_differ_in_what_grows_alone():
    shops = [shop(100, 7), shop(100, 5), shop(10, 5), shop(1_000, 5)]
    assert series(shops, "events") == [shop(10, 5), shop(100, 5), shop(1_000, 5)]
    assert series(shops, "items") == [shop(100, 5), shop(100, 7)]
    assert series([], "items") == []


def test_a_shop_that_is_measured_again_takes_its_own_place(tmp_path: Path):
    assert kept(tmp_path / "growth.json") == []
    shops = with_shop([shop(10, 5, load=1), shop(100, 5)], shop(10, 5, load=2))
    assert shops == [shop(100, 5), shop(10, 5, load=2)]
    (tmp_path / "growth.json").write_text(json.dumps({"shops": shops}))
    assert kept(tmp_path / "growth.json") == shops


def test_a_shop_has_the_events_and_items_that_were_asked_for(tmp_path: Path):
    lake = Lake(tmp_path)
    write_shop(lake, 2_000, 150)
    events, items = lake.read("events"), lake.read("items")
    assert (events.num_rows, items.num_rows) == (2_000, 150)
    assert pc.max(events["event_at"]).as_py() < AS_OF
    assert set(pc.unique(events["item_id"]).to_pylist()) <= set(items["item_id"].to_pylist())
    assert pc.count_distinct(events["user_id"]).as_py() == 100
    bought = pc.equal(events["event_type"], "purchase")
    assert pc.equal(bought, pc.is_valid(events["price"])).to_pylist() == [True] * 2_000


def test_a_part_that_passes_its_limit_is_told_and_those_behind_it_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
):
    asked = []

    def answer(function: Any, limits: Limits, **arguments: Any) -> dict[str, Any]:
        part = function.__name__
        asked.append(part)
        assert limits.seconds == 60
        if part == "sources":
            raise ProcessError("sources ran past its limit of 60 s\nand its last lines")
        return {"seconds": 1.0, "cpu_seconds": 0.5, "peak_mb": 100}

    monkeypatch.setattr(measuring, "run_isolated", answer)
    told = measure((20_000, 300), "short", 60, Console(quiet=True))
    assert asked == ["draw", "features", "training_set", "sources"]
    assert (told["users"], told["training_set"]["peak_mb"]) == (200, 100)
    assert told["sources"] == {"ended": "sources ran past its limit of 60 s"}
    assert set(measure((20_000, 300), "short", 60, Console(quiet=True), until="features")) == {
        *("events", "items", "users", "budget", "features", "load"),
    }


def test_the_picture_has_a_line_for_each_part_that_was_measured(tmp_path: Path):
    figures = {"cpu_seconds": 2.0, "peak_mb": 300.0}
    shops = [
        shop(10, 5, features=figures, sources={"ended": "killed"}),
        shop(100, 5, features=figures, retrieval=figures),
    ]
    write_plot(shops, tmp_path / "growth.svg")
    drawn = (tmp_path / "growth.svg").read_text()
    assert ">features<" in drawn
    assert ">retrieval<" in drawn
    assert ">sources<" not in drawn


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_part_of_a_training_is_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    size = ["--events", "5000", "--with-events", "5000", "--items", "300", "--with-items", "300"]
    with pytest.raises(SystemExit) as ended:
        main(["bench", "growth", *size, "--budget", "short", "--out", str(tmp_path), "--json"])
    assert not ended.value.code
    [told] = json.loads(capsys.readouterr().out)["shops"]
    for part in GROWTH_PARTS:
        assert set(told[part]) == {"seconds", "cpu_seconds", "peak_mb"}, part
    assert (tmp_path / "growth.svg").exists()
