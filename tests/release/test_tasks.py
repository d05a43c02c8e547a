"""The steps of a retraining in their order: done once, tracked, and honest when one of them fails."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import ProcessError, ReleaseError, WrongUsageError
from pipelines.release import tasks
from pipelines.release.gate import Decision
from pipelines.release.registry import Registry
from pipelines.runtime import Limits
from pipelines.settings import Settings, load_settings
from pipelines.tracking import connect
from serving.bundle import write_array
from tests.serving.tiny_bundle import write_tiny_bundle

AS_OF = "2024-05-01T02:00:00+02:00"
VERDICT = Decision(passed=True, reasons=("beats best baseline",), checks=()).model_dump(mode="json")


class Steps:
    """Stands in for the processes of the heavy steps: answers as they do, and counts who was asked what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.started_from: list[str | None] = []
        self.misfits: list[str] = []
        self.failing: str | None = None
        self.passes = True

    def __call__(self, function: Callable[..., Any], limits: Limits, *args: Any, **kwargs: Any) -> Any:
        name = function.__name__
        self.asked.append(name)
        assert limits.seconds > 60
        assert limits.environment["AISLE_HOME"]
        if name == self.failing:
            raise ProcessError(f"{name} ran out of memory; give it more")
        return getattr(self, name)(*args, **kwargs)

    def build_training_set(self, as_of: str, workdir: str) -> dict:
        assert as_of.endswith("T00:00:00+00:00")
        write_tiny_bundle(Path(workdir))
        return {
            "rows": 40,
            "users": 20,
            "items": 8,
            "seconds": 1.0,
            "split": {"test_from": "2024-04-17T00:00:00+00:00"},
            "lake_versions": {"events": 3},
        }

    def train_retrieval(self, as_of: str, workdir: str, start_from: str | None = None) -> dict:
        self.started_from.append(start_from and Path(start_from).read_text())
        weights = Path(workdir).parent / "retrieval-weights.npz"
        weights.write_text(f"weights of {as_of}")
        return {
            "weights": str(weights),
            "warm_start": {"used": start_from is not None and not self.misfits, "reasons": self.misfits},
            "seconds": 2.0,
            "recall_at_100": 0.5,
            "curve": {"loss": [3.0, 2.0]},
            "config": {"dimensions": 64},
            "parameters": 1000,
        }

    def train_ranking(self, as_of: str, workdir: str) -> dict:
        parity = {"part": "ranker", "overlap": 1.0, "largest_difference": 0.0}
        return {"seconds": 3.0, "auc": 0.8, "curve": {"loss": [1.0]}, "config": {}, "parity": parity}

    def evaluate_release(self, bundle: str) -> dict:
        for name in ("report.html", "report.json"):
            (Path(bundle) / name).write_text("{}")
        return {
            "release": {"ndcg_at_10": 0.3, "ndcg_at_10_ci95": [0.2, 0.4], "recall_at_10": 0.5},
            "baselines": {"popularity": {"ndcg_at_10": 0.1}},
            "differences": {"popularity": {"ndcg_at_10": 0.2, "ndcg_at_10_ci95": [0.15, 0.25]}},
            "config": {"field": {"budget_minutes": 5}, "gate": {"least_users": 20}},
            "field": {"popularity": {"settings": {}, "seconds": 0.1}},
            "skipped": {"ease": "too many items"},
            "gate": {"passed": self.passes, "reasons": ["beats best baseline"]},
            "metrics": {"ndcg@10": 0.3, "recall@10": 0.5},
            "ci95": {"ndcg@10": [0.2, 0.4]},
            "decision": {**VERDICT, "passed": self.passes},
            "learned_until": "2024-04-17T00:00:00+00:00",
            "lake_versions": {"events": 3},
            "champion_compared": "there is none yet",
            "seconds": 4.0,
        }

    def assemble(self, bundle: str, release: str, as_of: str) -> dict:
        shutil.copytree(bundle, release, dirs_exist_ok=True)
        write_array(Path(release), "popularity", np.arange(8.0))
        return {"items": 8, "seconds": 0.1}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    monkeypatch.setattr(tasks, "run_isolated", steps)
    return steps


def all_steps(settings, as_of: str = AS_OF) -> dict[str, dict]:
    begun = tasks.begin(as_of, settings)
    told = {"begin": begun}
    for step in (
        tasks.build_training_set,
        tasks.train_retrieval,
        tasks.train_ranking,
        tasks.evaluate,
        tasks.register,
    ):
        told[step.__name__] = step(begun["as_of"], begun["run_id"], settings)
    return told


def test_the_steps_make_one_candidate_version_and_tell_what_the_report_needs(settings, steps):
    told = all_steps(settings)
    assert steps.asked == [
        "build_training_set",
        "train_retrieval",
        "train_ranking",
        "evaluate_release",
        "assemble",
    ]
    assert told["begin"]["as_of"] == "2024-05-01T00:00:00+00:00"
    assert (told["build_training_set"]["rows"], told["build_training_set"]["seconds"]) == (40, 1.0)
    assert told["train_retrieval"]["recall_at_100"] == 0.5
    assert told["train_ranking"]["auc"] == 0.8
    assert told["evaluate"]["release"]["ndcg_at_10_ci95"] == [0.2, 0.4]
    assert (told["register"]["version"], told["register"]["alias"], told["register"]["gate"]) == (
        1,
        "candidate",
        "passed",
    )
    assert told["register"]["seconds"] > 0


