"""The second stage beside a peer: our ranker and LightGBM's LambdaMART on the same lists and features.

Both learn from the same ranking rows, stop early by the same validation requests, and are measured on others
that neither has seen. LambdaMART: Burges, "From RankNet to LambdaRank to LambdaMART" (2010).
"""

import tempfile
import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.backtest import BacktestConfig
from pipelines.backtest.data import read_dataset
from pipelines.backtest.protocols import find_cut, prepare
from pipelines.errors import BacktestError
from pipelines.evaluation import (
    Interval,
    ItemSets,
    calibration_error,
    interval,
    metrics_of_hits,
    paired_interval,
)
from pipelines.training import TEST, Budget, EventTrainingSet, TrainingConfig
from pipelines.training.data import VALIDATION, LabelledPoint, ModelSplit

HELD_OUT_SHARE = 0.5
"""Share of the validation requests that is kept from both sides, to measure them on."""

METRIC = "ndcg@10"

PEER: dict[str, Any] = {
    "objective": "lambdarank",
    "metric": "None",
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "num_threads": 2,
    "deterministic": True,
    "verbosity": -1,
}
"""LightGBM's settings; the number of trees is chosen by early stopping."""

MOST_TREES, PATIENCE_TREES = 1_500, 75


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two said of the held-out requests."""

    scores: NDArray[np.floating]
    """[R, C] of the offered items, -inf at padding."""
    seconds: float
    """How long it trained, the making of the rows left out."""


def measure_second_stage(
    folder: str, protocol: str = "leave-one-out", budget: Budget = "full", seed: int = 0
) -> dict[str, Any]:
    """Train retrieval once and both second stages behind it, and measure them on held-out requests.

    Args:
        folder: In the layout of a backtest.
        protocol: One that ranks items.
        budget: That of retrieval's training, and of our ranker's.
        seed: Of every draw.

    Returns:
        `ndcg@10` of `ours`, of the `peer` and of `retrieval` alone (the order in which items were offered),
        with 95 % intervals; the paired `difference` of ours and the peer; `calibration_error` of ours;
        seconds of each side and of what both share; how many requests and rows there were.

    Raises:
        BacktestError: The folder is not what it should be, or too few held-out requests have an answer.
    """
    from pipelines.training.ranking import ranking_rows
    from pipelines.training.retrieval import export, fit_source_weights
    from pipelines.training.retrieval.train import train as train_retrieval

    config = BacktestConfig.model_validate({"protocol": protocol, "models": ("aisle",), "seed": seed})
    dataset = read_dataset(Path(folder), with_test=protocol == "explicit")
    trial, held_out = with_held_out(prepare(dataset, find_cut(dataset, config), config).trial, seed)
    choices = TrainingConfig.of(None, budget=budget).model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as workdir:
        material = EventTrainingSet(trial, Path(workdir) / "bundle", choices, held_out)
        started = time.perf_counter()
        material.begin()
        export.export(train_retrieval(material), material)
        fit_source_weights(material)
        retrieved = time.perf_counter()
        learning = [ranking_rows(material, name) for name in material.ranking_names]
        choosing = ranking_rows(material, VALIDATION)
        rows_s = time.perf_counter() - retrieved
        measured = ranking_rows(material, TEST)
        peer, trees = _peer(learning, choosing, measured, seed)
        ours, error = _ours(material, measured, rows_s)
    asked = measured.wanted > 0
    if np.count_nonzero(asked) < 2:
        raise BacktestError(
            f"expected at least 2 held-out requests with an answer in {folder}, received "
            f"{np.count_nonzero(asked)}; use more events"
        )
    offered = np.where(measured.items >= 0, -np.arange(measured.items.shape[1]), -np.inf)
    by_side = {"ours": ours.scores, "peer": peer.scores, "retrieval": offered}
    values = {name: ndcgs(scores, measured)[asked] for name, scores in by_side.items()}
    return {
        "folder": dataset.name,
        "protocol": protocol,
        "budget": budget,
        "seed": seed,
        "metric": METRIC,
        "learning_requests": sum(len(rows) for rows in learning),
        "learning_rows": sum(int((rows.items >= 0).sum()) for rows in learning),
        "choosing_requests": len(choosing),
        "held_out_requests": int(np.count_nonzero(asked)),
        "features": _features(measured, np.arange(1)).shape[-1],
        **{name: _told(interval(own, seed=seed)) for name, own in values.items()},
        "difference": _told(paired_interval(values["ours"], values["peer"], seed=seed)),
        "calibration_error": round(error, 5),
        "peer_trees": trees,
        "retrieval_seconds": round(retrieved - started, 2),
        "rows_seconds": round(rows_s, 2),
        "seconds": round(ours.seconds, 2),
        "peer_seconds": round(peer.seconds, 2),
    }


def with_held_out(trial: ModelSplit, seed: int) -> tuple[ModelSplit, LabelledPoint]:
    """The trial with a part of its validation requests only, and the others, drawn with a seed."""
    n = len(trial.validation.histories)
    drawn = np.random.default_rng((seed, 1)).permutation(n)
    kept, held_out = np.split(drawn, [n - round(HELD_OUT_SHARE * n)])
    return (
        replace(trial, validation=_part(trial.validation, np.sort(kept))),
        _part(trial.validation, np.sort(held_out)),
    )


def ndcgs(scores: NDArray[np.floating], rows: Any, k: int = 10) -> NDArray[np.float64]:
    """[R] NDCG@k of each request, NaN where nothing was wanted; what was not offered counts as missed.

    Args:
        scores: [R, C] of the offered items, -inf at padding.
        rows: The requests' `RankingRows`; the first task is what was wanted.
        k: Length of the lists.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.zeros((len(best), k), bool)
    hits[:, : best.shape[1]] = np.take_along_axis(np.nan_to_num(rows.labels[..., 0]) > 0, best, 1)
    return metrics_of_hits(hits, rows.wanted, [k])[f"ndcg@{k}"]


