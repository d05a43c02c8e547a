"""The training set: everything the models learn from, as it was known at each instant, on disk.

It lies beside the bundle under construction, never in it:

    facts.json            split, names, versions            interactions.npz   what users did
    users.parquet         user ids by row                   requests-<name>.npz  users at an instant
    retrieval-users.npz   user features over time           items-<name>.npy   item features at an instant

Training leaves `retrieval-weights.npz` there, for a later one to go on from.
"""

import json
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import TrainingError
from pipelines.evaluation import TimeSplit, Window
from pipelines.runtime import read_instant
from pipelines.training.config import TrainingConfig
from pipelines.training.data.interactions import Interactions
from pipelines.training.data.training_data import Requests, UserStates, type_codes
from serving.engine import UserBatch

FACTS, USERS, INTERACTIONS = "facts.json", "users.parquet", "interactions.npz"
RETRIEVAL_USERS = "retrieval-users.npz"
KEPT_WEIGHTS = "retrieval-weights.npz"
COUNTED = "counted.txt"
"""Names the instant that the bundle's lists of related items are of, if training made them."""
TEST, FINAL = "test", "final"
"""Names of instants beside those of training: of the test requests, and of the release itself."""


@dataclass(frozen=True)
class TrainingSet:
    """A training set on disk, beside the bundle it is for."""

    workdir: Path
    split: TimeSplit
    config: TrainingConfig
    target_types: tuple[str, ...]
    event_types: tuple[str, ...]
    lake_versions: dict[str, int]
    instants: dict[str, datetime]
    """By name: `ranking-0`, `ranking-1`, … (oldest first), `validation`, `test`, `final`."""
    repeats: bool = True
    """A shop's customers may buy again what they had."""

    @classmethod
    def open(cls, workdir: Path | str) -> Self:
        """The training set of the bundle in `workdir`.

        Raises:
            TrainingError: There is none, or it is of another version of this code.
        """
        workdir = Path(workdir)
        path = training_directory(workdir) / FACTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                workdir=workdir,
                split=TimeSplit.model_validate(facts["split"]),
                config=TrainingConfig.model_validate(facts["config"]),
                target_types=tuple(facts["target_types"]),
                event_types=tuple(facts["event_types"]),
                lake_versions=dict(facts["lake_versions"]),
                instants={name: read_instant(at) for name, at in facts["instants"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"expected a training set in {path.parent}, received {error!r}; build it first"
            ) from error

    def save(self) -> None:
        """Write the facts; last of all files, so that a training set without them is no training set."""
        facts = {
            "split": self.split.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json"),
            "target_types": self.target_types,
            "event_types": self.event_types,
            "lake_versions": self.lake_versions,
            "instants": {name: at.isoformat() for name, at in self.instants.items()},
        }
        (self.directory / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    @property
    def directory(self) -> Path:
        """Where the files lie."""
        return training_directory(self.workdir)

    @cached_property
    def user_ids(self) -> pa.StringArray:
        """Users by row."""
        return pq.read_table(self.directory / USERS).column("user_id").combine_chunks()

    @cached_property
    def item_ids(self) -> pa.StringArray:
        """Items by index."""
        return pq.read_table(self.workdir / "items.parquet", columns=["item_id"]).column(0).combine_chunks()

    @cached_property
    def interactions(self) -> Interactions:
        """What users did before `as_of`."""
        with np.load(self.directory / INTERACTIONS, allow_pickle=False) as arrays:
            return Interactions(**{entry.name: arrays[entry.name] for entry in fields(Interactions)})

    @property
    def n_users(self) -> int:
        """Rows of users."""
        return len(self.user_ids)

    @property
    def learning(self) -> Interactions:
        """The events that retrieval learns from."""
        return self.interactions.before(self.split.retrieval_until)

    @property
    def ranking_names(self) -> list[str]:
        """Names of the ranking stage's training requests, oldest first."""
        return [name for name in self.instants if name.startswith("ranking-")]

    def known(self, name: str) -> Interactions:
        """The events before the instant of that name."""
        return self.interactions.before(self.instants[name])

    def at_s(self, name: str) -> float:
        """The instant of that name in unix seconds."""
        return self.instants[name].timestamp()

    def name_of(self, at: datetime) -> str:
        """The name of one of the instants.

        Raises:
            TrainingError: The training set has no such instant.
        """
        names = [name for name, instant in self.instants.items() if instant == at]
        if not names:
            known = ", ".join(f"{name} {instant.isoformat()}" for name, instant in self.instants.items())
            raise TrainingError(f"expected one of the instants {known}; received {at.isoformat()}")
        return names[0]

    def requests(self, name: str) -> Requests:
        """The requests made at the instant of that name."""
        with np.load(self.directory / f"requests-{name}.npz", allow_pickle=False) as arrays:
            users = UserBatch(**{entry.name: arrays[entry.name] for entry in fields(UserBatch)})
            rows = arrays["rows"]
        return Requests(rows, users)

    def save_requests(self, name: str, rows: npt.NDArray[np.int64], users: UserBatch) -> None:
        """Write the requests of users' rows."""
        arrays: dict[str, Any] = {entry.name: getattr(users, entry.name) for entry in fields(users)}
        np.savez(self.directory / f"requests-{name}.npz", rows=rows, **arrays)

    def user_states(self) -> UserStates:
        """User features over time."""
        with np.load(self.directory / RETRIEVAL_USERS, allow_pickle=False) as arrays:
            return UserStates(**{entry.name: arrays[entry.name] for entry in fields(UserStates)})

    def item_features(self, name: str) -> npt.NDArray[np.float32]:
        """[n, F] item features as known at the instant of that name."""
        features: npt.NDArray[np.float32] = np.load(self.directory / f"items-{name}.npy", allow_pickle=False)
        return features

    def labels(self, name: str, types: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Ascending keys `user row * n_items + item` of the pairs with such an event in the name's window."""
        window = self._window(name)
        inside = self.interactions.between(window.starts_at, window.ends_at)
        inside = inside.rows(np.isin(inside.types, type_codes(self.event_types, types)))
        return np.unique(inside.users * np.int64(len(self.item_ids)) + inside.items)

    def ratings(self, name: str) -> Interactions:
        """The events of the name's window that bear ratings."""
        window = self._window(name)
        given = self.interactions.between(window.starts_at, window.ends_at)
        return given.rows(np.isfinite(given.ratings))

    def _window(self, name: str) -> Window:
        """What the users did in it labels the requests of that name."""
        return self.split.test if name == TEST else self.split.labels_of(self.instants[name])


def training_directory(workdir: Path) -> Path:
    """The folder beside a bundle under construction that holds its training set."""
    return workdir.with_name(workdir.name + ".training")
