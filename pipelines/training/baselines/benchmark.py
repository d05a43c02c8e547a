"""The field that a release is held against: at one instant, for the same users, in a budget of time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from pipelines.evaluation import GroundTruth
from pipelines.runtime import read_instant
from pipelines.training.baselines.evaluate import JUDGED_USERS, ValidationSet, ranked_lists
from pipelines.training.baselines.fit_data import FitData, type_weights
from pipelines.training.baselines.recommender import Recommender, WithFallback
from pipelines.training.baselines.registry import MODELS, reason_against
from pipelines.training.baselines.tune import PADDING, choose
from pipelines.training.config import Budget, FrozenConfig
from pipelines.training.data import VALIDATION, Histories, TrainingSet
from serving.bundle import ITEMS

ALWAYS = (PADDING, "personal_frequency", "item_knn")
"""Cheap models that are hard to beat: a release is always held against them, no budget leaves them out."""

PROBED_USERS = 48
"""Users by whose lists it is told how long everybody's will take."""


class BaselineConfig(FrozenConfig):
    """Which baselines a release is held against, and how long that may take."""

    models: tuple[str, ...] = tuple(MODELS)
    """Of `MODELS`, besides those of `ALWAYS`; the cheap ones come first."""

    budget_minutes: float = Field(default=5, gt=0)
    """Minutes for all of them: settings, fitting and lists. A model that does not fit in is left out."""

    tuned: bool = True
    """Whether settings are chosen on validation; if not, every model has its defaults."""

    @field_validator("models")
    @classmethod
    def _are_known(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(models) - set(MODELS)):
            raise ValueError(f"expected baselines out of {', '.join(MODELS)}, received {', '.join(unknown)}")
        return models


FIELDS: Mapping[Budget, BaselineConfig] = {
    "full": BaselineConfig(),
    "demo": BaselineConfig(models=(*ALWAYS, "sequence_rules"), budget_minutes=0.75, tuned=False),
    "short": BaselineConfig(models=(*ALWAYS, "sequence_rules"), budget_minutes=0.75, tuned=False),
}
"""By the budget of the training that the field stands beside."""


@dataclass(slots=True)
class BaselineResults:
    """What the field would have shown, and what is missing in it."""

    lists: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)
    """Model → [U, k] item indices of the bundle, best first, -1 = none."""
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Model → `settings`; where they were chosen also `ndcg@10` on validation, `tried` and `all`."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Models that were left out, and why."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Model → how long its settings, fitting and lists took."""


def field_lists(
    workdir: Path,
    at: datetime | str,
    user_ids: Sequence[str],
    k: int = 10,
    config: BaselineConfig = FIELDS["short"],
) -> BaselineResults:
    """Lists of every baseline for these users, fitted on all that lies before the instant.

    Settings are chosen on the training set's validation requests, by models that see nothing from them on.
    Of the time that is left every model gets an equal share, half of it for choosing. A model is not begun
    where even the lists of popularity would take longer than what is left, and its lists are not made where
    those of its first users say so.

    Args:
        workdir: The bundle, with its training set beside it.
        at: The instant.
        user_ids: Users; those that were never met get the popular items.
        k: Length of the lists.
        config: Which baselines, and how long.
    """
    started_s = time.perf_counter()
    deadline_s = started_s + 60 * config.budget_minutes
    material = TrainingSet.open(workdir)
    at = read_instant(at)
    known = _known(material, at)
    histories = _asking(material, known, user_ids, at)
    past = _known(material, material.split.validation_from) if config.tuned else known
    judge = _judge(material, past) if config.tuned else None
    made, least_s = BaselineResults(), 0.0
    past_padding: Recommender | None = None
    padding: Recommender | None = None
    names = [*ALWAYS, *(name for name in MODELS if name in config.models and name not in ALWAYS)]
    for place, name in enumerate(names):
        began_s = time.perf_counter()
        left_s = deadline_s - began_s
        if reason := reason_against(name, known) or (None if name in ALWAYS else _too_late(least_s, left_s)):
            made.skipped[name] = reason
            continue
        until_s = began_s + left_s / (len(names) - place) / 2
        fitted = choose(name, past, judge, past_padding, until_s)
        model = fitted.model if past is known else MODELS[name].fit(known, **fitted.settings)
        if padding is None:
            past_padding, padding = fitted.model, model
        padded = model if model is padding else WithFallback(model, padding)
        if name not in ALWAYS and (reason := _too_slow(padded, histories, k, deadline_s)):
            made.skipped[name] = reason
            continue
        listing_s = time.perf_counter()
        made.lists[name] = ranked_lists(padded, histories, k, repeats=True)
        ended_s = time.perf_counter()
        least_s = least_s or ended_s - listing_s
        made.chosen[name] = {**fitted.chosen, "settings": dict(fitted.settings)}
        made.seconds[name] = round(ended_s - began_s, 2)
    return made


def _too_late(least_s: float, left_s: float) -> str | None:
    """Why a model is not begun with so much time left; None where it may be."""
    if left_s > least_s:
        return None
    return (
        f"{max(left_s, 0):.0f} s of the budget were left before it, and the lists of popularity alone took "
        f"{least_s:.0f} s"
    )


def _too_slow(model: Recommender, histories: Histories, k: int, deadline_s: float) -> str | None:
    """Why the lists of a fitted model are not made; None where they will be ready in time."""
    some = histories.take(slice(0, PROBED_USERS))
    started_s = time.perf_counter()
    ranked_lists(model, some, k, repeats=True)
    now_s = time.perf_counter()
    needed_s = (now_s - started_s) / max(len(some), 1) * len(histories)
    if now_s + needed_s <= deadline_s:
        return None
    left_s = max(deadline_s - now_s, 0)
    return f"its lists would take {needed_s:.0f} s, and {left_s:.0f} s of the budget are left"


def _known(material: TrainingSet, at: datetime) -> FitData:
    """Everything that a baseline may look at before the instant."""
    return FitData(
        material.interactions.before(at),
        len(material.user_ids),
        pq.read_table(material.workdir / ITEMS),
        type_weights(material.event_types, material.target_types),
        material.config.seed,
    )


def _asking(material: TrainingSet, known: FitData, user_ids: Sequence[str], at: datetime) -> Histories:
    """What the users had done; nothing for those that the training set does not know."""
    rows = pc.index_in(pa.array(user_ids, pa.string()), value_set=material.user_ids).fill_null(-1).to_numpy()
    return Histories.of(known.interactions, rows.astype(np.int64), np.full(len(rows), int(at.timestamp())))


def _judge(material: TrainingSet, past: FitData) -> ValidationSet:
    """The validation requests that were followed by something, or a seeded sample where there are many."""
    n_items, seed = past.n_items, material.config.seed
    users, items = np.divmod(material.labels(VALIDATION, material.target_types), np.int64(n_items))
    rows = np.intersect1d(material.requests(VALIDATION).rows, users)
    if len(rows) > JUDGED_USERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, JUDGED_USERS, replace=False))
    wanted = np.isin(users, rows)
    sizes = np.bincount(np.searchsorted(rows, users[wanted]), minlength=len(rows))
    indptr = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    ids = material.user_ids.take(pa.array(rows))
    truth = GroundTruth(indptr, items[wanted].astype(np.int32), ids, n_items)
    at_s = np.full(len(rows), int(material.split.validation_from.timestamp()))
    return ValidationSet(Histories.of(past.interactions, rows, at_s), truth, material.repeats, seed)
