"""The intent model of a release: a LiteRT graph, and what its outputs stand for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from serving.bundle import INTENT, INTENT_SPEC, Bundle
from serving.engine.intent.groups import ItemGroups
from serving.engine.intent.inputs import (
    NUMBERS,
    SEQUENCE_CHANNELS,
    SEQUENCE_LENGTH,
    SESSION_TIMEOUT_S,
    event_roles,
    intent_inputs,
)
from serving.engine.intent.stage import Stage, stage_of
from serving.engine.litert import LiteRtModel
from serving.engine.user_batch import UserBatch
from serving.errors import BundleError

FORMAT = 1
"""Version of the inputs: a model is only run with the inputs that it was trained on."""


@dataclass(frozen=True, slots=True)
class IntentSpec:
    """What the graph was trained with."""

    groups: ItemGroups
    about_to_buy_from: float
    """Probability from which a session is about to buy."""
    history_length: int
    """Events of a user that the inputs were computed from (N)."""

    def to_json(self) -> dict[str, Any]:
        """The content of `intent.json`."""
        return {
            "format": FORMAT,
            "categories": list(self.groups.categories),
            "price_edges": list(self.groups.price_edges),
            "about_to_buy_from": self.about_to_buy_from,
            "history_length": self.history_length,
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The spec of that content.

        Raises:
            BundleError: It is not what `to_json` gives.
        """
        try:
            spec = cls(
                ItemGroups(tuple(content["categories"]), tuple(map(float, content["price_edges"]))),
                float(content["about_to_buy_from"]),
                int(content["history_length"]),
            )
            sound = content["format"] == FORMAT and spec._is_sound()
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{INTENT_SPEC}: expected the spec of an intent model, {error!r}.") from error
        if not sound:
            raise BundleError(
                f"{INTENT_SPEC}: expected format {FORMAT}, categories as texts, ascending price_edges, a "
                f"probability and a history_length above 0, received {content}."
            )
        return spec

    def _is_sound(self) -> bool:
        edges = self.groups.price_edges
        return (
            all(isinstance(name, str) for name in self.groups.categories)
            and all(low < high for low, high in pairwise(edges))
            and 0 <= self.about_to_buy_from <= 1
            and 0 < self.history_length < 1_000_000
        )


def write_intent_spec(directory: Path, spec: IntentSpec) -> None:
    """Write `intent.json` into a bundle under construction."""
    text = json.dumps(spec.to_json(), indent=2, ensure_ascii=False)
    (directory / INTENT_SPEC).write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a session is after."""

    purchase_probability: float
    """That something is bought before the session ends."""
    stage: Stage
    category: str | None
    """The top category that the session's next step is expected in; None without categories."""
    category_probability: float | None
    price_from: float | None
    """Least price of the expected band; None without limit, or without prices."""
    price_to: float | None


class IntentModel:
    """The intent of users' running sessions by a release's graph."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graph and look up the groups of the catalogue's items.

        Raises:
            BundleError: `intent.tflite` or `intent.json` is missing or of another form.
        """
        try:
            content = json.loads((bundle.directory / INTENT_SPEC).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BundleError(f"{INTENT_SPEC}: expected a JSON document, received {error}.") from error
        self.spec = IntentSpec.from_json(content)
        if self.spec.history_length > bundle.spec.history_length:
            raise BundleError(
                f"{INTENT_SPEC}: expected a history_length of at most {bundle.spec.history_length} as in "
                f"spec.json, received {self.spec.history_length}."
            )
        sizes = self.spec.groups.sizes
        self._roles = event_roles(bundle.spec.event_types, bundle.spec.target_types)
        columns = [bundle.items.column(name).combine_chunks() for name in ("category", "price")]
        self._groups = self.spec.groups.codes(*columns)
        self._graph = LiteRtModel(
            bundle.directory / INTENT,
            inputs={
                "numbers": ((1, len(NUMBERS)), np.float32),
                "sequence": ((1, SEQUENCE_LENGTH, SEQUENCE_CHANNELS), np.float32),
                "shares": ((1, 2, sum(sizes)), np.float32),
            },
            outputs={
                "purchase": ((1, 1), np.float32),
                **({"categories": ((1, sizes[0]), np.float32)} if sizes[0] else {}),
                **({"price_bands": ((1, sizes[1]), np.float32)} if sizes[1] else {}),
            },
        )

    def of(self, user: UserBatch, at_s: float) -> Intent | None:
        """The intent of one user's running session; None where no session runs.

        Args:
            user: A batch of one.
            at_s: Unix seconds of the request.
        """
        if user.history_types[0, 0] == 0 or user.history_ages_s[0, 0] > SESSION_TIMEOUT_S:
            return None
        newest = slice(0, self.spec.history_length)
        items, ages = user.history_items[:, newest], user.history_ages_s[:, newest]
        inputs = intent_inputs(
            items,
            self._roles[user.history_types[:, newest]],
            ages,
            np.array([at_s], np.float64),
            self._groups,
            self.spec.groups.sizes,
        )
        outputs = self._graph.run(
            {"numbers": inputs.numbers, "sequence": inputs.sequence, "shares": inputs.shares}
        )
        probability = float(outputs["purchase"][0, 0])
        looked_at = items[0][inputs.in_session[0]]
        categories = np.where(looked_at >= 0, self._groups[looked_at, 0], 0)
        category, certainty = self._likeliest(outputs, "categories")
        band, _ = self._likeliest(outputs, "price_bands")
        price_from, price_to = (None, None) if band is None else self.spec.groups.price_range(band + 1)
        return Intent(
            purchase_probability=probability,
            stage=stage_of(probability, self.spec.about_to_buy_from, looked_at, categories),
            category=None if category is None else self.spec.groups.categories[category],
            category_probability=certainty,
            price_from=price_from,
            price_to=price_to,
        )

    @staticmethod
    def _likeliest(
        outputs: Mapping[str, npt.NDArray[Any]], name: str
    ) -> tuple[int, float] | tuple[None, None]:
        if name not in outputs:
            return None, None
        place = int(outputs[name][0].argmax())
        return place, float(outputs[name][0, place])
