"""Figures of judged search queries: means with intervals, differences, folds and slices, as JSON values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.judged_search.judgments import JudgedQuery, JudgedSearch
from pipelines.backtest.judged_search.rankings import Searched
from pipelines.backtest.ranking_run import peak_mb
from pipelines.evaluation import Interval, intervals, plain

METRICS = ("ndcg@10", "recall@50", "recall@100", "mrr", "ndcg@10_judged")
"""`ndcg@10_judged` leaves unjudged items out of the lists; in the others they are not relevant."""


def describe_searched(judged: JudgedSearch, config: BacktestConfig, searched: Searched) -> dict[str, Any]:
    """The figures of the first ranking asked for, of the others as its baselines, and what lies between them.

    Only search queries that have a relevant item count; those without are counted apart.
    """
    model, *others = config.models
    figures = {
        name: np.array(
            [
                measured(query, found, judged.relevant_from)
                for query, found in zip(judged.queries, lists, strict=True)
            ]
        )
        for name, lists in searched.lists.items()
    }
    found = {name: intervals(values, seed=config.seed) for name, values in figures.items()}
    differences = {name: intervals(figures[model] - figures[name], seed=config.seed) for name in others}
    values: dict[str, Any] = plain(
        {
            "ok": True,
            "folder": judged.name,
            "dataset": {
                "items": judged.items.num_rows,
                "queries": len(judged.queries),
                "judgments": sum(len(query.items) for query in judged.queries),
            },
            "protocol": config.protocol,
            "seed": config.seed,
            "relevant_from": judged.relevant_from,
            "model_name": model,
            "train_seconds": round(searched.build_seconds[model], 3),
            "score_seconds": round(searched.query_ms[model] * len(judged.queries) / 1e3, 3),
            "query_ms": {name: round(spent, 3) for name, spent in searched.query_ms.items()},
            "peak_mb": round(peak_mb(), 1),
            "model": _means(found[model]),
            "ci95": _ends(found[model]),
            "baselines": {name: _means(found[name]) for name in others},
            "baselines_ci95": {name: _ends(found[name]) for name in others},
            "differences": {
                name: {metric: each.to_json() for metric, each in zip(METRICS, columns, strict=True)}
                for name, columns in differences.items()
            },
            "slices": _slices(judged, figures, model),
            "counts": {
                "queries_without_a_relevant_item": int(np.isnan(figures[model][:, 0]).sum()),
                "judgments_of_unknown_items": judged.judged_elsewhere,
                "queries_without_results": {
                    name: sum(len(items) == 0 for items in lists) for name, lists in searched.lists.items()
                },
            },
        }
    )
    return values


def measured(query: JudgedQuery, listed: NDArray[np.int64], relevant_from: float) -> list[float]:
    """`METRICS` of one list; NaN where the search query has no item to find.

    Args:
        query: With its judgments.
        listed: Rows of the items, best first.
        relevant_from: Grade from which an item is relevant for recall and MRR.
    """
    grade_of = dict(zip(query.items.tolist(), query.grades.tolist(), strict=True))
    grades = np.array([grade_of.get(row, 0.0) for row in listed.tolist()])
    of_judged = np.array([grade_of[row] for row in listed.tolist() if row in grade_of])
    relevant = int((query.grades >= relevant_from).sum())
    hits = np.flatnonzero(grades >= relevant_from)
    best = _dcg(np.sort(query.grades)[::-1])
    return [
        _dcg(grades) / best if best else np.nan,
        float((hits < 50).sum()) / relevant if relevant else np.nan,
        float((hits < 100).sum()) / relevant if relevant else np.nan,
        (1 / (hits[0] + 1) if len(hits) else 0.0) if relevant else np.nan,
        _dcg(of_judged) / best if best else np.nan,
    ]


def _dcg(grades: NDArray[np.float64]) -> float:
    """Discounted gain of the first ten, 2^grade - 1 each."""
    first = grades[:10]
    return float(((2.0**first - 1) / np.log2(np.arange(2, len(first) + 2))).sum())


def _means(columns: list[Interval]) -> dict[str, float]:
    return {metric: each.mean for metric, each in zip(METRICS, columns, strict=True)}


def _ends(columns: list[Interval]) -> dict[str, tuple[float, float]]:
    return {metric: (each.low, each.high) for metric, each in zip(METRICS, columns, strict=True)}


def _slices(judged: JudgedSearch, figures: dict[str, NDArray[np.float64]], model: str) -> dict[str, Any]:
    """Slice → its search queries and every ranking's NDCG@10 there."""
    words = np.array([len(query.text.split()) for query in judged.queries])
    digits = np.array([any(map(str.isdigit, query.text)) for query in judged.queries])
    folds = np.array([query.fold for query in judged.queries])
    masks = {f"fold:{fold}": folds == fold for fold in sorted(set(folds.tolist()))}
    masks |= {"words:1": words <= 1, "words:2": words == 2, "words:3+": words >= 3, "digits:yes": digits}
    known = ~np.isnan(figures[model][:, 0])
    return {
        name: {
            "queries": int((mask & known).sum()),
            "metric": METRICS[0],
            "model": float(figures[model][mask & known, 0].mean()),
            "baselines": {
                other: float(values[mask & known, 0].mean())
                for other, values in figures.items()
                if other != model
            },
        }
        for name, mask in masks.items()
        if (mask & known).any()
    }