def test_the_bundle_that_was_measured_stays_as_it_was(settings, steps):
    measured = Path(all_steps(settings)["begin"]["workdir"])
    assert not (measured / "manifest.json").exists()
    assert np.load(measured / "popularity.npy").tolist() == [8, 4, 3, 7, 1, 6, 2, 0]
    sealed = measured.parent / "release" / "bundle"
    assert (sealed / "manifest.json").exists()
    assert np.load(sealed / "popularity.npy").tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_every_step_is_a_run_below_the_retrainings_which_ends_finished(settings, steps):
    told = all_steps(settings)
    run_id = told["begin"]["run_id"]
    client = connect(settings)
    experiment = client.get_experiment_by_name(settings.experiment).experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert sorted(child.info.run_name for child in children) == [
        "evaluate",
        "ranking",
        "register",
        "retrieval",
        "training_set",
    ]
    assert {child.info.status for child in children} == {"FINISHED"}
    parent = client.get_run(run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["ndcg_at_10"] == 0.3
    assert parent.data.params["as_of"] == "2024-05-01T00:00:00+00:00"
    by_name = {child.info.run_name: child for child in children}
    assert by_name["retrieval"].data.params["dimensions"] == "64"
    assert [point.value for point in client.get_metric_history(by_name["retrieval"].info.run_id, "loss")] == [
        3,
        2,
    ]
    assert by_name["training_set"].data.params["lake.events"] == "3"
    assert by_name["ranking"].data.metrics["parity/overlap"] == 1
    artifacts = {entry.path for entry in client.list_artifacts(by_name["evaluate"].info.run_id)}
    assert artifacts == {"report.html", "report.json"}


def test_doing_it_all_again_does_nothing_and_tells_the_same(settings, steps):
    first = all_steps(settings)
    asked = len(steps.asked)
    again = all_steps(settings)
    assert len(steps.asked) == asked
    assert again["begin"] == first["begin"]
    for name in ("build_training_set", "train_retrieval", "train_ranking", "evaluate", "register"):
        assert first[name]["reused"] is False
        assert again[name] == {**first[name], "reused": True}
    assert len(Registry(settings).versions()) == 1


def test_a_failed_step_fails_its_run_and_the_retrainings_and_can_be_tried_again(settings, steps):
    begun = tasks.begin(AS_OF, settings)
    arguments = (begun["as_of"], begun["run_id"], settings)
    tasks.build_training_set(*arguments)
    steps.failing = "train_retrieval"
    with pytest.raises(ProcessError, match="ran out of memory"):
        tasks.train_retrieval(*arguments)
    client = connect(settings)
    parent = client.get_run(begun["run_id"])
    assert parent.info.status == "FAILED"
    assert parent.data.tags["error"] == "train_retrieval ran out of memory; give it more"
    steps.failing = None
    tasks.train_retrieval(*arguments)
    assert client.get_run(begun["run_id"]).info.status == "RUNNING"
    experiment = client.get_experiment_by_name(settings.experiment).experiment_id
    tried = client.search_runs([experiment], "attributes.run_name = 'retrieval'")
    assert sorted(run.info.status for run in tried) == ["FAILED", "FINISHED"]


def test_a_refused_release_is_registered_but_is_no_candidate(settings, steps):
    steps.passes = False
    told = all_steps(settings)["register"]
    assert (told["version"], told["alias"], told["gate"]) == (1, None, "refused")
    assert tasks.auto_promote(1, settings)["promoted"] is False


def test_a_version_that_was_deleted_is_registered_again(settings, steps):
    told = all_steps(settings)
    connect(settings).delete_model_version(settings.model_name, "1")
    again = tasks.register(told["begin"]["as_of"], told["begin"]["run_id"], settings)
    assert (again["version"], again["reused"]) == (2, False)


def test_new_data_for_the_same_cutoff_is_another_retraining(settings, steps, monkeypatch):
    first = all_steps(settings)

    class Later:
        def exists(self, table):
            return True

        def version(self, table):
            return 9

    monkeypatch.setattr(tasks, "open_lake", lambda _: Later())
    again = all_steps(settings)
    assert again["begin"]["run_id"] != first["begin"]["run_id"]
    assert again["build_training_set"]["reused"] is False
    # the same content comes out, so it is the same version
    assert (again["register"]["version"], again["register"]["created"]) == (1, False)


def test_a_step_without_a_beginning_says_what_to_do(settings, steps):
    with pytest.raises(ReleaseError, match="from its first task"):
        tasks.train_retrieval(AS_OF, "run", settings)


def test_a_cutoff_that_is_no_instant_is_wrong_usage(settings):
    with pytest.raises(WrongUsageError, match="yesterday"):
        tasks.begin("yesterday", settings)


def test_the_settings_travel_to_the_process_of_a_step(tmp_path, monkeypatch):
    settings = Settings(
        home=tmp_path, training_budget="short", s3_secret_access_key="hush", lake_uri="s3://l"
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
