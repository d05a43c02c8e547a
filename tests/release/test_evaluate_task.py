"""The evaluation and assembly steps: what they read, what they leave, and when a champion is compared."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.errors import ReleaseError, WrongUsageError
from pipelines.evaluation.split import Window
from pipelines.release import evaluate_task, finalize_bundle
from pipelines.release.gate import Decision
from pipelines.release.promotion import promote
from pipelines.release.registration import Measured, Origin, register_release
from pipelines.tracking import begin_run
from pipelines.training import save_current_items
from pipelines.training.baselines import BaselineResults
from pipelines.training.data.training_data import Requests
from serving.bundle import Bundle, write_array
from serving.engine.user_batch import user_batch
from tests.serving.tiny_bundle import BREAD, BUTTER, LAMP, write_tiny_bundle

AT = datetime(2024, 4, 17, tzinfo=UTC)
AS_OF = AT + timedelta(days=14)
USERS = [f"u{n:02d}" for n in range(30)]
WHY = "too many items have events"
POLICY = {"greatest_calibration_error": None, "least_coverage": 0}


def habit(n: int) -> str:
    return ("bread", "butter")[n % 2]


def rows() -> list[dict]:
    times = [int((AT - timedelta(days=days)).timestamp()) for days in (7, 14, 21)]
    return [
        {"item_ids": [habit(n)] * 3, "event_types": ["purchase"] * 3, "event_times": times}
        for n in range(len(USERS))
    ]


class Lake:
    """Events of which some come after the cutoff and must not be seen."""

    def read(self, table: str, columns: list[str], version: int) -> pa.Table:
        assert (table, version) == ("events", 7)
        told = [
            (user, habit(n), AT - timedelta(days=days))
            for n, user in enumerate(USERS)
            for days in (7, 14, 21)
        ]
        told += [(user, habit(n), AT + timedelta(days=3)) for n, user in enumerate(USERS)]
        told += [(user, "lamp", AS_OF + timedelta(days=1)) for user in USERS]
        users, items, times = zip(*told, strict=True)
        events = {
            "user_id": users,
            "item_id": items,
            "event_type": ["purchase"] * len(users),
            "event_at": pa.array(times, pa.timestamp("us", "UTC")),
        }
        return pa.table(events).select(columns)


@pytest.fixture
def bundle(tmp_path) -> Path:
    return write_tiny_bundle(tmp_path / "work" / "20240501T000000" / "bundle")


@pytest.fixture
def item_states(monkeypatch: pytest.MonkeyPatch, bundle) -> list[tuple]:
    """Stands in for training and the lake; the instants at which the items' state was written."""
    written: list[tuple] = []

    def requests(name: str) -> SimpleNamespace:
        assert name == "test"
        users = user_batch(Bundle.open(bundle), rows(), [AT.timestamp()] * len(USERS))
        return Requests(np.arange(len(USERS)), users)

    split = SimpleNamespace(test_from=AT, as_of=AS_OF, test=Window(starts_at=AT, ends_at=AS_OF))
    training = SimpleNamespace(
        split=split,
        target_types=("purchase",),
        lake_versions={"events": 7},
        user_ids=pa.array(USERS),
        requests=requests,
    )
    worst = np.full((len(USERS), 20), -1, np.int32)
    worst[:, 0] = LAMP
    monkeypatch.setattr(evaluate_task, "TrainingSet", SimpleNamespace(open=lambda _: training))
    monkeypatch.setattr(evaluate_task, "open_lake", lambda _: Lake())
    field = BaselineResults(
        {"popularity": worst}, {"popularity": {"settings": {}}}, {"ease": WHY}, {"popularity": 1}
    )
    monkeypatch.setattr(evaluate_task, "field_lists", lambda *_: field)
    monkeypatch.setattr(evaluate_task, "historical", lambda *_: pa.Table.from_pylist(rows()))
    monkeypatch.setattr(
        finalize_bundle, "write_item_state", lambda *where, into: written.append((*where, into))
    )
    return written


def register_champion(settings, bundle: Path, learned_until: str) -> None:
    origin = Origin(
        as_of="2024-04-24T00:00:00+00:00",
        lake_versions={},
        feature_services=(),
        run_id=begin_run(settings, "retrain", "older"),
        learned_until=learned_until,
    )
    decision = Decision(passed=True, reasons=("it did",), checks=())
    told = register_release(settings, bundle, origin, Measured({"ndcg@10": 0.3}, {}, decision))
    promote(settings, told["version"], reason="first")


def test_a_release_is_measured_at_the_start_of_the_test_window_and_nothing_after_the_cutoff_counts(
    settings, bundle, item_states
):
    told = evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    assert item_states == []
    # everybody's only true item is the own habit: all of it is found among the seven on offer
    assert told["release"]["recall_at_10"] == 1
    assert told["baselines"] == {"popularity": {"ndcg_at_10": 0}}
    assert told["gate"]["passed"] is True
    assert told["users"] == len(USERS)
    assert told["learned_until"] == "2024-04-17T00:00:00+00:00"
    assert told["lake_versions"] == {"events": 7}
    assert told["champion"] is None
    assert told["champion_compared"] == "there is none yet"
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert Decision.model_validate(told["decision"]).passed is True


