"""Cross-validation of rating prediction: every rating is predicted once, by models that have not seen it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import TrainingError, WrongUsageError
from pipelines.training.ratings.biases import Biases, RatingModel
from pipelines.training.ratings.blend import Blend
from pipelines.training.ratings.linear import Linear
from pipelines.training.ratings.neighbourhood import Neighbourhood
from pipelines.training.ratings.ratings_table import Floats, Ratings
from pipelines.training.ratings.svdpp import SvdPlusPlus

BLEND = "blend"

BLEND_SHARE = 0.1
"""Share of the ratings to learn from that the blend's weights are chosen by."""


def _over_users(ratings: Ratings) -> RatingModel:
    return Neighbourhood.fit(ratings, over="users")


RATING_MODELS: Mapping[str, Callable[[Ratings], RatingModel]] = {
    "biases": Biases.fit,
    "linear": Linear.fit,
    "item_knn": Neighbourhood.fit,
    "user_knn": _over_users,
    "svdpp": SvdPlusPlus.fit,
}
"""How each model is fitted; `blend` is made of those that are asked for."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far one model's predictions are from the ratings, fold by fold."""

    mae: tuple[float, ...]
    """Mean absolute error of each fold."""
    rmse: tuple[float, ...]
    """Root of the mean squared error of each fold."""

    def to_json(self) -> dict[str, Any]:
        """Means over the folds, and each fold's figure."""
        return {
            "mae": float(np.mean(self.mae)),
            "rmse": float(np.mean(self.rmse)),
            "folds": {"mae": list(self.mae), "rmse": list(self.rmse)},
        }


def cross_validate(
    ratings: Ratings,
    *,
    folds: int = 5,
    seed: int = 0,
    names: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Errors]:
    """Errors of every model and of their blend, by seeded folds.

    Within each fold, the models are fitted on most of its ratings to choose the blend's weights by the rest,
    and then anew on all of them; the fold's own test ratings are looked at once. Predictions are clipped to
    the range of the ratings learned from.

    Args:
        ratings: All there are.
        folds: Parts of equal size.
        seed: Of the folds.
        names: Of `RATING_MODELS`; all of them by default.
        progress: Told what has been done.

    Raises:
        TrainingError: There are too few ratings.
        WrongUsageError: A name is unknown.
    """
    names = list(RATING_MODELS) if names is None else list(dict.fromkeys(names))
    unknown = sorted(set(names) - set(RATING_MODELS))
    if unknown or not names:
        raise WrongUsageError(
            f"expected rating models out of {', '.join(RATING_MODELS)}, "
            f"received {', '.join(unknown) or 'none'}"
        )
    if folds < 2 or len(ratings) < 10 * folds:
        raise TrainingError(
            f"expected at least two folds of ten ratings each, received {folds} of {len(ratings)} ratings"
        )
    part_of = np.random.default_rng(seed).permutation(len(ratings)) % folds
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in (*names, BLEND)}
    for fold in range(folds):
        test = ratings.rows(part_of == fold)
        predicted = _predict(ratings.rows(part_of != fold), test, names, seed + fold)
        for name, values in predicted.items():
            apart = values - test.values
            errors[name].append((float(np.abs(apart).mean()), float(np.sqrt((apart**2).mean()))))
        if progress is not None:
            progress(f"fold {fold + 1} of {folds}: blend MAE {errors[BLEND][-1][0]:.4f}")
    return {name: Errors(*map(tuple, zip(*found, strict=True))) for name, found in errors.items()}


def _predict(learning: Ratings, test: Ratings, names: Sequence[str], seed: int) -> dict[str, Floats]:
    """[P] predictions of the test ratings by each model and the blend."""
    held_out = np.random.default_rng(seed).random(len(learning)) < BLEND_SHARE
    most, rest = learning.rows(~held_out), learning.rows(held_out)
    blend = Blend.fit(np.stack(list(_predictions(most, rest, names).values()), axis=1), rest.values)
    predicted = _predictions(learning, test, names)
    predicted[BLEND] = blend.predict(np.stack(list(predicted.values()), axis=1))
    least, most_of_all = learning.values.min(), learning.values.max()
    return {name: np.clip(values, least, most_of_all) for name, values in predicted.items()}


def _predictions(learning: Ratings, asked: Ratings, names: Sequence[str]) -> dict[str, Floats]:
    return {name: RATING_MODELS[name](learning).predict(asked.users, asked.items) for name in names}
