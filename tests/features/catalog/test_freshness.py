"""How old features are against their budgets, by the instant of the question."""

import json
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.cli.main import main
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.catalog.freshness import freshness, freshness_metrics
from pipelines.settings import Settings
from tests.features.conftest import AS_OF

WITHIN, BEYOND = AS_OF + timedelta(hours=35.5), AS_OF + timedelta(hours=37)


def test_what_is_within_its_budget_is_not_named(built_home: Settings):
    found = {one.view: one for one in freshness(built_home, WITHIN)}
    assert len(found) == 8
    assert {one.age_hours for one in found.values()} == {35.5}
    assert not any(one.is_over_budget for one in found.values())
    assert found["user_activity"].served_as_of == AS_OF
    assert found["user_category"].online is False


def test_what_is_over_its_budget_is_named_and_comes_first(built_home: Settings):
    found = freshness(built_home, BEYOND)
    assert [one.view for one in found if not one.is_over_budget] == ["user_affinity"]  # made once a week
    assert found[-1].view == "user_affinity"


def test_what_was_never_materialized_is_over_budget_and_what_was_long_ago_is_as_old(
    built_home: Settings, tmp_path
):
    home = Settings(home=tmp_path, lake_uri=built_home.lake_root)
    with pytest.raises(FeatureError, match="aisle features apply"):
        freshness(home, WITHIN)
    store.apply(home)
    never = {one.view: one for one in freshness(home, WITHIN)}
    assert never["user_activity"].age_hours is None
    assert never["user_activity"].is_over_budget
    assert never["user_category"].age_hours == 35.5  # read from the lake, where the last build is
    assert 'aisle_features_age_seconds{view="user_activity"}' not in freshness_metrics(list(never.values()))
    store.materialize(home, end=AS_OF - timedelta(hours=10))
    later = {one.view: one for one in freshness(home, WITHIN)}
    assert later["user_activity"].age_hours == 45.5
    assert later["user_activity"].is_over_budget


def test_metrics_are_what_a_scraper_reads(built_home: Settings):
    text = freshness_metrics(freshness(built_home, BEYOND))
    samples = {
        (sample.name, sample.labels["view"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["aisle_features_age_seconds", "item_activity"] == 37 * 3600
    assert samples["aisle_features_budget_seconds", "item_activity"] == 36 * 3600
    assert samples["aisle_features_over_budget", "item_activity"] == 1
    assert samples["aisle_features_over_budget", "user_affinity"] == 0


def test_the_command_ends_with_1_and_names_which(built_home, monkeypatch, capsys):
    monkeypatch.setenv("AISLE_HOME", str(built_home.home))

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["features", "freshness", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    assert run("--at", WITHIN.isoformat())[0] == 0
    code, out = run("--at", BEYOND.isoformat(), "--json")
    told = json.loads(out)
    assert (code, told["ok"], len(told["over_budget"])) == (1, False, 7)
    code, out = run("--at", BEYOND.isoformat())
    assert code == 1
    assert "✗ item_activity    37.0 h old of 36 h" in out
    code, out = run("--at", BEYOND.isoformat(), "--prometheus")
    assert code == 1
    assert 'aisle_features_over_budget{view="item_activity"} 1.0' in out
