"""`aisle features plan` and `apply` on a real registry, with a release that depends on it."""

import json
from pathlib import Path

import pytest
from feast import FeatureService

from feature_repo import repository
from pipelines.cli.main import main
from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.release import feature_changes
from pipelines.release.feature_use import FeatureUse
from pipelines.settings import Settings

RELEASES = [
    FeatureUse("champion", 3, ("retrieval_v1", "ranking_v1")),
    FeatureUse("candidate", 4, ("other_v1",)),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home to which everything was applied, with two releases behind aliases."""
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    monkeypatch.setattr(feature_changes, "feature_use", lambda _: RELEASES)
    settings = Settings(home=tmp_path)
    feature_changes.apply(settings)
    return settings


@pytest.fixture
def breaking(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The home, with an edit of `feature_repo` that takes the price from the ranker."""
    service = repository.ranking_v1
    less = FeatureService(
        name=service.name,
        features=[repository.item_activity[["views_7d"]]],
        description=service.description,
        tags=service.tags,
        owner=service.owner,
    )
    monkeypatch.setattr(repository, "ranking_v1", less)
    return home


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict, str]:
    with pytest.raises(SystemExit) as ended:
        main(["features", *arguments, "--json"])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), json.loads(out.splitlines()[-1]), err


def test_what_is_applied_as_declared_changes_nothing(home: Settings, capsys):
    code, told, _ = run(capsys, "plan")
    assert (code, told) == (0, {"ok": True, "changes": [], "broken": {}, "refused": []})


def test_a_plan_on_an_empty_machine_makes_nothing(tmp_path: Path):
    planned = feature_changes.plan(Settings(home=tmp_path / "nowhere"))
    assert {one.what for one in planned.changes} == {"added"}
    assert planned.refused == []
    assert not (tmp_path / "nowhere").exists()


def test_a_plan_names_the_release_that_would_break(breaking: Settings, capsys):
    code, told, _ = run(capsys, "plan")
    assert code == 1
    assert "version 3 (champion) reads ranking_v1: item_profile:price is removed" in told["refused"]
    assert all("version 3" in one for one in told["refused"])
    assert [one["name"] for one in told["changes"]] == ["ranking_v1"]


def test_a_breaking_change_is_refused_unless_forced_with_a_reason(breaking: Settings, capsys):
    code, told, _ = run(capsys, "apply")
    assert code == 1
    assert "version 3 (champion) reads ranking_v1" in told["error"]
    assert "new version of the service" in told["error"]
    kept = store.open_store(breaking).get_feature_service("ranking_v1")
    assert len(kept.feature_view_projections) == 2

    assert run(capsys, "apply", "--force")[0] == 2
    code, _, _ = run(capsys, "apply", "--force", "--reason", "the champion goes today")
    assert code == 0
    assert len(store.open_store(breaking).get_feature_service("ranking_v1").feature_view_projections) == 1
    lines = (breaking.home / "feast" / "applied.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["forced_because"] for line in lines] == [None, "the champion goes today"]


def test_a_change_that_breaks_no_release_in_use_is_applied(
    breaking: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feature_changes, "feature_use", lambda _: [RELEASES[1]])
    planned = feature_changes.plan(breaking)
    assert list(planned.broken) == ["ranking_v1"]
    assert planned.refused == []
    feature_changes.apply(breaking)
    assert feature_changes.plan(breaking).changes == []


def test_the_scheduled_apply_refuses_as_well(breaking: Settings):
    from pipelines.release.feature_changes import declare

    with pytest.raises(FeatureError, match=r"version 3 \(champion\)"):
        declare()


def test_the_check_says_only_what_breaks(breaking: Settings, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["features", "plan", "--check"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert "version 3 (champion) reads ranking_v1: item_profile:price is removed" in err
    assert "Nothing would change" not in err
