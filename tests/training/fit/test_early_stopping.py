"""Fitting keeps the best state, and that of the beginning where a model was trained before."""

from typing import Any

import numpy as np
import pytest

from pipelines.training.fit.early_stopping import AveragingAdam, fit_with_early_stopping
from pipelines.training.fit.paired_test import Figures
from pipelines.training.tf import tf


class Counter:
    """Stands in for a model: its weight is the number of times that it was fitted."""

    optimizer = None

    def __init__(self) -> None:
        self.fitted = 0

    def fit(self, batches: Any, **settings: Any) -> None:
        self.fitted += 1

    def get_weights(self) -> int:
        return self.fitted

    def set_weights(self, weights: int) -> None:
        self.fitted = weights


def fitted(
    figures: list[float], *, begun: bool, patience: int = 5, epochs: int = 3
) -> tuple[int, list[float]]:
    """Which state was kept, and the curve, where validation answers with these figures."""
    model, answers = Counter(), iter(figures)

    def judge() -> Figures:
        return np.array([next(answers)])

    curve = fit_with_early_stopping(
        model, lambda epoch: None, judge, figure="figure", epochs=epochs, patience=patience, begun=begun
    )
    assert list(answers) == []
    return model.fitted, curve["figure"]


@pytest.mark.parametrize(
    ("figures", "kept"), [([0.1, 0.3, 0.2], 2), ([0.3, 0.2, 0.1], 1), ([0.1, 0.1, 0.2], 3)]
)
def test_the_best_state_is_kept(figures: list[float], kept: int):
    assert fitted(figures, begun=False) == (kept, figures)


def test_fitting_ends_when_nothing_gets_better_for_a_while():
    assert fitted([0.3, 0.2, 0.1], begun=False, patience=2, epochs=9) == (1, [0.3, 0.2, 0.1])


def test_a_model_that_was_trained_before_is_never_worse_than_it_began():
    # The first figure is that of the beginning, and no point of the curve.
    assert fitted([0.5, 0.4, 0.3, 0.2], begun=True) == (0, [0.4, 0.3, 0.2])
    assert fitted([0.5, 0.4, 0.6, 0.2], begun=True) == (2, [0.4, 0.6, 0.2])


@pytest.mark.parametrize(("errors", "kept"), [(0, 1), (1, 3), (2, 4)])
def test_a_later_state_is_kept_that_cannot_be_told_from_the_best(errors: float, kept: int):
    best = np.full(400, 0.5)
    # A deviation of .2 over 400 requests is a standard error of .01: behind by 1.2, .5 and 1.8 of them.
    noise = np.tile([-0.2, 0.2], 200)
    answers = iter([best, best - 0.012 + noise, best - 0.005 + noise, best - 0.018 + noise])
    model = Counter()
    curve = fit_with_early_stopping(
        model, lambda epoch: None, lambda: next(answers), figure="figure", epochs=4, patience=9, errors=errors
    )
    assert model.fitted == kept
    assert curve["figure"] == pytest.approx([0.5, 0.488, 0.495, 0.482])


def test_what_is_looked_at_and_kept_is_the_mean_of_the_last_weights():
    class Falling(tf.keras.Model):
        """Its weight begins at 8 and falls by 1 at each step, nearly."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(8.0)

        def train_step(self, batch: Any) -> dict[str, Any]:
            self.optimizer.apply_gradients([(tf.constant(1.0), self.weight)])
            return {"total_loss": self.weight}

    model, seen = Falling(), []
    model.compile(AveragingAdam(1.0, span=2))

    def judge() -> Figures:
        seen.append(float(model.weight.numpy()))
        return np.array([len(seen) == 1], float)

    one_step = tf.data.Dataset.from_tensors(0.0)
    fit_with_early_stopping(model, lambda epoch: one_step, judge, figure="figure", epochs=2, patience=5)
    # Half of 8 and of 7; then half of that and of 6: training went on from 7 itself.
    np.testing.assert_allclose(seen, [7.5, 6.75], rtol=1e-5)
    assert float(model.weight.numpy()) == seen[0]
