"""A trial of a backtest as material to train on: no lake and no feature store, all from the events."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.training.config import TrainingConfig
from pipelines.training.data import (
    CODE_COLUMNS,
    VALIDATION,
    EvaluationPoint,
    Histories,
    Interactions,
    LabelledPoint,
    ModelSplit,
    Requests,
    UserStates,
)
from pipelines.training.data.item_codes import item_codes
from pipelines.training.item_statistics import write_lookalikes, write_state_of
from serving.bundle import EVENT_WEIGHTS, Spec, declared_by, write_array, write_items, write_spec
from serving.engine import UserBatch

TEST = "test"
DAY_S = 86_400.0
PLACE_DECAYS = (0.5, 0.8)
"""What is left of an event's count for every other one of its user on one side of it."""

ITEM_FEATURES = (
    "events",
    "events_30d",
    "users",
    "age_days",
    "latest_50",
    "latest_80",
    "earliest_50",
    "earliest_80",
    "taken_next",
)
"""What is counted of each item, in place of the feature store's item features.

Of `latest_80` each event counts .8 for every later one of its user, of `earliest_80` for every earlier one.
Where times tell nothing, as in logs that keep the order alone, what stands at the end of histories is what is
taken now. So is what others took next, where a trial has folds: `taken_next` says how many times as often as
histories hold it."""

PRIOR_EVENTS = 10
"""Of an item: what it takes for `taken_next` to go half the way from 1 to what was counted."""


