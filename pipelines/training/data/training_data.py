"""What both models are trained on, wherever it comes from: the lake of a shop, or a trial of a backtest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.training.config import TrainingConfig
from pipelines.training.data.interactions import Interactions
from serving.engine import UserBatch

VALIDATION = "validation"
"""Name of the requests that choices are made by."""

PROFILE_VALUES = 50
"""Most values of one profile feature with a code; rarer ones are unknown."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of many users, made at one stage."""

    rows: npt.NDArray[np.int64]
    """[B] rows of the users."""
    users: UserBatch


@dataclass(frozen=True, slots=True)
class UserStates:
    """Features of users over time, for retrieval: one row for each user and instant, ordered by both."""

    rows: npt.NDArray[np.int64]
    """[R] rows of the users."""
    at_s: npt.NDArray[np.int64]
    """[R] unix seconds from which the values are known."""
    features: npt.NDArray[np.float32]
    """[R, U], NaN = unknown."""
    profile: npt.NDArray[np.int32]
    """[R, P], 0 = unknown."""


class TrainingData(Protocol):
    """Events to learn from, and stages of requests with what was known then and what came after."""

    @property
    def workdir(self) -> Path:
        """The bundle under construction."""
        ...

    @property
    def config(self) -> TrainingConfig:
        """How to train."""
        ...

    @property
    def event_types(self) -> tuple[str, ...]:
        """Names of the 1-based type codes."""
        ...

    @property
    def target_types(self) -> tuple[str, ...]:
        """Types that count as success."""
        ...

    @property
    def n_users(self) -> int:
        """Rows of users."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether an item that a user had before may be wanted again."""
        ...

    @property
    def learning(self) -> Interactions:
        """The events that retrieval learns from; no label of any stage is among them."""
        ...

    @property
    def ranking_names(self) -> list[str]:
        """Names of the stages that the ranking model learns from, oldest first."""
        ...

    def known(self, name: str) -> Interactions:
        """The events that counts and neighbours of that stage are made from."""
        ...

    def at_s(self, name: str) -> float:
        """Unix seconds to which ages are counted in popularity at that stage."""
        ...

    def requests(self, name: str) -> Requests:
        """The requests of that stage."""
        ...

    def labels(self, name: str, types: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Ascending keys `user row * n_items + item` of what users did in the stage's window, by types."""
        ...

    def ratings(self, name: str) -> Interactions:
        """The events of the stage's window that bear ratings."""
        ...

    def item_features(self, name: str) -> npt.NDArray[np.float32]:
        """[n, F] item features as known at that stage."""
        ...

    def user_states(self) -> UserStates:
        """User features over time, for retrieval."""
        ...


def type_codes(event_types: tuple[str, ...], names: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """1-based codes of event types."""
    return np.array([event_types.index(name) + 1 for name in names], np.int32)
