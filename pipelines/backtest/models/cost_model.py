"""How long training `aisle` takes, told beforehand from the data and the settings alone, never by a clock.

So the same data and minutes always give the same training. The seconds are those of two x86-64 cores with
nothing else to do, as far as they could be told from trainings on busy ones; see `docs/benchmarks.md`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.training import BUDGETS, TrainingConfig
from pipelines.training.data import ModelSplit

START_S = 30.0
"""Starting, tracing and compiling graphs, writing them into the bundle."""

STEP_START_S = 0.03
"""Per step of retrieval, for its look-ups, the optimizer and the mean of the weights."""

STEP_S = 1e-11
"""Per multiplication of such a step."""

LOOK_S = 2e-11
"""Per multiplication of a look at validation, which scores every item for some users."""

LOOKED_AT = 2_000
"""Users of such a look."""

ROW_S = 1e-5
"""Per candidate item of a list that the ranker learns from or is judged by, to offer and describe it."""

PASS_S = 8e-6
"""Per candidate item of a list in one pass of the ranker."""

FULL = "full"
"""Name of the training that nothing shortens."""

SHARES: Mapping[str, tuple[int | None, float]] = {
    "three quarters": (None, 0.75),
    "half": (None, 0.5),
    "a quarter": (None, 0.25),
    "a quarter of one": (1, 0.25),
}
"""Lengths between a full training and the shorter budgets: how many models of retrieval, None for all, and
the share of their steps. Fewer passes lose less than fewer kinds of models, see `docs/benchmarks.md`."""


@dataclass(frozen=True, slots=True)
class TrainingLength:
    """How long a training is."""

    name: str
    """Of `BUDGETS`, or of `SHARES`."""
    choices: Mapping[str, Any]
    """Fields of `TrainingConfig` that make it so."""
    seconds: float
    """What it is likely to take."""


def training_seconds(trial: ModelSplit, config: TrainingConfig) -> float:
    """Seconds that retrieval and ranking are likely to take on a trial."""
    retrieval, ranking = config.retrieval, config.ranking
    events, width, steps = _events(config), retrieval.embedding_dim, _steps(trial, config)
    attention = retrieval.num_layers * (12 * width**2 + 2 * retrieval.history_length * width)
    step = 3 * events * (attention + retrieval.num_negatives * width)
    look = min(LOOKED_AT, len(trial.validation.histories)) * int(trial.catalogue.num_rows) * width
    lists = sum(len(stage.histories) for stage in trial.ranking)
    judged = len(trial.validation.histories)
    batches = max(1, -(-lists // ranking.batch_size))
    passes = max(ranking.epochs, -(-ranking.min_steps // batches))
    passed = min(passes * batches, max(ranking.epochs * batches, ranking.min_steps)) * ranking.batch_size
    passed *= min(ranking.items_per_list, config.candidates)
    passed += min(passes, ranking.num_validations) * judged * config.candidates
    member = steps * (STEP_START_S + STEP_S * step) + min(retrieval.num_validations, steps) * LOOK_S * look
    return (
        START_S
        + len(retrieval.ensemble_mixers) * member
        + ROW_S * (lists + judged) * config.candidates
        + PASS_S * passed
    )


def length_that_fits(
    trial: ModelSplit, choices: Mapping[str, Any] | None, budget_s: float, times: int = 1
) -> TrainingLength:
    """The longest training of which so many fit into the seconds; the shortest that there is if none does.

    Args:
        trial: What is trained on.
        choices: Fields of `TrainingConfig` that differ from the defaults.
        budget_s: Seconds for all of them.
        times: How many trainings are to fit.
    """
    full, *others = _lengths(trial, choices)
    shorter = [length for length in others if length.seconds < full.seconds]
    longest_first = [full, *sorted(shorter, key=lambda length: -length.seconds)]
    fitting = (length for length in longest_first if times * length.seconds <= budget_s)
    return next(fitting, longest_first[-1])


def over(choices: Mapping[str, Any] | None, others: Mapping[str, Any]) -> dict[str, Any]:
    """The choices with others over them, which replace single fields of retrieval and ranking."""
    merged = dict(choices or {})
    for name, value in others.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = {**merged[name], **value} if both else value
    return merged


def _lengths(trial: ModelSplit, choices: Mapping[str, Any] | None) -> Iterator[TrainingLength]:
    """Every length of training with these choices, the full one first."""
    whole = TrainingConfig.of(choices)
    shortened: dict[str, Mapping[str, Any]] = {FULL: {}}
    for name, (models, share) in SHARES.items():
        steps = max(1, round(share * _steps(trial, whole)))
        shortened[name] = {
            "retrieval": {"ensemble_mixers": whole.retrieval.ensemble_mixers[:models], "max_steps": steps}
        }
    for budget, (retrieval, ranking) in BUDGETS.items():
        shortened.setdefault(budget, {"retrieval": dict(retrieval), "ranking": dict(ranking)})
    for name, fields in shortened.items():
        chosen = over(choices, fields)
        yield TrainingLength(name, chosen, training_seconds(trial, TrainingConfig.of(chosen)))


def _events(config: TrainingConfig) -> int:
    """Events of one step of retrieval."""
    return config.retrieval.batch_size * config.retrieval.history_length


def _steps(trial: ModelSplit, config: TrainingConfig) -> int:
    """Steps of retrieval's training."""
    planned = config.retrieval.epochs * max(1, len(trial.learning) // _events(config))
    return min(max(planned, config.retrieval.min_steps), config.retrieval.max_steps)
