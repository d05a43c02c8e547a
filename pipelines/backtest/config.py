"""What a backtest was asked for: frozen, and logged whole."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipelines.errors import WrongUsageError
from pipelines.training import FrozenConfig

Protocol = Literal["leave-one-out", "temporal", "explicit", "ratings", "search"]

KEEPS_SEEN = {"leave-one-out": False, "temporal": True, "explicit": True}
"""Protocol → whether items that an asker had before are listed, where nothing else is asked for."""


EARLIER_NAME = "default"
"""What model `aisle` was called before; still understood."""


class BacktestConfig(FrozenConfig):
    """One backtest."""

    protocol: Protocol
    """Where the cutoff lies."""

    models: tuple[str, ...] = Field(min_length=1)
    """Whose lists are measured; the first one is the model, the others are its baselines."""

    ks: tuple[int, ...] = Field(default=(10, 20), min_length=1)
    """Lengths that lists are measured at."""

    keep_seen: bool | None = None
    """Whether items that an asker had before are listed; unset, as the protocol has it."""

    fit: Literal["train", "train+validation"] = "train"
    """What is counted for leave-one-out's test; validation events are in the histories either way."""

    targets: tuple[str, ...] | None = None
    """Event types that count as success in temporal; unset, all."""

    learn_from: tuple[str, ...] | None = None
    """Event types that models get to see in temporal; unset, all."""

    budget_minutes: float = Field(default=15, ge=0)
    """Minutes for training the model and choosing its settings; baselines beside `aisle` get a third."""

    seed: int = Field(default=0, ge=0)
    """Of every draw."""

    @field_validator("models")
    @classmethod
    def _by_their_names(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("aisle" if name == EARLIER_NAME else name for name in models)

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> "BacktestConfig":
        if self.fit != "train" and self.protocol != "leave-one-out":
            raise WrongUsageError(
                f"--fit {self.fit} is of protocol leave-one-out, received {self.protocol}; leave it out"
            )
        for option, types in (("--target", self.targets), ("--learn-from", self.learn_from)):
            if types is not None and self.protocol != "temporal":
                raise WrongUsageError(
                    f"{option} is of protocol temporal, received protocol {self.protocol}; leave it out"
                )
        if self.keep_seen is not None and self.protocol not in KEEPS_SEEN:
            raise WrongUsageError(
                "--keep-seen and --mask-seen are of protocols that rank for users, received "
                f"{self.protocol}; leave them out"
            )
        return self

    @property
    def repeats(self) -> bool:
        """Whether items that an asker had before are listed."""
        return KEEPS_SEEN[self.protocol] if self.keep_seen is None else self.keep_seen