def test_the_report_is_left_in_the_bundle_with_the_verdict_and_where_it_comes_from(
    settings, bundle, item_states
):
    evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    report = json.loads((bundle / "report.json").read_text())
    assert report["gate"]["passed"] is True
    assert report["facts"]["as_of"] == AS_OF.isoformat()
    assert report["facts"]["champion"] == "there is none yet"
    assert "<html" in (bundle / "report.html").read_text()


def test_what_was_left_out_of_the_field_and_what_stayed_in_is_told_everywhere(settings, bundle, item_states):
    told = evaluate_task.evaluate_release(
        bundle, policy=POLICY, field={"budget_minutes": 2}, settings=settings
    )
    assert told["skipped"] == {"ease": WHY}
    assert told["field"] == {"popularity": {"settings": {}, "seconds": 1}}
    assert told["config"]["field"]["budget_minutes"] == 2
    assert told["config"]["gate"]["slice_tolerance"] == 0.05
    assert any(f"ease was not measured: {WHY}" in reason for reason in told["gate"]["reasons"])
    # one true item for each user, found at some place; popularity finds none
    assert told["differences"]["popularity"]["ndcg_at_10"] == pytest.approx(told["release"]["ndcg_at_10"])
    assert told["differences"]["popularity"]["ndcg_at_10_ci95"][0] > 0
    facts = json.loads((bundle / "report.json").read_text())["facts"]
    assert facts["baselines left out"] == f"ease: {WHY}"
    assert WHY in (bundle / "report.html").read_text()


def test_a_champion_is_measured_with_the_candidates_counts_on_the_same_users(
    settings, bundle, item_states, tmp_path
):
    older = write_tiny_bundle(tmp_path / "older")
    write_array(older, "popularity", np.arange(8.0))
    register_champion(settings, older, "2024-04-10T00:00:00+00:00")
    told = evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    assert told["champion_compared"] == "version 1"
    # the two differ in their counts alone, and those are the candidate's: the same lists
    assert told["champion"] == pytest.approx(told["release"]["ndcg_at_10"])
    names = [check["name"] for check in told["decision"]["checks"]]
    assert "is_not_worse_than_champion" in names


def test_a_champion_that_may_have_learned_from_the_test_window_is_named_but_not_compared(
    settings, bundle, item_states, tmp_path
):
    register_champion(settings, write_tiny_bundle(tmp_path / "older"), "2024-04-20T00:00:00+00:00")
    told = evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    assert told["champion"] is None
    assert told["champion_compared"] == "version 1, not compared: it may have learned from the test window"
    assert any(told["champion_compared"] in reason for reason in told["gate"]["reasons"])


def test_graphs_that_depart_from_the_trained_ones_are_read_from_the_records_and_refused(
    settings, bundle, item_states
):
    parity = {"part": "ranker", "overlap": 0.5, "largest_difference": 2.0}
    (bundle.parent / "ranking.json").write_text(json.dumps({"inputs": "x", "result": {"parity": parity}}))
    told = evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    assert told["gate"]["passed"] is False
    assert any("ranker 50.00%" in reason for reason in told["gate"]["reasons"])


def test_a_sealed_bundle_is_not_measured_for_its_counts_have_seen_the_answers(settings, bundle, item_states):
    (bundle / "manifest.json").write_text("{}")
    with pytest.raises(WrongUsageError, match="which is sealed"):
        evaluate_task.evaluate_release(bundle, policy=POLICY, settings=settings)
    assert not (bundle / "report.json").exists()


def test_a_bundle_without_graphs_is_not_assembled(bundle, item_states, tmp_path):
    with pytest.raises(ReleaseError, match="without query encoder and ranker"):
        finalize_bundle.assemble(str(bundle), str(tmp_path / "release"), AS_OF.isoformat())


def test_a_bundle_with_a_missing_part_is_named(bundle, item_states, tmp_path):
    (bundle / "popularity.npy").unlink()
    with pytest.raises(ReleaseError, match="popularity"):
        finalize_bundle.assemble(str(bundle), str(tmp_path / "release"), AS_OF.isoformat())


def test_assembling_copies_the_bundle_brings_its_counts_up_to_the_cutoff_and_builds_the_index(
    bundle_with_graphs, item_states, tmp_path
):
    release = tmp_path / "release" / "bundle"
    release.mkdir(parents=True)
    (release / "manifest.json").write_text("of an earlier attempt")
    items = Bundle.open(bundle_with_graphs).items
    folder = bundle_with_graphs.with_name(bundle_with_graphs.name + ".training")
    folder.mkdir(exist_ok=True)
    raised = pc.add(items["price"], 1.0)
    today = items.set_column(items.column_names.index("price"), "price", raised)
    save_current_items(folder, today)
    told = finalize_bundle.assemble(bundle_with_graphs, release, AS_OF.isoformat())
    assert Bundle.open(release).items["price"].equals(raised)
    assert Bundle.open(release).items["item_id"].equals(items["item_id"])
    assert item_states == [(bundle_with_graphs, AS_OF.isoformat(), release)]
    assert told["items"] == 8
    assert Bundle.open(release).text_index_path is not None
    assert not (release / "manifest.json").exists()
    assert Bundle.open(release).indices_of(["bread", "butter"]).tolist() == [BREAD, BUTTER]
