"""`report.json`: what one run of the demo measured."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.demo.following import DAGS, Followed

BASELINES = ("popularity", "personal_frequency", "item_knn")


@dataclass(frozen=True)
class Served:
    """What was measured from promotion on."""

    seconds_from_promotion: float
    p50_ms: float


def report_of(
    followed: Followed, served: Served, *, peak_memory_mb: float, total_seconds: float
) -> dict[str, Any]:
    """The report of a run that reached the shoppers; every number in it was measured in that run."""
    results = followed.results
    ingest = results["ingest", "take_in"]
    features = results["build_features", "build"]
    training_set = results["retrain", "build_training_set"]
    retrieval, ranking = results["retrain", "train_retrieval"], results["retrain", "train_ranking"]
    evaluation, registered = results["retrain", "evaluate"], results["retrain", "register"]
    promoted = results["promote", "follow_policy"]
    counts = ("rows_in", "accepted", "quarantined", "duplicates", "seconds")
    return {
        "ok": True,
        "input": {
            "transactions": ingest["tables"]["events"]["rows_in"],
            "users": ingest["tables"]["users"]["rows_in"],
            "items": ingest["tables"]["items"]["rows_in"],
        },
        "ingest": {name: ingest[name] for name in counts},
        "features": {"rows": features["rows"], "seconds": round(features["seconds"], 3)},
        "training_set": {"rows": training_set["rows"], "seconds": round(training_set["seconds"], 3)},
        "retrieval": {
            "seconds": round(retrieval["seconds"], 3),
            "recall_at_100": retrieval["recall_at_100"],
        },
        "ranking": {"seconds": round(ranking["seconds"], 3), "auc": ranking["auc"]},
        "baselines": {
            name: {"ndcg_at_10": evaluation["baselines"][name]["ndcg_at_10"]} for name in BASELINES
        },
        "release": {
            "version": str(registered["version"]),
            "alias": promoted["alias"],
            "ndcg_at_10": evaluation["release"]["ndcg_at_10"],
            "ndcg_at_10_ci95": evaluation["release"]["ndcg_at_10_ci95"],
            "recall_at_10": evaluation["release"]["recall_at_10"],
            "gate": registered["gate"],
        },
        "serving": {
            "seconds_from_promotion_to_served": round(served.seconds_from_promotion, 3),
            "p50_ms": round(served.p50_ms, 3),
        },
        "dag_runs": [
            {"dag_id": dag_id, "run_id": followed.runs[dag_id].run_id, "state": followed.runs[dag_id].state}
            for dag_id in DAGS
        ],
        "peak_memory_mb": round(peak_memory_mb, 1),
        "total_seconds": round(total_seconds, 1),
    }


def write_report(report: dict[str, Any], home: Path) -> Path:
    """Write `report.json` into the folder of the demo."""
    file = home / "report.json"
    file.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    return file


def read_report(home: Path) -> dict[str, Any]:
    """The report of the run that made what is in the folder."""
    report: dict[str, Any] = json.loads((home / "report.json").read_text())
    return report
