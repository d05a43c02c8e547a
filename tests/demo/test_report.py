"""The report says what the tasks measured, in exactly the promised keys."""

import json

import pytest

from infra.local.airflow_api import DagRun
from pipelines.demo.following import DAGS, Followed
from pipelines.demo.report import Served, read_report, report_of, write_report
from pipelines.demo.wording import in_words


@pytest.fixture
def followed():
    return Followed(
        runs={dag_id: DagRun(dag_id, f"run-{dag_id}", "success") for dag_id in DAGS},
        results={
            ("ingest", "take_in"): {
                "rows_in": 130,
                "accepted": 120,
                "quarantined": 3,
                "duplicates": 7,
                "seconds": 1.5,
                "tables": {"events": {"rows_in": 100}, "users": {"rows_in": 10}, "items": {"rows_in": 20}},
            },
            ("build_features", "build"): {"rows": 500, "seconds": 2.5},
            ("retrain", "build_training_set"): {"rows": 80, "seconds": 3.5},
            ("retrain", "train_retrieval"): {"seconds": 4.5, "recall_at_100": 0.5},
            ("retrain", "train_ranking"): {"seconds": 5.5, "auc": 0.8},
            ("retrain", "evaluate"): {
                "baselines": {
                    "popularity": {"ndcg_at_10": 0.1},
                    "personal_frequency": {"ndcg_at_10": 0.3},
                    "item_knn": {"ndcg_at_10": 0.2},
                },
                "release": {"ndcg_at_10": 0.4, "ndcg_at_10_ci95": [0.35, 0.45], "recall_at_10": 0.25},
            },
            ("retrain", "register"): {"version": 1, "gate": "passed", "alias": "candidate"},
            ("promote", "follow_policy"): {"version": 1, "promoted": True, "alias": "champion"},
        },
    )


def test_the_report_holds_what_was_measured_under_the_promised_keys(followed, tmp_path):
    report = report_of(followed, Served(1.25, 3.5), peak_memory_mb=2048.04, total_seconds=321.0)
    assert report == {
        "ok": True,
        "input": {"transactions": 100, "users": 10, "items": 20},
        "ingest": {"rows_in": 130, "accepted": 120, "quarantined": 3, "duplicates": 7, "seconds": 1.5},
        "features": {"rows": 500, "seconds": 2.5},
        "training_set": {"rows": 80, "seconds": 3.5},
        "retrieval": {"seconds": 4.5, "recall_at_100": 0.5},
        "ranking": {"seconds": 5.5, "auc": 0.8},
        "baselines": {
            "popularity": {"ndcg_at_10": 0.1},
            "personal_frequency": {"ndcg_at_10": 0.3},
            "item_knn": {"ndcg_at_10": 0.2},
        },
        "release": {
            "version": "1",
            "alias": "champion",
            "ndcg_at_10": 0.4,
            "ndcg_at_10_ci95": [0.35, 0.45],
            "recall_at_10": 0.25,
            "gate": "passed",
        },
        "serving": {"seconds_from_promotion_to_served": 1.25, "p50_ms": 3.5},
        "dag_runs": [
            {"dag_id": dag_id, "run_id": f"run-{dag_id}", "state": "success"}
            for dag_id in ("ingest", "build_features", "materialize", "retrain", "promote")
        ],
        "peak_memory_mb": 2048.0,
        "total_seconds": 321.0,
    }
    assert json.loads(write_report(report, tmp_path).read_text()) == report
    assert read_report(tmp_path) == report


def test_a_finished_task_says_its_numbers_in_words(followed):
    assert in_words(followed.results["ingest", "take_in"]) == (
        "130 rows in, 120 accepted, 3 quarantined, 7 duplicates"
    )
    assert in_words(followed.results["retrain", "evaluate"]) == (
        "NDCG@10 0.4000, best baseline (personal frequency) 0.3000"
    )
    assert in_words(None) == ""
