"""The protocols that rank items, by name."""

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset
from pipelines.backtest.protocols import leave_one_out, sequences, temporal
from pipelines.backtest.protocols.split import BacktestSplit, Cutoff
from pipelines.errors import BacktestError


def find_cut(dataset: Dataset, config: BacktestConfig) -> Cutoff:
    """Where the cutoff lies."""
    match config.protocol:
        case "leave-one-out":
            return leave_one_out.cut(dataset)
        case "temporal":
            return temporal.cut(dataset)
        case "explicit":
            return sequences.cut(dataset)
    raise BacktestError(f"expected a protocol that ranks items, received {config.protocol}")


def prepare(dataset: Dataset, cut: Cutoff, config: BacktestConfig) -> BacktestSplit:
    """The trial of what lies before the cutoff, the requests, and the answers."""
    seen, seed = config.repeats, config.seed
    match config.protocol:
        case "leave-one-out":
            return leave_one_out.prepare(dataset, cut, fit=config.fit, keep_seen=seen, seed=seed)
        case "temporal":
            return temporal.prepare(
                dataset,
                cut,
                targets=config.targets,
                learn_from=config.learn_from,
                keep_seen=seen,
                seed=seed,
            )
        case "explicit":
            return sequences.prepare(dataset, cut, keep_seen=seen, seed=seed)
    raise BacktestError(f"expected a protocol that ranks items, received {config.protocol}")
