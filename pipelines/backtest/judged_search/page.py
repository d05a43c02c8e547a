"""The page of a backtest of judged search queries."""

from collections.abc import Mapping
from typing import Any

import jinja2

from pipelines.backtest.judged_search.document import METRICS


def searched_page(document: Mapping[str, Any]) -> str:
    """The document as one HTML text, with its plot inside."""
    model = document["model_name"]
    models = {model: document["model"], **document["baselines"]}
    intervals = {model: document["ci95"], **document["baselines_ci95"]}
    loader = jinja2.PackageLoader("pipelines.backtest.judged_search")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("search.html").render(
        title=f"Backtest of {document['folder']}, search",
        document=document,
        metrics=METRICS,
        models=models,
        intervals=intervals,
    )
