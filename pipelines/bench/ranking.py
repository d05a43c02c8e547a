"""Full ranking: every item for every user, and all metrics of the lists, as a backtest does it."""

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.backtest.data import CATALOGUE
from pipelines.backtest.metrics import asked_requests, measure
from pipelines.backtest.models import list_requests
from pipelines.backtest.protocols import BacktestSplit, TestAnswers, all_of
from pipelines.evaluation import GroundTruth, ItemSets
from pipelines.runtime import peak_bytes
from pipelines.training.data import EvaluationPoint, Histories, Interactions, LabelledPoint, ModelSplit

EVENTS_OF_USER = 9
TRUE_ITEMS = 3
DIMENSIONS = 64
KS = (10, 20)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Scores as a two-tower model has them: a user is the mean of the vectors of the user's items."""

    items: NDArray[np.float32]
    """[n_items, DIMENSIONS]"""

    def scores(self, histories: Histories) -> NDArray[np.float32]:
        """[B, n_items] dot products of user and item vectors, moved above 0."""
        sums = np.zeros((len(histories), self.items.shape[1]), np.float32)
        np.add.at(sums, histories.rows, self.items[histories.items])
        scores: NDArray[np.float32] = sums @ self.items.T
        scores -= scores.min() - 1
        return scores


def measure_full_ranking(n_users: int = 35_000, n_items: int = 18_000, seed: int = 0) -> dict[str, float]:
    """Seconds and memory of listing and measuring; the data is drawn and its making not counted.

    Returns:
        `users`, `items`, how many `metrics` and `slices` were measured, `list_seconds`, `measure_seconds`,
        `seconds` and `cpu_seconds` of both, `peak_mb` of this process, which is to be a fresh one, and
        `ndcg@10`.
    """
    prepared, model = _drawn(n_users, n_items, seed)
    started, started_cpu = time.perf_counter(), time.process_time()
    asked = asked_requests(prepared)
    lists = list_requests(model, prepared.test, n_items, max(KS), repeats=False, requests=asked)
    listed = time.perf_counter()
    evaluation = measure(prepared, {"vectors": lists}, KS)
    figures = evaluation.metrics("vectors")
    slices = evaluation.slice_intervals["vectors"]
    ended = time.perf_counter()
    return {
        "users": n_users,
        "metrics": len(figures),
        "slices": len(slices),
        "items": n_items,
        "list_seconds": round(listed - started, 2),
        "measure_seconds": round(ended - listed, 2),
        "seconds": round(ended - started, 2),
        "cpu_seconds": round(time.process_time() - started_cpu, 2),
        "peak_mb": round(peak_bytes() / 1e6, 1),
        "ndcg@10": figures["ndcg@10"],
    }


def _drawn(n_users: int, n_items: int, seed: int) -> tuple[BacktestSplit, Vectors]:
    """Users with events drawn by a power law of popularity, and wishes drawn alike."""
    random = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users, dtype=np.int32), EVENTS_OF_USER)
    items = (n_items * random.random(len(users)) ** 2).astype(np.int32)
    known = Interactions(
        users=users,
        items=items,
        types=np.ones(len(users), np.int32),
        times=np.tile(np.arange(EVENTS_OF_USER) * 86_400, n_users),
        baskets=np.arange(len(users)),
        ratings=np.full(len(users), np.nan, np.float32),
    )
    histories = all_of(known, np.arange(n_users))
    wished = (n_items * random.random(n_users * TRUE_ITEMS) ** 2).astype(np.int64)
    pairs = np.unique(np.repeat(np.arange(n_users), TRUE_ITEMS) * np.int64(n_items) + wished)
    rows = pairs // n_items
    truth = GroundTruth(
        np.searchsorted(rows, np.arange(n_users + 1)).astype(np.int64),
        (pairs % n_items).astype(np.int32),
        pa.array(np.arange(n_users)).cast(pa.string()),
        n_items,
    )
    names = pa.array(np.arange(n_items)).cast(pa.string())
    columns = [names, *(pa.nulls(n_items, entry.type) for entry in list(CATALOGUE)[1:])]
    catalogue = pa.table(columns, schema=CATALOGUE)
    groups = pa.array(np.char.add("department ", (np.arange(n_items) % 12).astype(str)))
    catalogue = catalogue.set_column(3, "category", groups)
    nobody = LabelledPoint(known, histories.take(slice(0, 0)), ItemSets(np.zeros(1, np.int64), items[:0]))
    trial = ModelSplit(catalogue, n_users, ("view",), ("view",), known, (), nobody, False, seed)
    answers = TestAnswers(truth, np.arange(n_users), {"view": np.ones(len(pairs), bool)})
    vectors = Vectors(random.standard_normal((n_items, DIMENSIONS)).astype(np.float32))
    return BacktestSplit(trial, EvaluationPoint(known, histories), answers, {}), vectors
