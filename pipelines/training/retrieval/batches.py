"""Batches of training: rows of events with what was known of their users, and the negatives of the batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.data import UserStates, states_at
from pipelines.training.fit import prefetched
from pipelines.training.retrieval.packed_sequences import Arrays, PackedSequences
from pipelines.training.tf import tf

SamplingProbabilities = npt.NDArray[np.float64]
"""[n] of each item to be drawn as a negative."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of rows cut from the tape, in parts of the whole training between two looks at validation."""

    sequences: PackedSequences
    states: UserStates
    chances: SamplingProbabilities
    config: RetrievalConfig
    seed: int
    share: float = 1.0
    """Of the steps of a training anew."""

    @property
    def per_epoch(self) -> int:
        """Batches in one pass over the tape."""
        return max(1, len(self.sequences) // (self.config.history_length * self.config.batch_size))

    @property
    def steps_anew(self) -> int:
        """Batches of a training that starts from nothing."""
        config = self.config
        return min(max(config.epochs * self.per_epoch, config.min_steps), config.max_steps)

    @property
    def steps(self) -> int:
        """Batches of the whole training."""
        return max(1, round(self.share * self.steps_anew))

    @property
    def checks(self) -> int:
        """Parts of the training, each ending with a look at validation."""
        return min(self.config.num_validations, self.steps)

    def dataset(self, part: int, chances: SamplingProbabilities | None = None) -> Any:
        """The batches of one part, made while the model trains on the ones before.

        Args:
            part: Its number from 0.
            chances: [n] to be drawn as a negative, if others than usual.
        """
        first, last = (self.steps * place // self.checks for place in (part, part + 1))
        example = next(self.part(0, 1))
        signature = {name: tf.TensorSpec(value.shape, value.dtype) for name, value in example.items()}
        return prefetched(lambda: self.part(first, last, chances), signature)

    def part(self, first: int, last: int, chances: SamplingProbabilities | None = None) -> Iterator[Arrays]:
        """The batches from `first` to `last` of the training."""
        size, rows, epoch = self.config.batch_size, np.zeros((0, 0), np.int64), -1
        for number in range(first, last):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                rng = np.random.default_rng((self.seed, epoch))
                rows = self.sequences.cut(self.config.history_length, rng)
            start = number % self.per_epoch * size
            chosen = rows[np.arange(start, start + size) % len(rows)]
            yield self.batch(chosen, np.random.default_rng((self.seed, epoch, number)), chances)

    def batch(
        self,
        places: npt.NDArray[np.int64],
        rng: np.random.Generator,
        chances: SamplingProbabilities | None = None,
    ) -> Arrays:
        """The model's inputs for rows of places on the tape.

        Args:
            places: [B, L] on the tape.
            rng: Of the draws.
            chances: [n] to be drawn as a negative, if others than usual.

        Returns:
            What `PackedSequences.batch` gives, `user_features` [B, L, U] and `user_profile` [B, L, P] as
            known at each event, `negatives` [K], and `expected` [K]: its average number of draws.
        """
        events, rows = self.sequences.events, self.sequences.rows[places]
        known = states_at(self.states, events.users[rows], events.times[rows])
        features = np.full((*known.shape, self.states.features.shape[1]), np.nan, np.float32)
        profile = np.zeros((*known.shape, self.states.profile.shape[1]), np.int32)
        features[known >= 0] = self.states.features[known[known >= 0]]
        profile[known >= 0] = self.states.profile[known[known >= 0]]
        chances = self.chances if chances is None else chances
        drawn = np.searchsorted(np.cumsum(chances), rng.random(self.config.num_negatives))
        drawn = np.minimum(drawn, len(chances) - 1).astype(np.int32)
        return {
            **self.sequences.batch(places, rng, self.config.sequential_basket_share),
            "user_features": features,
            "user_profile": profile,
            "negatives": drawn,
            "expected": (self.config.num_negatives * chances[drawn]).astype(np.float32),
        }
