"""One LiteRT graph, held to the shapes that the bundle promises and run by any number of threads."""

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from serving.errors import BundleError

Arrays = dict[str, npt.NDArray[Any]]
Shapes = Mapping[str, tuple[tuple[int, ...], Any]]
"""Shape and element type of every named input or output."""

SIGNATURE = "serving_default"
POOL_SIZE = 4
"""Interpreters of one graph at most; each holds its own scratch memory, the weights are mapped once."""


def signatures_of(path: Path) -> list[str]:
    """Names of a flatbuffer's signatures.

    Raises:
        BundleError: the file is no LiteRT graph.
    """
    return list(_opened(path).get_signature_list())


class LiteRtModel:
    """A LiteRT graph of batch size 1 and fixed shapes."""

    def __init__(self, path: Path, inputs: Shapes, outputs: Shapes, signature: str = SIGNATURE) -> None:
        """Open the graph.

        Args:
            path: The flatbuffer.
            inputs: What it may take; it may leave out what it has no use for.
            outputs: What it must give, no more and no less.
            signature: Which of the flatbuffer's signatures it is.

        Raises:
            BundleError: the file is no LiteRT graph, or one with other inputs or outputs.
        """
        self._path, self._signature = path, signature
        first = self._new()
        takes, gives = _shapes(first.get_input_details()), _shapes(first.get_output_details())
        if not takes.items() <= dict(inputs).items():
            raise BundleError(f"{path.name}: expected the inputs {_text(inputs)}, received {_text(takes)}.")
        if gives != dict(outputs):
            raise BundleError(f"{path.name}: expected the outputs {_text(outputs)}, received {_text(gives)}.")
        self._inputs = tuple(takes)
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._idle.put(first)
        self._unborn: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(POOL_SIZE - 1):
            self._unborn.put(None)

    def run(self, inputs: Arrays) -> Arrays:
        """The outputs `[B, …]` for inputs `[B, …]`, computed one row after the other."""
        answers = []
        with self._borrowed() as runner:
            for row in range(len(inputs[self._inputs[0]])):
                answers.append(
                    runner(
                        **{name: np.ascontiguousarray(inputs[name][row : row + 1]) for name in self._inputs}
                    )
                )
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        runner = self._take()
        try:
            yield runner
        finally:
            self._idle.put(runner)

    def _take(self) -> Any:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        try:
            self._unborn.get_nowait()
        except queue.Empty:
            return self._idle.get()
        return self._new()

    def _new(self) -> Any:
        """A runner of the graph's signature with an interpreter of its own."""
        interpreter = _opened(self._path)
        if self._signature not in interpreter.get_signature_list():
            raise BundleError(
                f"{self._path.name}: expected a LiteRT graph with the signature {self._signature!r}, "
                f"received {', '.join(interpreter.get_signature_list()) or 'none'}."
            )
        return interpreter.get_signature_runner(self._signature)


def _opened(path: Path) -> Any:
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise BundleError(f"{path.name}: expected a LiteRT graph, received {error}.") from error
    return interpreter


def _shapes(details: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], Any]]:
    return {name: (tuple(int(d) for d in one["shape"]), one["dtype"]) for name, one in details.items()}


def _text(shapes: Shapes) -> str:
    return ", ".join(
        f"{name} {np.dtype(kind)}{list(shape)}" for name, (shape, kind) in sorted(shapes.items())
    )
