"""The release's graphs at work: encoding users, and scoring candidate items."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.errors import BundleError
from serving.graph import Arrays, Graph, Shapes
from serving.retrieval import Candidates
from serving.users import UserBatch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

LOWEST = -1e30
"""Stands for a score that is no number: such an item must not come out on top."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the ranker says of B users' candidate items."""

    scores: Floats
    """[B, C] what lists are sorted by; -inf at padding."""
    outputs: Mapping[str, Floats]
    """[B, C] for every name of `spec.ranker_outputs`: the task's probability."""


def encoder_inputs(bundle: Bundle, users: UserBatch) -> Arrays:
    """The query encoder's named inputs for B users."""
    return _user_inputs(bundle, users, bundle.spec.history_length_retrieval)


def ranker_inputs(bundle: Bundle, users: UserBatch, candidates: Candidates) -> Arrays:
    """The ranker's named inputs for B users and their candidate items."""
    known = candidates.items[:, :, None] >= 0
    return {
        **_user_inputs(bundle, users, bundle.spec.history_length),
        "candidate_codes": bundle.history_codes(candidates.items),
        "candidate_features": np.where(known, bundle.item_features[candidates.items], np.float32(np.nan)),
        "retrieval_scores": candidates.retrieval_scores,
        "source_scores": candidates.source_scores,
    }


def placed_among(bundle: Bundle, items: Integers, queries: Floats | None, offered: Candidates) -> Candidates:
    """Items `[B, T]` as candidate items, with the source scores that they have among the offered, else 0."""
    by_item = np.argsort(offered.items, axis=1, kind="stable")
    source_scores = np.zeros((*items.shape, offered.source_scores.shape[2]), np.float32)
    for row, order in enumerate(by_item):
        ordered = offered.items[row][order]
        places = np.minimum(np.searchsorted(ordered, items[row]), len(ordered) - 1)
        found = (ordered[places] == items[row]) & (items[row] >= 0)
        source_scores[row, found] = offered.source_scores[row, order[places[found]]]
    dots = np.zeros(items.shape, np.float32)
    if queries is not None:
        dots = np.einsum("bd,btd->bt", queries, bundle.item_vectors[items]).astype(np.float32)
    return Candidates(items, np.where(items >= 0, dots, np.float32(0)), source_scores)


class Encoder:
    """Turns users into query vectors."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the query encoder of the bundle.

        Raises:
            BundleError: the graph is missing, or not of the shapes that the spec says.
        """
        self._bundle = bundle
        self._graph = Graph(
            _required(bundle.query_encoder_path, "query_encoder.tflite"),
            inputs=_user_shapes(bundle, bundle.spec.history_length_retrieval),
            outputs={"query": ((1, bundle.item_vectors.shape[1]), np.float32)},
        )

    def encode(self, users: UserBatch) -> Floats:
        """[B, D] query vectors."""
        return self._graph.run(encoder_inputs(self._bundle, users))["query"]


class Ranker:
    """Scores candidate items for users."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the ranker of the bundle.

        Raises:
            BundleError: the graph is missing, or not of the shapes that the spec says.
        """
        spec, width = bundle.spec, bundle.spec.candidates
        self._bundle = bundle
        self._graph = Graph(
            _required(bundle.ranker_path, "ranker.tflite"),
            inputs={
                **_user_shapes(bundle, spec.history_length),
                "candidate_codes": ((1, width, 1 + len(spec.code_columns)), np.int32),
                "candidate_features": ((1, width, len(spec.item_features)), np.float32),
                "retrieval_scores": ((1, width), np.float32),
                "source_scores": ((1, width, len(spec.sources)), np.float32),
            },
            outputs=dict.fromkeys(("score", *spec.ranker_outputs), ((1, width), np.float32)),
        )

    def rank(self, users: UserBatch, candidates: Candidates) -> Ranking:
        """Scores and task probabilities of every candidate item, be they fewer or more than C."""
        width, offered = self._bundle.spec.candidates, candidates.items.shape[1]
        parts = [
            self._graph.run(ranker_inputs(self._bundle, users, _padded(candidates, start, width)))
            for start in range(0, max(offered, 1), width)
        ]
        outputs = {name: np.concatenate([part[name] for part in parts], 1)[:, :offered] for name in parts[0]}
        scores = np.nan_to_num(outputs.pop("score"), nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)
        return Ranking(np.where(candidates.items >= 0, scores, np.float32(-np.inf)), outputs)


def _user_inputs(bundle: Bundle, users: UserBatch, length: int) -> Arrays:
    return {
        "history_codes": bundle.history_codes(users.history_items[:, :length]),
        "history_types": users.history_types[:, :length],
        "history_ages_s": users.history_ages_s[:, :length],
        "user_features": users.features,
        "user_profile": users.profile,
    }


def _user_shapes(bundle: Bundle, length: int) -> Shapes:
    spec = bundle.spec
    return {
        "history_codes": ((1, length, 1 + len(spec.code_columns)), np.int32),
        "history_types": ((1, length), np.int32),
        "history_ages_s": ((1, length), np.float32),
        "user_features": ((1, len(spec.user_features)), np.float32),
        "user_profile": ((1, len(spec.profile_features)), np.int32),
    }


def _padded(candidates: Candidates, start: int, width: int) -> Candidates:
    """Columns `start` to `start + width`, padded to exactly `width`."""
    part = slice(start, start + width)
    items, dots = candidates.items[:, part], candidates.retrieval_scores[:, part]
    sources = candidates.source_scores[:, part]
    if (missing := width - items.shape[1]) == 0:
        return Candidates(items, dots, sources)
    return Candidates(
        np.pad(items, ((0, 0), (0, missing)), constant_values=-1),
        np.pad(dots, ((0, 0), (0, missing))),
        np.pad(sources, ((0, 0), (0, missing), (0, 0))),
    )


def _required(path: Path | None, name: str) -> Path:
    if path is None:
        raise BundleError(f"{name}: expected the graph in the bundle, received no such file.")
    return path
