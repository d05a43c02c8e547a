"""The weights of a trained retrieval model as they are kept beside its release, for the next training.

Serving never reads them, and they are no part of the bundle. One file of numpy arrays, without pickle:

    facts              JSON: `CheckpointMetadata`        names/<table>        [R] what its rows stand for
    <member>/<table>   [R, width] of a named table       <member>/other/<i>   the other weights, in order
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, BaseModel, ConfigDict

from pipelines.errors import TrainingError
from pipelines.evaluation import TimeSplit
from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.model import SequenceRetrieval
from pipelines.training.retrieval.named_weights import Names, named_tables, other_weights
from serving.bundle import Bundle

SHAPING = (
    "ensemble_mixers",
    "embedding_dim",
    "neighbours",
    "num_layers",
    "heads",
    "kernel_size",
    "history_length",
    "temperature",
)
"""Settings without which weights mean something else."""


class CheckpointMetadata(BaseModel):
    """Where kept weights come from."""

    model_config = ConfigDict(frozen=True)

    format: Literal[2] = 2
    """Of the file."""

    as_of: AwareDatetime
    """Exclusive cutoff of the release."""

    learned_until: AwareDatetime
    """Exclusive end of the events that they were learned from."""

    chosen_until: AwareDatetime
    """Exclusive end of the events that their best state was chosen by."""

    settings: dict[str, Any]
    """Those of `SHAPING`."""

    user_features: tuple[str, ...]
    """Numbers that were known of users."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights of all members of a model."""

    facts: CheckpointMetadata
    names: Mapping[str, Names]
    """By table."""
    members: Sequence[Mapping[str, npt.NDArray[np.float32]]]
    """By table, and `other/0`, `other/1`, … for the weights without names."""

    @classmethod
    def of(
        cls,
        members: Sequence[SequenceRetrieval],
        bundle: Bundle,
        config: RetrievalConfig,
        split: TimeSplit,
    ) -> Self:
        """Those of a trained model.

        Args:
            members: The models that were joined.
            bundle: The bundle that they were trained for.
            config: Their settings.
            split: Where their learning ended, and their validation.
        """
        tables = [named_tables(member, bundle, config) for member in members]
        facts = CheckpointMetadata(
            as_of=split.as_of,
            learned_until=split.retrieval_until,
            chosen_until=split.validation.ends_at,
            settings=shaping(config),
            user_features=bundle.spec.user_features,
        )
        return cls(
            facts,
            {name: table.names for name, table in tables[0].items()},
            [
                {
                    **{name: table.weights.numpy() for name, table in named.items()},
                    **{
                        f"other/{place}": one.numpy()
                        for place, one in enumerate(other_weights(member, named))
                    },
                }
                for member, named in zip(members, tables, strict=True)
            ],
        )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            TrainingError: It is none, or of another form.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                facts = CheckpointMetadata.model_validate_json(str(arrays["facts"]))
                return cls(
                    facts,
                    _below("names/", arrays),
                    [_below(f"{place}/", arrays) for place in range(len(facts.settings["ensemble_mixers"]))],
                )
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise TrainingError(
                f"expected the weights of a retrieval model in {path.name}, received {error!r}"
            ) from error

    def save(self, path: Path) -> None:
        """Write the file."""
        arrays = {
            f"{place}/{name}": values
            for place, member in enumerate(self.members)
            for name, values in member.items()
        }
        names = {f"names/{name}": values for name, values in self.names.items()}
        facts = np.array(self.facts.model_dump_json())
        np.savez(path, facts=facts, **names, **arrays)  # type: ignore[arg-type]


def shaping(config: RetrievalConfig) -> dict[str, Any]:
    """The settings of `SHAPING`."""
    return config.model_dump(mode="json", include=set(SHAPING))


def _below(beginning: str, arrays: Any) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(beginning): arrays[name] for name in arrays.files if name.startswith(beginning)}