def _part(stage: LabelledPoint, chosen: NDArray[np.int64]) -> LabelledPoint:
    """Some of the requests, with their labels."""
    return replace(
        stage,
        histories=stage.histories.take(chosen),
        wanted=_wanted(stage.wanted, chosen),
        others={name: _wanted(one, chosen) for name, one in stage.others.items()},
    )


def _wanted(wanted: ItemSets, chosen: NDArray[np.int64]) -> ItemSets:
    rows = np.repeat(np.arange(len(wanted.indptr) - 1), np.diff(wanted.indptr))
    indptr = np.concatenate(([0], np.cumsum(np.diff(wanted.indptr)[chosen]))).astype(np.int64)
    return ItemSets(indptr, wanted.items[np.isin(rows, chosen)])


def _ours(material: EventTrainingSet, measured: Any, rows_s: float) -> tuple[Side, float]:
    """Our ranker on the held-out requests, and the calibration error of its first probability there.

    It makes its rows itself; `rows_s`, what making them took before, is taken off its seconds.
    """
    from pipelines.training.ranking import predict, sigmoid
    from pipelines.training.ranking.train import train

    started = time.perf_counter()
    trained = train(material)
    seconds = time.perf_counter() - started - rows_s
    scores, logits = predict(trained.network, measured)
    listed = measured.items >= 0
    probabilities = sigmoid(logits[..., 0][listed] * trained.scales[0] + trained.offsets[0])
    return Side(scores, seconds), calibration_error(measured.labels[..., 0][listed], probabilities)


def _peer(learning: list[Any], choosing: Any, measured: Any, seed: int) -> tuple[Side, int]:
    """LambdaMART on the held-out requests, and its number of trees.

    Lists without anything wanted teach it nothing and are left out.
    """
    try:
        lightgbm = import_module("lightgbm")
    except (ImportError, OSError) as error:
        raise BacktestError(
            f"expected LightGBM, the peer of this benchmark, received {error}; install the extra `dev`, and "
            "the system's OpenMP library (libgomp) where it is missing"
        ) from error

    started = time.perf_counter()
    parts = [(rows, np.flatnonzero(_taken(rows).any(axis=1))) for rows in learning]
    if not any(len(chosen) for _, chosen in parts):
        raise BacktestError(
            "expected lists to learn from that hold what was wanted, received none; use more events"
        )
    features = np.concatenate([_listed(rows, chosen) for rows, chosen in parts])
    labels = np.concatenate([_taken(rows)[chosen][rows.items[chosen] >= 0] for rows, chosen in parts])
    groups = np.concatenate([(rows.items[chosen] >= 0).sum(axis=1) for rows, chosen in parts])
    every = np.arange(len(choosing))
    listed = choosing.items >= 0

    def judge(said: NDArray[np.float64], _: Any) -> tuple[str, float, bool]:
        scores = np.full(listed.shape, -np.inf)
        scores[listed] = said
        asked = choosing.wanted > 0
        return METRIC, float(ndcgs(scores, choosing)[asked].mean()) if asked.any() else 0.0, True

    data = lightgbm.Dataset(features, labels.astype(np.float32), group=groups, params={"verbosity": -1})
    looked_at = lightgbm.Dataset(
        _listed(choosing, every), _taken(choosing)[listed], group=listed.sum(axis=1), reference=data
    )
    model = lightgbm.train(
        {**PEER, "seed": seed},
        data,
        MOST_TREES,
        valid_sets=[looked_at],
        feval=judge,
        callbacks=[lightgbm.early_stopping(PATIENCE_TREES, verbose=False)],
    )
    seconds = time.perf_counter() - started
    scores = np.full(measured.items.shape, -np.inf)
    scores[measured.items >= 0] = model.predict(_listed(measured, np.arange(len(measured))))
    return Side(scores, seconds), int(model.best_iteration)


def _taken(rows: Any) -> NDArray[np.bool_]:
    """[R, C] which offered items were wanted."""
    taken: NDArray[np.bool_] = (np.nan_to_num(rows.labels[..., 0]) > 0) & (rows.items >= 0)
    return taken


def _listed(rows: Any, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """[P, features] of the offered items of some requests, one list behind the other."""
    listed: NDArray[np.float32] = _features(rows, chosen)[rows.items[chosen] >= 0]
    return listed


def _features(rows: Any, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """[B, C, features] all that our network is given of some requests, as one matrix."""
    from pipelines.training.ranking import network_inputs

    given = network_inputs(rows, chosen)
    shape = rows.items[chosen].shape
    parts = [np.asarray(values, np.float32) for values in given.values()]
    wide = [
        np.broadcast_to(values[:, None, :], (*shape, values.shape[-1]))
        if name.startswith("user_")
        else values.reshape(*shape, -1)
        for (name, _), values in zip(given.items(), parts, strict=True)
    ]
    return np.concatenate(wide, axis=-1)


def _told(found: Interval) -> dict[str, Any]:
    return {"mean": round(found.mean, 5), "ci95": [round(found.low, 5), round(found.high, 5)]}
