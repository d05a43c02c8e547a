"""From which release's weights a retraining goes on."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pipelines.release import tasks
from pipelines.release.promotion import promote, rollback
from pipelines.release.registry import CHAMPION, Registry
from pipelines.release.step_cache import ReleaseWorkspace
from pipelines.release.warm_start import earlier_release
from pipelines.tracking import connect
from serving.bundle import write_array
from tests.release.test_tasks import Steps, all_steps

MAY = datetime(2024, 5, 1, tzinfo=UTC)
LATER = "2024-05-08T00:00:00+00:00"


def told(day: str) -> dict[str, str]:
    return {"as_of": f"2024-{day}T00:00:00+00:00"}


def number_of(settings) -> int | None:
    version = earlier_release(settings, MAY)
    return version.number if version else None


def test_the_champion_comes_before_newer_releases(settings, register):
    assert number_of(settings) is None
    register(tags=told("04-10"))
    register(tags=told("04-20"))
    assert number_of(settings) == 2
    promote(settings, 1, reason="steady")
    assert number_of(settings) == 1


def test_a_champion_by_hand_counts_and_one_that_was_rolled_back_from_does_not(settings, register):
    for day in ("04-01", "04-10", "04-20"):
        register(tags=told(day))
    promote(settings, 1, reason="first")
    promote(settings, 2, reason="better")
    rollback(settings, reason="worse")
    assert number_of(settings) == 1
    Registry(settings).move_alias(CHAMPION, 3)
    assert number_of(settings) == 3


def test_releases_of_the_same_or_a_later_cutoff_and_refused_ones_are_left_out(settings, register):
    register(tags=told("05-01"))
    register(tags=told("05-02"))
    register("refused", tags=told("04-01"))
    register()
    assert number_of(settings) is None
    promote(settings, 2, reason="newest")
    assert number_of(settings) is None


class StepsOfManyReleases(Steps):
    """Every cutoff makes another release."""

    def assemble(self, bundle: str, release: str, as_of: str) -> dict:
        told = super().assemble(bundle, release, as_of)
        write_array(Path(release), "popularity", np.arange(8.0) + datetime.fromisoformat(as_of).day)
        return told


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = StepsOfManyReleases()
    monkeypatch.setattr(tasks, "run_isolated", steps)
    return steps


def warm(settings):
    return settings.model_copy(update={"warm_start": True})


def tags_of(settings, run_id: str) -> dict[str, str]:
    """Tags of the newest run of retrieval below that retraining's."""
    client = connect(settings)
    experiment = client.get_experiment_by_name(settings.experiment).experiment_id
    query = f"tags.`mlflow.parentRunId` = '{run_id}' and attributes.run_name = 'retrieval'"
    return client.search_runs([experiment], query)[0].data.tags


def test_training_goes_on_from_the_weights_that_the_earlier_retraining_kept(settings, steps):
    all_steps(warm(settings))
    again = all_steps(warm(settings), LATER)
    assert steps.started_from == [None, "weights of 2024-05-01T00:00:00+00:00"]
    assert tags_of(settings, again["begin"]["run_id"])["warm_start"] == "from version 1"


def test_a_retraining_that_is_done_again_starts_from_the_same_release(settings, steps):
    all_steps(warm(settings))
    promote(settings, 1, reason="first")
    second = all_steps(warm(settings), LATER)
    assert second["register"]["version"] == 2
    promote(settings, 2, reason="second")
    again = all_steps(warm(settings), LATER)
    assert again["train_retrieval"]["reused"] is True
    assert len(steps.started_from) == 2


def test_weights_that_were_replaced_after_the_seal_are_not_opened(settings, steps):
    all_steps(warm(settings))
    (stored,) = (settings.home / "mlflow" / "artifacts").rglob("training/retrieval-weights.npz")
    stored.write_text("weights of somebody else")
    again = all_steps(warm(settings), LATER)
    assert steps.started_from == [None, None]
    told = tags_of(settings, again["begin"]["run_id"])["warm_start"]
    assert told == "anew: the weights of version 1 are not those that its manifest was signed with"


def test_without_the_setting_training_is_anew_and_keeps_its_weights(settings, steps):
    all_steps(settings)
    second = all_steps(settings, LATER)
    assert steps.started_from == [None, None]
    assert tags_of(settings, second["begin"]["run_id"])["warm_start"] == "anew: AISLE_WARM_START is off"
    kept = [entry.path for entry in connect(settings).list_artifacts(second["begin"]["run_id"], "training")]
    assert kept == ["training/retrieval-weights.npz"]
    assert not list(ReleaseWorkspace.open(settings, LATER).release.rglob("*weights*"))


def test_the_run_tells_why_training_was_anew(settings, steps):
    first = all_steps(warm(settings))
    assert tags_of(settings, first["begin"]["run_id"])["warm_start"] == "anew: there is no earlier release"
    steps.misfits = ["items lost 2: 'a', 'b'"]
    second = all_steps(warm(settings), LATER)
    told = tags_of(settings, second["begin"]["run_id"])["warm_start"]
    assert told == "anew: version 1; items lost 2: 'a', 'b'"


def test_a_release_without_kept_weights_is_told(settings, steps, register):
    register(tags=told("04-20"))
    only = all_steps(warm(settings))
    assert tags_of(settings, only["begin"]["run_id"])["warm_start"] == "anew: version 1 kept no weights"
