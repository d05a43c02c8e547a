"""The evaluation report: `report.json` for programs, `report.html` for people.

The page is one file with its style and plots inside, without scripts, so that it opens the same in the MLflow
artifact viewer, from a disk and in ten years.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from pipelines.errors import EvaluationError
from pipelines.evaluation import plots
from pipelines.evaluation.bootstrap import Interval
from pipelines.evaluation.evaluation import Evaluation

FORMAT = 1
"""Version of `report.json`."""

CHAMPION = "champion"
"""Name of the approved release among an evaluation's models; it is not a baseline."""

_BARS = ("ndcg", "recall", "precision", "hit_rate")


def write_report(
    evaluation: Evaluation,
    directory: Path,
    *,
    title: str = "Release report",
    facts: Mapping[str, object] | None = None,
    release: str = "release",
    verdict: Mapping[str, Any] | None = None,
) -> Path:
    """Write `report.json` and `report.html` into the directory, and return the page's path.

    Args:
        evaluation: What was measured.
        directory: Made if it is not there.
        title: Heading of the page.
        facts: What the evaluation rests on (`as_of`, lake versions, code revision), shown as a table.
        release: Which of the models the report is about.
        verdict: The gate's decision as a mapping with `passed`, `reasons` and `checks`; None before the gate.
    """
    if release not in evaluation.scores:
        raise EvaluationError(
            f"expected a model named {release!r} in the evaluation, received {', '.join(evaluation.scores)}"
        )
    directory.mkdir(parents=True, exist_ok=True)
    content = report_content(evaluation, facts=facts, release=release, verdict=verdict)
    page = directory / "report.html"
    (directory / "report.json").write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")
    page.write_text(render_page(evaluation, content, title), "utf-8")
    return page


def report_content(
    evaluation: Evaluation,
    *,
    facts: Mapping[str, object] | None = None,
    release: str = "release",
    verdict: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report as strict JSON values; a figure that could not be measured is null."""
    models = {
        name: {
            "metrics": evaluation.metrics(name),
            "ci95": evaluation.ci95(name),
            "slices": {key: _interval(found) for key, found in evaluation.slice_intervals[name].items()},
            "outcomes": {task: asdict(outcome) for task, outcome in scores.outcomes.items()},
            "parity": [asdict(part) for part in scores.parity],
            "recall_by_k": scores.recall_curve.tolist(),
            "popularity_shares": scores.popularity_shares.tolist(),
        }
        for name, scores in evaluation.scores.items()
    }
    content = {
        "format": FORMAT,
        "release": release,
        "headline": evaluation.headline,
        "ks": list(evaluation.ks),
        "dataset": dict(evaluation.dataset),
        "facts": dict(facts or {}),
        "models": models,
        "best_baseline": best_baseline(evaluation, release),
        "differences": {
            other: {metric: _interval(found) for metric, found in found_by_metric.items()}
            for other, found_by_metric in evaluation.differences(release).items()
        },
        "popularity_bins": evaluation.popularity_bins.tolist(),
        "true_popularity_shares": evaluation.true_popularity_shares.tolist(),
        "gate": dict(verdict) if verdict is not None else None,
    }
    values: dict[str, Any] = plain(content)
    return values


def best_baseline(evaluation: Evaluation, release: str) -> str | None:
    """The model with the best headline metric beside the release and the champion; None without any."""
    others = {n: s.headline_mean for n, s in evaluation.scores.items() if n not in (release, CHAMPION)}
    return max(others, key=others.__getitem__) if others else None


def render_page(evaluation: Evaluation, content: dict[str, Any], title: str) -> str:
    """The page of a report's content, as one HTML text."""
    release, best = content["release"], content["best_baseline"]
    palette = plots.colours(list(evaluation.scores), release, CHAMPION)
    compared = [name for name in (release, CHAMPION, best) if name in evaluation.scores]
    k = evaluation.headline.rpartition("@")[2]
    loader = jinja2.PackageLoader("pipelines.evaluation")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["spoken"] = plots.spoken
    environment.filters["figure"] = _figure
    return environment.get_template("report.html").render(
        title=title,
        content=content,
        k=k,
        palette=palette,
        compared=compared,
        bars=plots.metric_bars(evaluation, [f"{metric}@{k}" for metric in _BARS], palette),
        slices=plots.slice_dots(evaluation, compared, palette),
        recall=plots.recall_curves(evaluation, palette),
        popularity=plots.popularity_histogram(evaluation, compared, palette),
        calibration={
            task: plots.calibration_plot(task, outcome)
            for task, outcome in evaluation.scores[release].outcomes.items()
        },
    )


def _figure(value: float | None, digits: int = 4) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _interval(found: Interval) -> dict[str, Any]:
    return {**found.to_json(), "users": found.users}


def plain(value: Any) -> Any:
    """The value with tuples as lists, keys as strings and figures that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
