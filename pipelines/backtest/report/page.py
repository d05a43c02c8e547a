"""What a backtest leaves for people: a page with plots, and an MLflow run where a tracking server is set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.ranking_run import Ranked
from pipelines.evaluation import render_page, report_content
from pipelines.settings import Settings

FACTS = ("protocol", "seed", "fit", "keep_seen", "train_seconds", "score_seconds", "peak_mb")
"""Parts of the document that the page shows as they are."""


def page_of(ranked: Ranked, document: Mapping[str, Any]) -> str:
    """The report as one HTML text, with its plots inside."""
    facts = {name: document[name] for name in FACTS if name in document}
    facts |= {"data": document["dataset"], **document["counts"]}
    facts |= {f"{name}, not fitted": reason for name, reason in ranked.skipped.items()}
    facts |= {f"{name}, chosen": _told(chosen) for name, chosen in document["chosen"].items()}
    content = report_content(ranked.evaluation, facts=facts, release=ranked.model)
    return render_page(
        ranked.evaluation, content, f"Backtest of {document['folder']}, {document['protocol']}"
    )


def write_page(page: str, path: Path) -> None:
    """Write the page, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def track(settings: Settings, config: BacktestConfig, document: Mapping[str, Any], page: str) -> str | None:
    """Id of the MLflow run that now holds the backtest; None where no tracking server is set."""
    if settings.tracking_uri is None:
        return None
    from pipelines.tracking import run

    tags = {"protocol": config.protocol, "data": document["folder"], "model": document["model_name"]}
    with run(settings, "backtest", tags=tags, system_metrics=False) as this:
        this.log_params(config)
        this.log_metrics({name: value for name, value in document["model"].items() if value is not None})
        this.log_metrics({name: document[name] for name in ("train_seconds", "score_seconds", "peak_mb")})
        this.log_json(document, "backtest.json")
        this.log_text(page, "backtest.html")
        return this.run_id


def _told(chosen: Mapping[str, Any]) -> str:
    """The choices in one line."""
    flat = {**chosen, **(chosen["settings"] if isinstance(chosen.get("settings"), Mapping) else {})}
    return ", ".join(f"{name} {value}" for name, value in flat.items() if not isinstance(value, Mapping))
