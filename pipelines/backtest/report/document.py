"""The JSON document of a backtest."""

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset
from pipelines.backtest.ranking_run import Ranked, peak_mb
from pipelines.evaluation import plain


def describe_ranked(dataset: Dataset, config: BacktestConfig, ranked: Ranked) -> dict[str, Any]:
    """The figures as strict JSON values; a figure that could not be measured is null.

    `model` holds the metrics of the first model, `baselines` those of the others, `differences` the model
    less each baseline over the same users, with 95 % intervals.
    """
    evaluation, model = ranked.evaluation, ranked.model
    others = [name for name in evaluation.scores if name != model]
    values: dict[str, Any] = plain(
        {
            **describe_dataset(dataset, config),
            "ks": config.ks,
            "keep_seen": config.repeats,
            "fit": config.fit,
            "model_name": model,
            "requests": evaluation.dataset,
            "counts": ranked.counts,
            "skipped": ranked.skipped,
            "train_seconds": round(ranked.train_seconds[model], 3),
            "score_seconds": round(ranked.score_seconds[model], 3),
            "baseline_seconds": {
                name: {
                    "train": round(ranked.train_seconds[name], 3),
                    "score": round(ranked.score_seconds[name], 3),
                }
                for name in others
            },
            "peak_mb": round(peak_mb(), 1),
            "model": evaluation.metrics(model),
            "ci95": evaluation.ci95(model),
            "baselines": {name: evaluation.metrics(name) for name in others},
            "baselines_ci95": {name: evaluation.ci95(name) for name in others},
            "differences": {
                name: {metric: found.to_json() for metric, found in by_metric.items()}
                for name, by_metric in evaluation.differences(model).items()
            },
            "slices": _slices(ranked),
            "chosen": {name: spelled(chosen) for name, chosen in ranked.chosen.items()},
        }
    )
    return values


def describe_dataset(dataset: Dataset, config: BacktestConfig) -> dict[str, Any]:
    """What was backtested, as it stands at the head of every document."""
    met = dataset.events["item_id"].combine_chunks()
    if dataset.items is not None:
        met = pa.concat_arrays([met, dataset.items["item_id"].combine_chunks()])
    return {
        "ok": True,
        "folder": dataset.name,
        "dataset": {
            "users": pc.count_distinct(dataset.events["user_id"]).as_py(),
            "items": pc.count_distinct(met).as_py(),
            "events": dataset.events.num_rows,
        },
        "protocol": config.protocol,
        "seed": config.seed,
    }


def spelled(value: Any) -> Any:
    """The value with numbers that JSON cannot hold spelled out: an endless half-life is `inf`."""
    if isinstance(value, Mapping):
        return {str(key): spelled(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _slices(ranked: Ranked) -> dict[str, Any]:
    """Slice → users in it, and the headline metric of every model there."""
    found, model = ranked.evaluation.slice_intervals, ranked.model
    return {
        name: {
            "users": own.users,
            "metric": ranked.evaluation.headline,
            "model": own.to_json(),
            "baselines": {other: slices[name].to_json() for other, slices in found.items() if other != model},
        }
        for name, own in found[model].items()
    }
