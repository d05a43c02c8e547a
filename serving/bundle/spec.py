"""`spec.json`: lengths, names and vocabularies that training, retrieval and ranking share."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from serving.bundle.layout import SPEC
from serving.errors import BundleError

DEFAULT_SOURCES = ("two_tower", "buy_again", "item_knn", "next_items", "content_similar", "popularity")
"""Candidate sources of a new release, and of a `spec.json` that names none."""

RENAMED_SOURCES = {"personal": "buy_again", "followers": "next_items", "lookalikes": "content_similar"}
"""Names of candidate sources in bundles written before, and what they are called now."""


@dataclass(frozen=True, slots=True)
class ProfileFeature:
    """One categorical feature of a user; a value's code is its 1-based place, 0 = unknown."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """What the graphs and arrays of one bundle agree on."""

    history_length: int
    """Events of a user that the ranker and the sources see, newest first (N)."""
    history_length_retrieval: int
    """Events that the query encoder sees (L <= N)."""
    candidates: int
    """Items that retrieval hands to the ranker, the ranker's fixed width (C)."""
    event_types: tuple[str, ...]
    """Event types of a history; a type's code is its 1-based place."""
    code_columns: tuple[str, ...]
    """Columns of `item_codes`; the first is `item`, the training vocabulary's code."""
    user_features: tuple[str, ...] = ()
    """Numeric user features in the graphs' order."""
    profile_features: tuple[ProfileFeature, ...] = ()
    """Categorical user features in the graphs' order."""
    item_features: tuple[str, ...] = ()
    """Columns of `item_features`."""
    sources: tuple[str, ...] = DEFAULT_SOURCES
    """Candidate sources in the order of the ranker's `source_scores`."""
    ranker_outputs: tuple[str, ...] = ()
    """Task probabilities that the ranker returns beside `score`."""
    item_vocabulary_size: int = 0
    """Largest code of the column `item`."""
    target_types: tuple[str, ...] = ("purchase",)
    """Event types that mean: the user has bought it."""
    event_weights: Mapping[str, float] = field(
        default_factory=lambda: {"purchase": 1.0, "cart": 0.3, "view": 0.1}
    )
    """What an event of a type counts in sources made from history; `EVENT_WEIGHTS` where it is not named."""
    repeats: bool = True
    """Whether an item that a user had before may be offered again."""
    personal_half_life_days: float = 90.0
    """Days after which an event counts half in the sources made from history."""
    source_weights: Mapping[str, float] = field(default_factory=dict)
    """Each source's share of the C places when the sources are merged; its default where it is not named."""

    def __post_init__(self) -> None:
        """Refuse numbers and names that no graph could have been made with."""
        positive = {
            "history_length": self.history_length,
            "history_length_retrieval": self.history_length_retrieval,
            "candidates": self.candidates,
            "personal_half_life_days": self.personal_half_life_days,
        }
        for name, value in positive.items():
            if not 0 < value < 1_000_000:
                raise BundleError(f"{SPEC}: expected {name} above 0, received {value!r}.")
        if self.history_length_retrieval > self.history_length:
            raise BundleError(
                f"{SPEC}: expected history_length_retrieval <= history_length {self.history_length}, "
                f"received {self.history_length_retrieval}."
            )
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise BundleError(f"{SPEC}: expected distinct sources, at least one, received {self.sources}.")
        if unknown := sorted(set(self.source_weights) - {*self.sources, *DEFAULT_SOURCES}):
            raise BundleError(
                f"{SPEC}: expected source_weights of {', '.join(self.sources)}, received weights of "
                f"{', '.join(unknown)}, which are no sources of this release."
            )
        if not self.event_types or self.code_columns[:1] != ("item",):
            raise BundleError(
                f"{SPEC}: expected at least one event type and code_columns that start with 'item', "
                f"received {self.event_types} and {self.code_columns}."
            )

    def to_json(self) -> dict[str, Any]:
        """The content of `spec.json`."""
        return {"format": 1, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Spec":
        """The spec of that content.

        Raises:
            BundleError: a field is missing, unknown or of the wrong kind.
        """
        if not isinstance(content, Mapping):
            raise BundleError(f"{SPEC}: expected an object, received {type(content).__name__}.")
        given = {name: value for name, value in content.items() if name != "format"}
        known = {entry.name: entry for entry in fields(cls)}
        unknown = sorted(set(given) - set(known))
        missing = sorted(
            name
            for name, entry in known.items()
            if name not in given and entry.default is MISSING and entry.default_factory is MISSING
        )
        if content.get("format", 1) != 1 or unknown or missing:
            raise BundleError(
                f"{SPEC}: expected format 1 with the fields {sorted(known)}, received format "
                f"{content.get('format', 1)!r}, without {missing}, and beyond them {unknown}."
            )
        return cls(**{name: _typed(name, value) for name, value in given.items()})


_INTEGERS = ("history_length", "history_length_retrieval", "candidates", "item_vocabulary_size")
_WEIGHTS = ("event_weights", "source_weights")


def _typed(name: str, value: Any) -> Any:
    """The JSON value as the field's type."""
    try:
        if name in _INTEGERS:
            return _integer(value)
        if name == "personal_half_life_days":
            return float(value)
        if name == "repeats":
            return _boolean(value)
        if name in _WEIGHTS:
            weights = {str(key): float(weight) for key, weight in value.items()}
            return _renamed(weights) if name == "source_weights" else weights
        if name == "profile_features":
            return tuple(ProfileFeature(str(entry["name"]), _strings(entry["values"])) for entry in value)
        if name == "sources":
            return tuple(RENAMED_SOURCES.get(source, source) for source in _strings(value))
        return _strings(value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BundleError(f"{SPEC}: field {name} cannot be read: {error!r}.") from error


def _renamed(weights: dict[str, float]) -> dict[str, float]:
    return {RENAMED_SOURCES.get(source, source): weight for source, weight in weights.items()}


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not an integer")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def _strings(values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError("not a list of strings")
    return tuple(values)


def write_spec(directory: Path, spec: Spec) -> None:
    """Write `spec.json` into a bundle under construction."""
    (directory / SPEC).write_text(json.dumps(spec.to_json(), indent=2, ensure_ascii=False) + "\n")


def read_spec(directory: Path) -> Spec:
    """The spec of a bundle directory.

    Raises:
        BundleError: the file is missing or is not a spec.
    """
    try:
        content = json.loads((directory / SPEC).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{SPEC}: expected a JSON document, received {error}.") from error
    return Spec.from_json(content)
