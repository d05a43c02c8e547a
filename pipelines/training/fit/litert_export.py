"""LiteRT flatbuffers out of trained graphs, and how close they stay to them."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from pipelines.errors import TrainingError
from pipelines.training.tf import Tensor, tf

SIGNATURE = "serving_default"

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Parity:
    """How a flatbuffer's answers differ from those of the graph that it was made from."""

    part: str
    overlap: float
    """Mean share of the first ten that stay the first ten; for vectors, of the nearest ten items."""
    largest_difference: float
    """Largest absolute difference of any output value."""
    quantization: str
    """`dynamic-int8` or `none`."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON."""
        return asdict(self)


def convert(
    function: Callable[..., dict[str, Tensor]],
    layers: Sequence[Any],
    inputs: Mapping[str, Any],
    quantization: str,
    path: Path,
    others: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Write the function as a flatbuffer with one named input and output each, of built-in operations only.

    Args:
        function: Takes the inputs by name, returns the outputs by name.
        layers: The layers whose weights it uses.
        inputs: `tf.TensorSpec` of every input, batch size 1.
        quantization: `dynamic-int8` or `none`.
        path: Where the flatbuffer is written.
        others: Further signatures by name, of the same weights, with inputs of other shapes.

    Raises:
        TrainingError: The converter refused the graph.
    """
    module = tf.Module()
    module.layers = list(layers)

    # One explicit, flat signature for each: saving the model itself would re-trace `call` with its arguments.
    def flat(inputs: Mapping[str, Any]) -> Any:
        specs = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in inputs.items()]

        @tf.function(autograph=False, input_signature=specs)
        def serve(*values: Tensor) -> dict[str, Tensor]:
            return function(**dict(zip(inputs, values, strict=True)))

        return serve

    signatures = {name: flat(shapes) for name, shapes in {SIGNATURE: inputs, **others}.items()}
    module.flat = list(signatures.values())  # named `serve`, the converter would take the first alone
    try:
        with tempfile.TemporaryDirectory() as saved:
            tf.saved_model.save(module, saved, signatures=signatures)
            converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=list(signatures))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if quantization == "dynamic-int8":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            path.write_bytes(converter.convert())
    except Exception as error:  # the converter raises its own, undocumented kinds
        raise TrainingError(f"expected a graph of LiteRT's built-in operations, received {error}") from error


def runner(path: Path) -> Any:
    """A function of the flatbuffer's named inputs, on one thread."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner(SIGNATURE)


def run(path: Path, inputs: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """The flatbuffer's outputs `[B, …]` for inputs `[B, …]`, one row after the other."""
    run_one = runner(path)
    names = [name for name in run_one.get_input_details() if name in inputs]
    rows = len(inputs[names[0]])
    answers = [run_one(**{name: inputs[name][row : row + 1] for name in names}) for row in range(rows)]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def overlap(expected: npt.NDArray[np.float32], received: npt.NDArray[np.float32], k: int = 10) -> float:
    """Mean share of each row's k highest columns that are among the k highest of the other."""
    k = min(k, expected.shape[1])
    best = [np.argsort(-scores, axis=1, kind="stable")[:, :k] for scores in (expected, received)]
    return float(np.mean([np.isin(ours, theirs).mean() for ours, theirs in zip(*best, strict=True)]))
