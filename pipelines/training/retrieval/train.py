"""Training retrieval: from what users did to item vectors and the query encoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import TrainingError
from pipelines.training.config import RetrievalConfig
from pipelines.training.fitting import fit_best
from pipelines.training.layers import Standardize
from pipelines.training.material import Material, UserStates
from pipelines.training.retrieval.content import ItemContent, ItemEncoder
from pipelines.training.retrieval.instants import states_at
from pipelines.training.retrieval.judge import FIGURE, ValidationJudge
from pipelines.training.retrieval.members import Towers, joined
from pipelines.training.retrieval.model import SequenceRetrieval, drawing_chances
from pipelines.training.retrieval.query import QueryEncoder
from pipelines.training.retrieval.sequences import Arrays, Tape
from pipelines.training.tensorflow import fix_seeds, tf
from serving.bundle import Bundle

PRICE_NAMES = ("price", "mean_price_30d", "mean_price")
BUFFERED = 8


@dataclass(frozen=True, slots=True)
class TrainedRetrieval:
    """A trained model and how it came about."""

    model: SequenceRetrieval | Towers
    curve: dict[str, list[float]]
    """Per check: `loss` and the figure on validation; of one member after the other."""


def train(material: Material) -> TrainedRetrieval:
    """Train every member until validation gets no better, keep its best state, and join them.

    Raises:
        TrainingError: No user did anything twice.
    """
    tape = Tape.of(material.learning)
    if len(tape) == 0:
        raise TrainingError(
            "expected users who came back after their first event, in the events before retrieval's end; "
            "received none; ingest more history"
        )
    bundle, first = Bundle.open(material.workdir), material.config.seed
    members, curve = [], {"loss": list[float](), FIGURE: list[float]()}
    for seed in range(first, first + material.config.retrieval.members):
        model, its_curve = train_member(material, bundle, tape, seed)
        members.append(model)
        curve = {name: [*values, *its_curve[name]] for name, values in curve.items()}
    return TrainedRetrieval(joined(members), curve)


def train_member(
    material: Material, bundle: Bundle, tape: Tape, seed: int
) -> tuple[SequenceRetrieval, dict[str, list[float]]]:
    """One model in its best state, and its curve.

    Args:
        material: What it is trained on.
        bundle: The bundle under construction.
        tape: Of the learning events.
        seed: Of the weights, the order of the events and the negatives.
    """
    config = material.config.retrieval
    fix_seeds(seed)
    chances = drawing_chances(np.bincount(material.learning.items, minlength=bundle.n_items))
    batches = Batches(tape, material.user_states(), chances, config, seed)
    model = build_model(material, bundle, batches)
    schedule = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, batches.steps)
    model.compile(optimizer=tf.keras.optimizers.Adam(schedule), jit_compile=True)
    curve = fit_best(
        model,
        batches.dataset,
        ValidationJudge(material, bundle, model),
        figure=FIGURE,
        epochs=batches.checks,
        patience=config.patience,
    )
    return model, curve


def build_model(material: Material, bundle: Bundle, batches: "Batches") -> SequenceRetrieval:
    """The towers with sizes, statistics and content of this shop, their weights not trained yet."""
    spec, settled = bundle.spec, material.config.retrieval.settled_passes
    share = min(1.0, batches.steps / batches.per_epoch / settled)
    config = material.config.retrieval.model_copy(
        update={"dropout": material.config.retrieval.dropout * share}
    )
    known = material.item_features(material.ranking_names[0])
    prices = np.full(bundle.n_items, np.nan)
    for name in PRICE_NAMES:
        if name in spec.item_features:
            prices = np.where(np.isfinite(prices), prices, known[:, spec.item_features.index(name)])
    query = QueryEncoder(
        Standardize.fit(batches.states.features, "user_features"),
        [len(feature.values) for feature in spec.profile_features],
        len(spec.event_types),
        config,
    )
    item = ItemEncoder(ItemContent.of(bundle.item_codes, bundle.items, prices), config)
    return SequenceRetrieval(query, item, batches.chances, config)


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of rows cut from the tape, in parts of the whole training between two looks at validation."""

    tape: Tape
    states: UserStates
    chances: npt.NDArray[np.float64]
    """[n] of each item to be drawn as a negative."""
    config: RetrievalConfig
    seed: int

    @property
    def per_epoch(self) -> int:
        """Batches in one pass over the tape."""
        return max(1, len(self.tape) // (self.config.history_length * self.config.batch_size))

    @property
    def steps(self) -> int:
        """Batches of the whole training."""
        config = self.config
        return min(max(config.epochs * self.per_epoch, config.least_steps), config.most_steps)

    @property
    def checks(self) -> int:
        """Parts of the training, each ending with a look at validation."""
        return min(self.config.checks, self.steps)

    def dataset(self, part: int) -> Any:
        """The batches of one part, made while the model trains on the ones before."""
        first, last = (self.steps * place // self.checks for place in (part, part + 1))
        example = next(self.part(0, 1))
        signature = {name: tf.TensorSpec(value.shape, value.dtype) for name, value in example.items()}
        made = tf.data.Dataset.from_generator(lambda: self.part(first, last), output_signature=signature)
        return made.prefetch(BUFFERED)

    def part(self, first: int, last: int) -> Iterator[Arrays]:
        """The batches from `first` to `last` of the training."""
        size, rows, epoch = self.config.batch_size, np.zeros((0, 0), np.int64), -1
        for number in range(first, last):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                rng = np.random.default_rng((self.seed, epoch))
                rows = self.tape.cut(self.config.history_length, rng)
            start = number % self.per_epoch * size
            chosen = rows[np.arange(start, start + size) % len(rows)]
            yield self.batch(chosen, np.random.default_rng((self.seed, epoch, number)))

    def batch(self, places: npt.NDArray[np.int64], rng: np.random.Generator) -> Arrays:
        """The model's inputs for rows of places on the tape."""
        events, rows = self.tape.events, self.tape.rows[places]
        known = states_at(self.states, events.users[rows], events.times[rows])
        features = np.full((*known.shape, self.states.features.shape[1]), np.nan, np.float32)
        profile = np.zeros((*known.shape, self.states.profile.shape[1]), np.int32)
        features[known >= 0] = self.states.features[known[known >= 0]]
        profile[known >= 0] = self.states.profile[known[known >= 0]]
        drawn = np.searchsorted(np.cumsum(self.chances), rng.random(self.config.negatives))
        return {
            **self.tape.batch(places, rng),
            "user_features": features,
            "user_profile": profile,
            "negatives": np.minimum(drawn, len(self.chances) - 1).astype(np.int32),
        }
