"""Fitting a model epoch by epoch, judged on validation, and keeping the best."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from pipelines.training.fit.paired_test import Figures, paired_z_score
from pipelines.training.tf import tf

Watch = Callable[[str, int, float], None]
"""Called after each epoch with the figure's name, the epoch from 0 and its value; may raise to end it."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def report_validation_to(by: Watch) -> Iterator[None]:
    """Have whatever is fitted inside tell its figures on validation, however deep below it is called."""
    token = _watch.set(by)
    try:
        yield
    finally:
        _watch.reset(token)


class MeanLoss(tf.keras.callbacks.Callback):
    """The mean loss of an epoch; Keras itself reports that of the last batch."""

    def __init__(self) -> None:
        super().__init__()
        self.total, self.batches = 0.0, 0

    @property
    def mean(self) -> float:
        """Over the batches so far."""
        return self.total / max(self.batches, 1)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Add the batch's loss."""
        self.total += logs["total_loss"]
        self.batches += 1


class AveragingAdam(tf.keras.optimizers.Adam):
    """Adam, with the mean of the weights over the last steps beside the weights that training goes on with.

    The mean is better than the states that it is of, which each step throws to and fro (Polyak and Juditsky,
    1992).
    """

    def __init__(self, learning_rate: Any, span: float) -> None:
        """The mean is exponential, over about `span` steps."""
        super().__init__(learning_rate, use_ema=True, ema_momentum=1 - 1 / max(1.0, span))

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Do nothing: Keras would train on from the mean after every `fit`, of which there are many."""

    def assign_mean(self, weights: list[Any]) -> None:
        """Give the weights their mean."""
        super().finalize_variable_values(weights)


@contextmanager
def averaged(model: Any) -> Iterator[None]:
    """The model with the mean of its weights, if its optimizer keeps one, and then as it was."""
    if not isinstance(model.optimizer, AveragingAdam):
        yield
        return
    last = model.get_weights()
    model.optimizer.assign_mean(model.trainable_variables)
    try:
        yield
    finally:
        model.set_weights(last)


def fit_with_early_stopping(
    model: Any,
    batches_of: Callable[[int], Any],
    judge: Callable[[], Figures],
    *,
    figure: str,
    epochs: int,
    patience: int,
    errors: float = 0,
    begun: bool = False,
) -> dict[str, list[float]]:
    """Fit until the figure on validation gets no better, and put the kept epoch's weights back.

    That is the best one, or the last of those that cannot be told from it: of several looks at few requests
    the highest is high by luck as well, and what was trained to the end has taken the small steps.

    Args:
        model: A compiled Keras model.
        batches_of: The batches of an epoch, by its number from 0.
        judge: The figures on validation of the model as it is; higher is better.
        figure: Name of the figure in the curve.
        epochs: Most epochs.
        patience: Epochs without one to keep before fitting stops.
        errors: By how many standard errors of the difference a later epoch may be behind the best.
        begun: Whether the model was trained before: then its state at the beginning may be the best.

    Returns:
        The curve: per epoch `loss` and the figure.
    """
    curve: dict[str, list[float]] = {"loss": [], figure: []}
    best, kept_at, kept_weights = judge() if begun else None, 0, model.get_weights()
    for epoch in range(epochs):
        loss = MeanLoss()
        model.fit(batches_of(epoch), epochs=1, verbose=0, callbacks=[loss])
        curve["loss"].append(loss.mean)
        with averaged(model):
            now, weights = judge(), model.get_weights()
        curve[figure].append(float(np.mean(now)))
        if (watch := _watch.get()) is not None:
            watch(figure, epoch, curve[figure][-1])
        if best is None or paired_z_score(best, now) < errors:
            kept_at, kept_weights = epoch, weights
        elif epoch - kept_at >= patience:
            break
        if best is None or np.mean(now) > np.mean(best):
            best = now
    model.set_weights(kept_weights)
    return curve
