"""Runs in MLflow: what is kept of them, how they end, and what happens when the server is not there."""

import json
import shutil
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from pipelines import tracking
from pipelines.errors import TrackingError, TrainingError
from pipelines.settings import Settings


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)
    rate: float = 0.5
    layers: tuple[int, ...] = (64, 32)


class Config(BaseModel):
    model_config = ConfigDict(frozen=True)
    seed: int = 7
    inner: Inner = Inner()
    note: str | None = None


@dataclass(frozen=True)
class Choice:
    name: str
    weight: float


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(home=tmp_path_factory.mktemp("tracking"))
    tracking.connect(settings).search_experiments()
    return settings.home / "mlflow" / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, tables: Path) -> Settings:
    (tmp_path / "mlflow").mkdir()
    shutil.copy(tables, tmp_path / "mlflow" / "mlflow.db")
    return Settings(home=tmp_path)


def read(settings: Settings, run_id: str):
    return tracking.connect(settings).get_run(run_id)


def artifact(settings: Settings, run_id: str, name: str) -> str:
    folder = tracking.connect(settings).download_artifacts(run_id, name)
    return Path(folder).read_text()


def test_flattening_joins_nested_names_by_dots():
    assert tracking.flattened(Config()) == {
        "seed": 7,
        "inner.rate": 0.5,
        "inner.layers": [64, 32],
        "note": None,
    }


def test_flattening_takes_dataclasses_and_puts_a_prefix_before():
    assert tracking.flattened(Choice("knn", 0.25), "model") == {"model.name": "knn", "model.weight": 0.25}


def test_flattening_refuses_what_has_no_names():
    with pytest.raises(TypeError, match="received list"):
        tracking.flattened([1, 2])


def test_a_run_keeps_its_whole_configuration(settings):
    with tracking.run(settings, "retrieval", system_metrics=False) as run:
        run.log_params(Config(), prefix="model")
    kept = read(settings, run.run_id)
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "retrieval"
    assert kept.data.params == {
        "model.seed": "7",
        "model.inner.rate": "0.5",
        "model.inner.layers": "[64, 32]",
        "model.note": "null",
    }


def test_more_params_than_one_request_takes_are_all_kept(settings):
    with tracking.run(settings, "wide", system_metrics=False) as run:
        run.log_params({f"p{n}": n for n in range(230)})
    assert len(read(settings, run.run_id).data.params) == 230


def test_curves_have_one_point_per_epoch_from_one_on(settings):
    with tracking.run(settings, "ranking", system_metrics=False) as run:
        run.log_curves({"loss": [3.0, 2.0, 1.5], "auc": [0.6, 0.7]})
    history = tracking.connect(settings).get_metric_history(run.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 3.0), (2, 2.0), (3, 1.5)]
    assert read(settings, run.run_id).data.metrics["auc"] == 0.7


def test_metric_names_lose_what_mlflow_does_not_take_and_numbers_that_are_none_are_left_out(settings):
    with tracking.run(settings, "evaluate", system_metrics=False) as run:
        run.log_metrics({"ndcg@10": 0.25, "recall@10": float("nan"), "loss": float("inf"), "a:b": 1.0})
    metrics = read(settings, run.run_id).data.metrics
    del metrics["duration_s"]
    assert metrics == {"ndcg_at_10": 0.25, "a_b": 1.0}


def test_inputs_artifacts_tags_and_revision_are_kept(settings, tmp_path):
    (tmp_path / "plot.svg").write_text("<svg/>")
    with tracking.run(settings, "evaluate", tags={"kind": "gate", "n": 3}, system_metrics=False) as run:
        run.log_inputs(
            as_of=datetime(2024, 5, 1, tzinfo=UTC),
            lake_versions={"events": 4, "items": 1},
            feature_services=("retrieval_v1",),
        )
        run.log_text("<h1>Report</h1>", "report.html")
        run.log_json({"ndcg": 0.5}, "report.json")
        run.log_file(tmp_path / "plot.svg", "plots")
    kept = read(settings, run.run_id)
    assert kept.data.params == {
        "as_of": "2024-05-01T00:00:00+00:00",
        "lake.events": "4",
        "lake.items": "1",
        "feature_services": '["retrieval_v1"]',
    }
    assert artifact(settings, run.run_id, "report.html") == "<h1>Report</h1>"
    assert json.loads(artifact(settings, run.run_id, "report.json")) == {"ndcg": 0.5}
    assert artifact(settings, run.run_id, "plots/plot.svg") == "<svg/>"
    assert (kept.data.tags["kind"], kept.data.tags["n"]) == ("gate", "3")
    assert kept.data.tags["code_revision"] == tracking.code_revision()
    assert len(tracking.code_revision()) >= len("aisle 0")


def test_a_run_says_how_long_it_took_and_what_the_machine_did(settings):
    with tracking.run(settings, "retrieval") as run:
        pass
    metrics = read(settings, run.run_id).data.metrics
    assert 0 <= metrics["duration_s"] < 60
    assert metrics["system/system_memory_usage_megabytes"] > 0
    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100


