"""Fitting keeps the best state, and that of the beginning where a model was trained before."""

from typing import Any

import pytest

from pipelines.training.fitting import fit_best


class Counter:
    """Stands in for a model: its weight is the number of times that it was fitted."""

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

    def judge() -> float:
        return next(answers)

    curve = fit_best(
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
