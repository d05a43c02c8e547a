"""The figures of a backtest: lists of several models beside the answers that none of them has seen."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.metrics.slices import asker_slices, pair_slices
from pipelines.backtest.protocols import BacktestSplit
from pipelines.evaluation import Catalogue, Evaluation, evaluate

HEADLINE_K = 10
"""Length at which NDCG decides, where the lists are asked for at it."""


def asked_requests(prepared: BacktestSplit) -> NDArray[np.int64]:
    """Ascending distinct requests that have an answer: lists for the others could not be measured."""
    return np.unique(prepared.answers.requests)


def measure(
    prepared: BacktestSplit, lists: Mapping[str, NDArray[np.int32]], ks: Sequence[int], seed: int = 0
) -> Evaluation:
    """Every metric and slice of every model, with intervals over the same askers.

    Args:
        prepared: With the answers.
        lists: Model → lists `[R, max(ks)]` of the requests in the order of `asked_requests`.
        ks: Lengths to measure at.
        seed: Of the bootstrap.
    """
    answers = prepared.answers
    rows = np.searchsorted(asked_requests(prepared), answers.requests)
    return evaluate(
        {name: own[rows] for name, own in lists.items()},
        answers.truth,
        item_facts(prepared),
        prepared.test.histories.sizes[answers.requests],
        ks=tuple(ks),
        headline=f"ndcg@{HEADLINE_K if HEADLINE_K in ks else min(ks)}",
        more_users=asker_slices(prepared),
        more_pairs=pair_slices(prepared),
        seed=seed,
    )


def item_facts(prepared: BacktestSplit) -> Catalogue:
    """Popularity, age and category of the items, from what was known at the test."""
    trial, known = prepared.trial, prepared.test.known
    item_ids = trial.catalogue["item_id"].combine_chunks()
    events = pa.table(
        {
            "item_id": item_ids.take(pa.array(known.items)),
            "event_type": pa.array(np.array(["", *trial.event_types])[known.types]),
            "event_at": pa.array(known.times * 1_000_000).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    cutoff = datetime.fromtimestamp(int(known.times.max(initial=0)) + 1, UTC)
    return Catalogue.from_tables(item_ids, groups_of(trial.catalogue), events, cutoff, trial.target_types)


def groups_of(catalogue: pa.Table) -> pa.Array:
    """What diversity is measured by: each item's category; in shops without any, its first attribute."""
    category = catalogue["category"].combine_chunks()
    if category.null_count < len(category):
        return category
    attributes = catalogue["attributes"].combine_chunks()
    has_any = pc.greater(pc.fill_null(pc.list_value_length(attributes), 0), 0)
    firsts = pc.list_element(pc.if_else(has_any, attributes, pa.scalar([""], attributes.type)), 0)
    return pc.if_else(has_any, firsts, pa.scalar(None, pa.string()))