def test_a_failed_step_leaves_a_failed_run_with_its_error(settings):
    with (
        pytest.raises(TrainingError, match="2 events"),
        tracking.run(settings, "retrieval", system_metrics=False) as run,
    ):
        raise TrainingError("expected 5 events, received 2 events")
    kept = read(settings, run.run_id)
    assert kept.info.status == "FAILED"
    assert kept.data.tags["error_type"] == "TrainingError"
    assert kept.data.tags["error"] == "expected 5 events, received 2 events"
    trace = artifact(settings, run.run_id, "error.txt")
    assert "test_a_failed_step_leaves_a_failed_run_with_its_error" in trace


def test_an_error_longer_than_a_tag_takes_is_kept_whole_as_artifact(settings):
    with pytest.raises(TrainingError), tracking.run(settings, "x", system_metrics=False) as run:
        raise TrainingError("é" * 9000)
    assert len(read(settings, run.run_id).data.tags["error"]) == 4000
    assert "é" * 9000 in artifact(settings, run.run_id, "error.txt")


def test_an_interrupted_step_leaves_a_killed_run(settings):
    with pytest.raises(KeyboardInterrupt), tracking.run(settings, "x", system_metrics=False) as run:
        raise KeyboardInterrupt
    assert read(settings, run.run_id).info.status == "KILLED"


def test_a_child_run_hangs_below_its_parent_by_the_id_alone(settings):
    parent = tracking.begin_run(settings, "retrain 2024-05-01", "retrain:2024-05-01")
    with tracking.run(settings, "ranking", parent_run_id=parent, system_metrics=False) as child:
        pass
    assert read(settings, child.run_id).data.tags["mlflow.parentRunId"] == parent
    assert read(settings, parent).info.status == "RUNNING"
    tracking.end_run(settings, parent)
    assert read(settings, parent).info.status == "FINISHED"


def test_beginning_with_the_same_key_again_finds_the_same_run_and_sets_it_going(settings):
    first = tracking.begin_run(settings, "retrain", "k1", tags={"as_of": "x"})
    tracking.fail_run(settings, first, TrainingError("disk full"))
    assert read(settings, first).info.status == "FAILED"
    assert read(settings, first).data.tags["error"] == "disk full"
    assert tracking.begin_run(settings, "retrain", "k1") == first
    assert read(settings, first).info.status == "RUNNING"
    assert tracking.begin_run(settings, "retrain", "k2") != first


def test_a_param_that_changes_is_refused_in_our_words(settings):
    run_id = tracking.begin_run(settings, "retrain", "k")
    run = tracking.resume(settings, run_id)
    run.log_params({"seed": 1})
    with pytest.raises(TrackingError, match="logging params"):
        run.log_params({"seed": 2})


def test_an_unknown_run_is_refused_in_our_words(settings):
    with pytest.raises(TrackingError, match="reading run nowhere"):
        tracking.resume(settings, "nowhere")


def test_a_deleted_experiment_says_what_to_do(settings):
    tracking.begin_run(settings, "x", "k")
    client = tracking.connect(settings)
    client.delete_experiment(client.get_experiment_by_name(settings.experiment).experiment_id)
    with pytest.raises(TrackingError, match="was deleted in MLflow; restore it"):
        tracking.begin_run(settings, "x", "k")


def test_artifacts_of_the_embedded_server_lie_under_home_and_not_in_the_working_directory(
    settings, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with tracking.run(settings, "x", system_metrics=False) as run:
        run.log_text("a", "a.txt")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert list((settings.home / "mlflow" / "artifacts").rglob("a.txt"))


def test_a_server_that_is_not_there_is_said_at_once_with_what_to_do(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(home=tmp_path, tracking_uri=f"http://127.0.0.1:{port}")
    with pytest.raises(TrackingError, match=r"nothing answers there.*AISLE_TRACKING_URI"):
        tracking.connect(settings)


def test_a_server_that_goes_away_does_not_hide_the_error_of_the_step(settings, monkeypatch):
    def gone(*_args, **_kwargs):
        raise tracking.server.RequestException("connection refused")

    def step():
        with tracking.run(settings, "x", system_metrics=False) as run:
            for name in ("log_batch", "log_text", "set_terminated"):
                monkeypatch.setattr(run.client, name, gone)
            raise TrainingError("the real one")

    with pytest.raises(TrainingError, match="the real one"):
        step()


def test_a_finished_step_whose_end_cannot_be_written_is_an_error(settings, monkeypatch):
    def gone(*_args, **_kwargs):
        raise tracking.server.RequestException("connection refused")

    with (
        pytest.raises(TrackingError, match="check that the server still runs"),
        tracking.run(settings, "x", system_metrics=False) as run,
    ):
        monkeypatch.setattr(run.client, "set_terminated", gone)


def test_mlflow_does_not_report_home():
    import os

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_being_the_default_ends_with_the_block(settings, tmp_path):
    import mlflow

    before = mlflow.is_tracking_uri_set(), mlflow.get_tracking_uri()
    with tracking.as_default(settings):
        assert mlflow.get_tracking_uri() == settings.mlflow_uri
        assert mlflow.get_registry_uri() == settings.mlflow_uri
    assert (mlflow.is_tracking_uri_set(), mlflow.get_tracking_uri()) == before
