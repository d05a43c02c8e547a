"""What `feature_repo` declares is complete, and is what the builder writes."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.repo_operations import parse_repo

from feature_repo import repository
from pipelines.features.build import feature_tables
from pipelines.features.registry.declarations import (
    declarations,
    declared_views,
    lake_schema_of,
    lake_table_of,
)
from pipelines.features.transforms.config import FeatureConfig

REPO = declarations()
OBJECTS = [*REPO.projects, *REPO.entities, *REPO.data_sources, *REPO.feature_views, *REPO.feature_services]


def test_something_is_declared():
    counts = [len(kind) for kind in (REPO.projects, REPO.entities, REPO.data_sources, REPO.feature_views)]
    assert counts == [1, 3, 8, 8]
    assert [one.name for one in REPO.feature_services] == ["ranking_v1", "retrieval_v1", "shared_v1"]


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{type(one).__name__}-{one.name}")
def test_everything_has_a_description_an_owner_and_tags(one):
    assert one.description.endswith(".")
    assert re.fullmatch(r"\S+@\S+", one.owner)
    assert one.tags
    assert all(one.tags.values())


@pytest.mark.parametrize("view", REPO.feature_views, ids=lambda view: view.name)
def test_every_feature_says_what_it_means_its_unit_its_window_and_what_null_means(view):
    for feature in view.features:
        assert len(feature.description) > 3, feature.name
        assert feature.description.endswith("."), feature.name
        assert set(feature.tags) == {"unit", "window", "null"}, feature.name
    assert {"kind", "freshness", "budget_hours", "window"} <= set(view.tags)


def test_each_view_has_one_string_key():
    """More keys than one, or keys of other types, get lost on the way through Feast's servers."""
    for view in REPO.feature_views:
        assert [str(column.dtype) for column in view.entity_columns] == ["String"], view.name


def test_every_view_is_built_and_everything_built_is_a_view():
    assert set(feature_tables(FeatureConfig())) == set(declared_views())
    assert {lake_table_of(view) for view in REPO.feature_views} == {
        f"features_{name}" for name in feature_tables(FeatureConfig())
    }


def test_instants_of_feature_tables_are_microseconds_utc():
    for view in REPO.feature_views:
        assert lake_schema_of(view).field("known_at").type == pa.timestamp("us", tz="UTC")


def test_names_within_one_service_of_the_models_are_unambiguous():
    for service in REPO.feature_services:
        if service.name in ("retrieval_v1", "ranking_v1"):
            names = [one.name for view in service.feature_view_projections for one in view.features]
            assert len(names) == len(set(names))


def test_no_model_learns_from_the_calendar():
    for service in REPO.feature_services:
        if service.name != "shared_v1":
            names = {one.name for view in service.feature_view_projections for one in view.features}
            assert "last_event_at_s" not in names


def test_other_teams_do_not_see_demographics():
    shared = next(one for one in REPO.feature_services if one.name == "shared_v1")
    assert "user_profile" not in {view.name for view in shared.feature_view_projections}


def test_the_greatest_windows_are_the_ones_that_descriptions_name():
    config = FeatureConfig()
    views = declared_views()
    assert f"{config.history_length}" in views["user_history"].description
    assert views["user_affinity"].tags["window"] == f"{config.affinity_weeks} weeks"
    assert views["item_pairs"].tags["window"] == f"{config.pair_days} days"


def test_feast_own_commands_find_everything_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(Path(repository.__file__).parent)  # as `feast apply` does
    monkeypatch.syspath_prepend(".")
    found = parse_repo(Path.cwd())
    for kind in ("projects", "entities", "data_sources", "feature_views", "feature_services"):
        names = sorted(one.name for one in getattr(found, kind) if one.name != DUMMY_ENTITY_NAME)
        assert names == [one.name for one in getattr(REPO, kind)], kind
        assert len(names) == len(set(names))