@dataclass(frozen=True)
class EventTrainingSet:
    """A trial, seen as the material of both models, with a bundle under construction in `workdir`."""

    trial: ModelSplit
    workdir: Path
    config: TrainingConfig
    test: EvaluationPoint | None = None
    """Requests to answer in the end; nothing is learned from them."""

    def begin(self) -> None:
        """Write what training does not change into the bundle, and the first stage's item state."""
        self.workdir.mkdir(parents=True, exist_ok=True)
        write_items(self.workdir, self.trial.catalogue)
        counts = np.bincount(self.learning.items, minlength=self.n_items)
        retrieval = self.config.retrieval
        codes = item_codes(self.trial.catalogue, counts, retrieval.min_item_events, retrieval.max_item_ids)
        spec = Spec(
            history_length=self.config.history_length,
            history_length_retrieval=min(retrieval.history_length, self.config.history_length),
            candidates=self.config.candidates,
            event_types=self.event_types,
            code_columns=CODE_COLUMNS,
            sources=self.config.sources,
            item_features=ITEM_FEATURES,
            item_vocabulary_size=int(codes[:, 0].max(initial=0)),
            target_types=self.target_types,
            event_weights={**EVENT_WEIGHTS, **declared_by(self.target_types)},
            repeats=self.repeats,
        )
        write_spec(self.workdir, spec)
        write_array(self.workdir, "item_codes", codes)
        write_array(self.workdir, "item_vectors", np.zeros((self.n_items, 1), np.float32))
        write_lookalikes(self)
        write_state_of(self, self.ranking_names[0])

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return int(self.trial.catalogue.num_rows)

    @property
    def event_types(self) -> tuple[str, ...]:
        """Names of the 1-based type codes."""
        return self.trial.event_types

    @property
    def target_types(self) -> tuple[str, ...]:
        """Types that count as success."""
        return self.trial.target_types

    @property
    def n_users(self) -> int:
        """Rows of users, those of requests that nobody known makes included."""
        return max(self.trial.n_users, *(len(stage.histories) for stage in self._stages.values()))

    @property
    def repeats(self) -> bool:
        """Whether an item that a user had before may be wanted again."""
        return self.trial.repeats

    @property
    def learning(self) -> Interactions:
        """The events that retrieval learns from."""
        return self.trial.learning

    @property
    def ranking_names(self) -> list[str]:
        """Names of the stages that the ranking model learns from, oldest first."""
        return [name for name in self._stages if name.startswith("ranking-")]

    def known(self, name: str) -> Interactions:
        """The events that counts and neighbours of that stage are made from."""
        return self._stages[name].known

    def at_s(self, name: str) -> float:
        """Unix seconds of the newest request of that stage."""
        return float(self._stages[name].histories.at_s.max(initial=0))

    def requests(self, name: str) -> Requests:
        """The requests of that stage; a request's place in it stands for its user."""
        histories = self._stages[name].histories
        return Requests(np.arange(len(histories)), users_of(histories, self.config.history_length))

    def labels(self, name: str, types: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Ascending keys `request * n_items + item` of what was taken after each, by these types."""
        stage = self._labelled(name)
        wanted = [stage.wanted] if types == self.target_types else [stage.others[one] for one in types]
        requests = np.arange(len(stage.histories))
        keys = [
            np.repeat(requests, np.diff(taken.indptr)) * np.int64(self.n_items) + taken.items
            for taken in wanted
        ]
        return np.unique(np.concatenate(keys))

    def ratings(self, name: str) -> Interactions:
        """None: a trial tells what was taken, not how it was rated."""
        return self._stages[name].known.rows(np.zeros(0, np.int64))

    def item_features(self, name: str) -> npt.NDArray[np.float32]:
        """[n, F] counts of the stage's known events, in the order of `ITEM_FEATURES`."""
        events, at_s = self.known(name), self.at_s(name)
        ages = np.maximum(at_s - events.times, 0) / DAY_S
        pairs = np.unique(events.users * np.int64(self.n_items) + events.items) % self.n_items
        first = np.full(self.n_items, np.inf)
        np.minimum.at(first, events.items, events.times)
        places = _places(events.users)
        counted = [
            np.bincount(events.items, minlength=self.n_items),
            np.bincount(events.items[ages <= 30], minlength=self.n_items),
            np.bincount(pairs, minlength=self.n_items),
            np.where(np.isfinite(first), np.maximum(at_s - first, 0) / DAY_S, np.nan),
            *(
                np.bincount(events.items, decay**place, self.n_items)
                for place in reversed(places)
                for decay in PLACE_DECAYS
            ),
            self._taken_next(name),
        ]
        return np.stack(counted, axis=1).astype(np.float32)

    def user_states(self) -> UserStates:
        """None: users are known by their histories alone."""
        nobody = np.zeros(0, np.int64)
        return UserStates(nobody, nobody, np.zeros((0, 0), np.float32), np.zeros((0, 0), np.int32))

    def _taken_next(self, name: str) -> npt.NDArray[np.float64]:
        """[n] of `ITEM_FEATURES`, by users of whom none asks at that stage; NaN where there are none."""
        told = [*self.ranking_names, *([VALIDATION] if name == TEST else [])] if self.trial.folds else []
        others = [self._labelled(other).wanted.items for other in told if other != name]
        taken = np.bincount(np.concatenate([np.zeros(0, np.int32), *others]), minlength=self.n_items)
        held = np.bincount(self.learning.items, minlength=self.n_items)
        if not taken.any():
            return np.full(self.n_items, np.nan)
        as_held: npt.NDArray[np.float64] = taken * (held.sum() / taken.sum())
        return (as_held + PRIOR_EVENTS) / (held + PRIOR_EVENTS)

    @cached_property
    def _stages(self) -> dict[str, EvaluationPoint]:
        stages: dict[str, EvaluationPoint] = {
            f"ranking-{place}": one for place, one in enumerate(self.trial.ranking)
        }
        stages[VALIDATION] = self.trial.validation
        return stages if self.test is None else {**stages, TEST: self.test}

    def _labelled(self, name: str) -> LabelledPoint:
        stage = self._stages[name]
        if not isinstance(stage, LabelledPoint):
            raise KeyError(f"{name} has no labels to learn from")
        return stage


def _places(users: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """[E] events of the same user before each, and behind it; rows are ordered by user."""
    index = np.arange(len(users))
    begins = np.append(True, users[1:] != users[:-1])[: len(users)]
    sizes = np.diff(np.append(np.flatnonzero(begins), len(users)))
    before = index - np.repeat(index[begins], sizes)
    return before, np.repeat(sizes, sizes) - 1 - before


def users_of(histories: Histories, length: int) -> UserBatch:
    """The users of histories, with nothing known but their last events."""
    rows = histories.latest(length)
    known = rows >= 0
    # One event behind all others stands for padding, so that an empty table can be read, too.
    items, types, times = (
        np.append(values, np.zeros(1, values.dtype))[rows]
        for values in (histories.items, histories.types, histories.times)
    )
    ages = np.where(known, histories.at_s[:, None] - times, 0)
    return UserBatch(
        history_items=np.where(known, items, -1).astype(np.int32),
        history_types=np.where(known, types, 0).astype(np.int32),
        history_ages_s=np.maximum(ages, 0).astype(np.float32),
        features=np.zeros((len(histories), 0), np.float32),
        profile=np.zeros((len(histories), 0), np.int32),
    )
