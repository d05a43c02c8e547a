"""Running the release's LiteRT graphs: the query encoder and the ranker."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates import Candidates
from serving.engine.litert import SIGNATURE, Arrays, LiteRtModel, Shapes, signatures_of
from serving.engine.user_batch import UserBatch
from serving.errors import BundleError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

USER_BATCH_SIZE = 256
"""Users whose history vectors are in memory together."""

UP_TO = "up_to_"
"""Begins the names of the query encoder's signatures for short histories; the most events follow."""

LOWEST = -1e30
"""Stands for a score that is no number: such an item must not come out on top."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranker's scores of B users' candidate items."""

    scores: Floats
    """[B, C] what lists are sorted by; -inf at padding."""
    outputs: Mapping[str, Floats]
    """[B, C] for every name of `spec.ranker_outputs`: the task's probability."""


def encoder_inputs(
    bundle: Bundle, users: UserBatch, vectors: Floats | None = None, length: int | None = None
) -> Arrays:
    """The query encoder's named inputs for B users: their last events on items of the release.

    Events on other items are left out, and what is behind them moves up: training never met a hole.

    Args:
        bundle: The release.
        users: B users.
        vectors: [n, D] of all items; those of the release by default.
        length: Events of a history; those of the release by default.
    """
    vectors = bundle.item_vectors if vectors is None else vectors
    length = bundle.spec.history_length_retrieval if length is None else length
    outside = users.history_items < 0
    latest = np.argsort(outside, axis=1, kind="stable")[:, :length]
    items, types, ages_s = (
        np.take_along_axis(values, latest, 1)
        for values in (users.history_items, users.history_types, users.history_ages_s)
    )
    known = items >= 0
    return {
        "history_vectors": np.where(known[..., None], vectors[items], np.float32(0)),
        "history_types": np.where(known, types, 0),
        "history_ages_s": np.where(known, ages_s, np.float32(0)),
        "user_features": users.features,
        "user_profile": users.profile,
    }


def ranker_inputs(bundle: Bundle, users: UserBatch, candidates: Candidates) -> Arrays:
    """The ranker's named inputs for B users and their candidate items."""
    known = candidates.items[:, :, None] >= 0
    return {
        "history_codes": bundle.history_codes(users.history_items),
        "history_types": users.history_types,
        "history_ages_s": users.history_ages_s,
        "user_features": users.features,
        "user_profile": users.profile,
        "candidate_codes": bundle.history_codes(candidates.items),
        "candidate_features": np.where(known, bundle.item_features[candidates.items], np.float32(np.nan)),
        "retrieval_scores": candidates.retrieval_scores,
        "source_scores": candidates.source_scores,
        "source_strengths": candidates.source_strengths,
    }


def as_candidates(bundle: Bundle, items: Integers, queries: Floats | None, offered: Candidates) -> Candidates:
    """Items `[B, T]` as candidate items, with what the sources say of those among the offered, else 0."""
    by_item = np.argsort(offered.items, axis=1, kind="stable")
    width = offered.source_scores.shape[2]
    told = np.concatenate([offered.source_scores, offered.source_strengths], axis=2)
    placed = np.zeros((*items.shape, 2 * width), np.float32)
    for row, order in enumerate(by_item):
        ordered = offered.items[row][order]
        places = np.minimum(np.searchsorted(ordered, items[row]), len(ordered) - 1)
        found = (ordered[places] == items[row]) & (items[row] >= 0)
        placed[row, found] = told[row, order[places[found]]]
    dots = np.zeros(items.shape, np.float32)
    if queries is not None:
        dots = np.einsum("bd,btd->bt", queries, bundle.item_vectors[items]).astype(np.float32)
    known = np.where(items >= 0, dots, np.float32(0))
    return Candidates(items, known, placed[..., :width], placed[..., width:])


class Encoder:
    """Turns users into query vectors, those of short histories by a graph without all the padding."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the query encoder of the bundle.

        Raises:
            BundleError: the graph is missing, or not of the shapes that the spec says.
        """
        self._bundle = bundle
        path = _required(bundle.query_encoder_path, "query_encoder.tflite")
        width, longest = bundle.item_vectors.shape[1], bundle.spec.history_length_retrieval
        present = signatures_of(path)
        shorter = (length for length in range(1, longest) if f"{UP_TO}{length}" in present)
        named = {**{length: f"{UP_TO}{length}" for length in shorter}, longest: SIGNATURE}
        self._graphs = {
            length: LiteRtModel(
                path,
                inputs={
                    "history_vectors": ((1, length, width), np.float32),
                    **_user_shapes(bundle, length),
                },
                outputs={"query": ((1, width), np.float32)},
                signature=signature,
            )
            for length, signature in named.items()
        }

    def encode(self, users: UserBatch) -> Floats:
        """[B, D] query vectors."""
        queries = np.zeros((len(users), self._bundle.item_vectors.shape[1]), np.float32)
        lengths = np.array(list(self._graphs))
        known = np.minimum((users.history_items >= 0).sum(axis=1), lengths[-1])
        graph_of = np.searchsorted(lengths, known)
        for place, (length, graph) in enumerate(self._graphs.items()):
            mine = np.flatnonzero(graph_of == place)
            for start in range(0, len(mine), USER_BATCH_SIZE):
                some = mine[start : start + USER_BATCH_SIZE]
                inputs = encoder_inputs(self._bundle, users.rows(some), length=length)
                queries[some] = graph.run(inputs)["query"]
        return queries


class Ranker:
    """Scores candidate items for users."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the ranker of the bundle.

        Raises:
            BundleError: the graph is missing, or not of the shapes that the spec says.
        """
        spec, width = bundle.spec, bundle.spec.candidates
        self._bundle = bundle
        self._graph = LiteRtModel(
            _required(bundle.ranker_path, "ranker.tflite"),
            inputs={
                "history_codes": ((1, spec.history_length, 1 + len(spec.code_columns)), np.int32),
                **_user_shapes(bundle, spec.history_length),
                "candidate_codes": ((1, width, 1 + len(spec.code_columns)), np.int32),
                "candidate_features": ((1, width, len(spec.item_features)), np.float32),
                "retrieval_scores": ((1, width), np.float32),
                "source_scores": ((1, width, len(spec.sources)), np.float32),
                "source_strengths": ((1, width, len(spec.sources)), np.float32),
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


def _user_shapes(bundle: Bundle, length: int) -> Shapes:
    spec = bundle.spec
    return {
        "history_types": ((1, length), np.int32),
        "history_ages_s": ((1, length), np.float32),
        "user_features": ((1, len(spec.user_features)), np.float32),
        "user_profile": ((1, len(spec.profile_features)), np.int32),
    }


def _padded(candidates: Candidates, start: int, width: int) -> Candidates:
    """Columns `start` to `start + width`, padded to exactly `width`."""
    part = slice(start, start + width)
    cut = Candidates(**{entry.name: getattr(candidates, entry.name)[:, part] for entry in fields(candidates)})
    if (missing := width - cut.items.shape[1]) == 0:
        return cut
    behind = ((0, 0), (0, missing))
    return Candidates(
        np.pad(cut.items, behind, constant_values=-1),
        np.pad(cut.retrieval_scores, behind),
        np.pad(cut.source_scores, (*behind, (0, 0))),
        np.pad(cut.source_strengths, (*behind, (0, 0))),
    )


def _required(path: Path | None, name: str) -> Path:
    if path is None:
        raise BundleError(f"{name}: expected the graph in the bundle, received no such file.")
    return path
