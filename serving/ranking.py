"""The release's graphs in LiteRT: encoding users, and scoring candidate items."""

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from serving.bundle import Bundle
from serving.errors import BundleError
from serving.retrieval import Candidates
from serving.users import UserBatch

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

SIGNATURE = "serving_default"
POOL_SIZE = 4
"""Interpreters of one graph at most; each holds its own scratch memory, the weights are mapped once."""


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
    """The ranker's named inputs for B users and their candidate items, padded to the ranker's width."""
    known = candidates.items >= 0
    features = np.where(known[:, :, None], bundle.item_features[candidates.items], np.float32("nan"))
    return {
        **_user_inputs(bundle, users, bundle.spec.history_length),
        "candidate_codes": bundle.history_codes(candidates.items),
        "candidate_features": features.astype(np.float32, copy=False),
        "retrieval_scores": candidates.retrieval_scores,
        "source_scores": candidates.source_scores,
    }


def _user_inputs(bundle: Bundle, users: UserBatch, length: int) -> Arrays:
    return {
        "history_codes": bundle.history_codes(users.history_items[:, :length]),
        "history_types": users.history_types[:, :length],
        "history_ages_s": users.history_ages_s[:, :length],
        "user_features": users.features,
        "user_profile": users.profile,
    }


class Encoder:
    """Turns users into query vectors."""

    def __init__(self, bundle: Bundle) -> None:
        spec = bundle.spec
        self._bundle = bundle
        self._graph = Graph(
            _required(bundle.query_encoder_path, "query_encoder.tflite"),
            inputs=_user_shapes(bundle, spec.history_length_retrieval),
            outputs={"query": (1, bundle.item_vectors.shape[1])},
        )

    def encode(self, users: UserBatch) -> Floats:
        """[B, D] query vectors."""
        inputs = encoder_inputs(self._bundle, users)
        return np.concatenate([answer["query"] for answer in self._graph.run_each(inputs)])


class Ranker:
    """Scores candidate items for users."""

    def __init__(self, bundle: Bundle) -> None:
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
            outputs=dict.fromkeys(("score", *spec.ranker_outputs), (1, width)),
        )

    def rank(self, users: UserBatch, candidates: Candidates) -> Ranking:
        """Scores and task probabilities of every candidate item; any number of them up to or beyond C."""
        width, offered = self._bundle.spec.candidates, candidates.items.shape[1]
        parts = []
        for start in range(0, max(offered, 1), width):
            part = _padded(candidates, start, width)
            answers = list(self._graph.run_each(ranker_inputs(self._bundle, users, part)))
            parts.append({name: np.concatenate([a[name] for a in answers]) for name in answers[0]})
        outputs = {name: np.concatenate([p[name] for p in parts], axis=1)[:, :offered] for name in parts[0]}
        # A score that is no number must not come out on top.
        scores = np.nan_to_num(outputs.pop("score"), nan=-1e30, posinf=1e30, neginf=-1e30)
        return Ranking(np.where(candidates.items >= 0, scores, np.float32("-inf")), outputs)


class Graph:
    """A LiteRT graph of fixed shapes, run by as many threads as come."""

    def __init__(
        self,
        path: Path,
        inputs: Mapping[str, tuple[tuple[int, ...], type[np.generic]]],
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        """Open the graph and hold it to the shapes that the bundle's spec promises.

        Raises:
            BundleError: the file is no LiteRT graph, or one with other inputs or outputs.
        """
        self._path = path
        self._idle: queue.LifoQueue[tuple[Interpreter, Any]] = queue.LifoQueue()
        self._free_places = queue.SimpleQueue[None]()
        for _ in range(POOL_SIZE - 1):
            self._free_places.put(None)
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        interpreter, runner = self._new()
        self._check(
            runner.get_input_details(), {name: (s, d) for name, (s, d) in inputs.items() if 0 not in s}
        )
        self._check(runner.get_output_details(), {name: (s, np.float32) for name, s in outputs.items()})
        self._idle.put((interpreter, runner))

    def run_each(self, inputs: Arrays) -> Iterator[Arrays]:
        """The graph's outputs for each of B users, one after the other."""
        with self._borrowed() as (_, runner):
            names = [name for name in self._inputs if name in self._wanted]
            for row in range(len(inputs[names[0]])):
                yield runner(**{name: np.ascontiguousarray(inputs[name][row : row + 1]) for name in names})

    @contextmanager
    def _borrowed(self) -> Iterator[tuple[Interpreter, Any]]:
        try:
            pair = self._idle.get_nowait()
        except queue.Empty:
            pair = self._new_or_wait()
        try:
            yield pair
        finally:
            self._idle.put(pair)

    def _new_or_wait(self) -> tuple[Interpreter, Any]:
        try:
            self._free_places.get_nowait()
        except queue.Empty:
            return self._idle.get()
        return self._new()

    def _new(self) -> tuple[Interpreter, Any]:
        try:
            interpreter = Interpreter(model_path=str(self._path), num_threads=1)
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError, OSError) as error:
            raise BundleError(
                f"{self._path.name}: expected a LiteRT graph with the signature {SIGNATURE!r}, "
                f"received {error}."
            ) from error
        self._wanted = frozenset(runner.get_input_details())
        return interpreter, runner


def _shapes(details: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], Any]]:
    return {name: (tuple(int(d) for d in one["shape"]), one["dtype"]) for name, one in details.items()}


def _text(shapes: Mapping[str, tuple[tuple[int, ...], Any]]) -> str:
    return ", ".join(
        f"{name} {np.dtype(kind)}{list(shape)}" for name, (shape, kind) in sorted(shapes.items())
    )


def _required(path: Path | None, name: str) -> Path:
    if path is None:
        raise BundleError(f"{name}: expected the graph in the bundle, received no such file.")
    return path


def _user_shapes(bundle: Bundle, length: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
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
