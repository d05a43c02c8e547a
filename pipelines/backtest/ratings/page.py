"""The page of a backtest of predicted ratings."""

from collections.abc import Mapping
from typing import Any

import jinja2

from pipelines.evaluation import error_bars


def rated_page(document: Mapping[str, Any]) -> str:
    """The document as one HTML text, with its plot inside."""
    model = document["model_name"]
    models = {model: document["model"], **document["baselines"]}
    intervals = {model: document["ci95"], **document["baselines_ci95"]}
    loader = jinja2.PackageLoader("pipelines.backtest.ratings")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("ratings.html").render(
        title=f"Backtest of {document['folder']}, ratings",
        document=document,
        models=models,
        intervals=intervals,
        bars=error_bars(models, intervals, model),
    )
