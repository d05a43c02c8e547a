"""The catalogue: complete for every feature, and true to what is declared and stored."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from feast import FeatureView

from feature_repo import repository
from pipelines.cli.main import main
from pipelines.errors import FeatureError, WrongUsageError
from pipelines.features.catalog.catalog import catalogue, find_entry
from pipelines.features.catalog.distribution import Bar, distribution, distribution_of, drawn
from pipelines.lake import open_lake
from pipelines.settings import Settings
from tests.features.conftest import AS_OF

ENTRIES = catalogue()
AT = datetime(2024, 5, 1, tzinfo=UTC)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["features", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_every_declared_feature_is_in_it_once():
    declared = [
        f"{view.name}:{feature.name}"
        for view in vars(repository).values()
        if isinstance(view, FeatureView)
        for feature in view.features
    ]
    assert len(declared) > 80
    assert sorted(one.reference for one in ENTRIES) == sorted(declared)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.reference)
def test_nothing_is_left_unsaid_of_any_feature(entry):
    said = entry.model_dump(exclude={"services", "releases", "online", "budget_hours"})
    assert {name: value for name, value in said.items() if not str(value).strip()} == {}
    assert 0 < entry.budget_hours <= 24 * 8
    assert entry.services or entry.view == "user_category"  # the one view that is for analysis alone


def test_an_entry_says_what_is_declared():
    entry = find_entry(ENTRIES, "user_activity:mean_basket_value_30d")
    assert entry.meaning == "Money spent for each basket begun in the last 30 whole days."
    assert (entry.unit, entry.window) == ("shop currency", "30 days")
    assert entry.null == "no purchase in the window"
    assert entry.source.startswith("features_user_activity: ")
    assert (entry.entity, entry.type, entry.online) == ("user_id", "Float64", True)
    assert (entry.freshness, entry.budget_hours) == ("1 day", 36)
    assert entry.services == ("retrieval_v1", "shared_v1")


def test_the_window_of_a_name_is_the_one_it_names():
    windows = {one.name: one.window for one in ENTRIES}
    assert windows["views_1d"] == "1 day"
    assert windows["spend_7d"] == "7 days"
    assert windows["purchases_total"] == "all time"
    assert windows["trend_7_30"] == "7 and 30 days"
    assert windows["title"] == "none"


def test_releases_are_named_where_they_read_a_service_with_the_feature():
    entries = catalogue({"champion 7": ["retrieval_v1", "ranking_v1"], "candidate 8": ["ranking_v1"]})
    assert find_entry(entries, "user_activity:spend_30d").releases == ("champion 7",)
    assert find_entry(entries, "item_profile:price").releases == ("champion 7", "candidate 8")
    assert find_entry(entries, "item_profile:title").releases == ()  # no model reads words


def test_a_name_in_several_views_or_none_says_which_there_are():
    with pytest.raises(WrongUsageError, match=r"item_activity:mean_price, user_activity:mean_price"):
        find_entry(ENTRIES, "mean_price")
    with pytest.raises(FeatureError, match=r"user_activity:spend_7d"):
        find_entry(ENTRIES, "spend")


def test_numbers_are_counted_in_ten_ranges():
    spread = distribution_of(pa.array([0.0, 1.0, 9.9, 10.0, 20.0, None]), AS_OF)
    assert (spread.entities, spread.null_share, spread.what) == (6, 1 / 6, "values")
    assert spread.quantiles == {
        "min": 0.0,
        "q25": 1.0,
        "median": 9.9,
        "q75": 10.0,
        "max": 20.0,
        "mean": pytest.approx(8.18),
    }
    assert [bar.count for bar in spread.bars] == [2, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    assert spread.bars[0].label == "0 … 2"


def test_few_whole_numbers_have_a_bar_each_and_lists_are_counted_by_length():
    assert distribution_of(pa.array([2, 4, 4, None]), AS_OF).bars == (
        Bar(label="2", count=1),
        Bar(label="3", count=0),
        Bar(label="4", count=2),
    )
    spread = distribution_of(pa.array([["a"], ["b", "c"], [], None]), AS_OF)
    assert (spread.what, spread.null_share) == ("lengths", 0.25)
    assert [(bar.label, bar.count) for bar in spread.bars] == [("0", 1), ("1", 1), ("2", 1)]


def test_words_are_counted_by_value_the_commonest_first():
    words = ["x", "y", "x", *"abcdefghijk"]
    spread = distribution_of(pa.array(words), AS_OF)
    assert spread.quantiles == {}
    assert [(bar.label, bar.count) for bar in spread.bars[:3]] == [("x", 2), ("a", 1), ("b", 1)]
    assert spread.bars[-1] == Bar(label="3 other values", count=3)
    assert sum(bar.count for bar in spread.bars) == len(words)


def test_nothing_at_all_has_no_bars():
    empty = distribution_of(pa.array([], pa.float64()), AS_OF)
    assert (empty.entities, empty.null_share, empty.bars) == (0, None, ())
    only_null = distribution_of(pa.array([None, None], pa.int64()), AS_OF)
    assert (only_null.null_share, only_null.quantiles, only_null.bars) == (1.0, {}, ())


def test_the_longest_bar_is_forty_wide():
    assert drawn([Bar(label="a", count=20), Bar(label="bb", count=5)]) == [
        f" a  20  {'█' * 40}",
        f"bb   5  {'█' * 10}",
    ]


def test_the_spread_is_that_of_the_newest_row_of_each_entity(built_home: Settings):
    spread = distribution(built_home, "user_activity", "spend_30d")
    rows = open_lake(built_home).read("features_user_activity").to_pylist()
    newest = {row["user_id"]: row for row in sorted(rows, key=lambda row: row["known_at"])}
    assert spread.entities == len(newest)
    values = [row["spend_30d"] for row in newest.values()]
    assert spread.quantiles["max"] == max(values)
    assert sum(bar.count for bar in spread.bars) == len([one for one in values if one is not None])


def test_names_of_features_are_whole_in_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    code, _, err = run(capsys, "list")
    assert code == 0
    assert [one.name for one in ENTRIES if f" {one.name} " not in err] == []


def test_an_unknown_view_is_named_with_those_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    code, _, err = run(capsys, "list", "--view", "user_mood")
    assert code == 1
    assert "user_activity" in err
    assert "received 'user_mood'" in err


def test_the_catalogue_is_shown_in_a_terminal_and_as_json(built_home, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(built_home.home))
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(capsys, "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [one["name"] for one in listed["features"]] == [one.name for one in ENTRIES]
    code, _, err = run(capsys, "list", "--view", "item_pairs")
    assert code == 0
    assert "Items bought in the same baskets, strongest first." in err
    assert "read by shared_v1" in err

    code, out, _ = run(capsys, "show", "user_activity:spend_30d", "--at", AT.isoformat())
    assert code == 0
    assert "Money spent in the last 30 whole days." in out
    assert "264.0 h old of 36 h, as of 2024-04-20 00:00 UTC" in out  # eleven days
    assert "█" in out
    code, out, _ = run(capsys, "show", "user_activity:spend_30d", "--at", AT.isoformat(), "--json")
    shown = json.loads(out)
    assert shown["distribution"]["null_share"] == 0.0
    assert shown["freshness_now"]["age_hours"] == 264.0
    assert run(capsys, "show", "mean_price")[0] == 2
    assert run(capsys, "show", "nothing_such")[0] == 1
