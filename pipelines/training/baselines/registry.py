"""The field by name: how each model is fitted, and the few settings that it is tried with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.training.baselines.content import Content
from pipelines.training.baselines.ease import MOST_ITEMS, Ease
from pipelines.training.baselines.evaluate import SCORE_BATCH_SIZE
from pipelines.training.baselines.factorisation import Als, Bpr
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.item_knn import ItemKnn
from pipelines.training.baselines.personal_frequency import PersonalFrequency
from pipelines.training.baselines.popularity import DAMPING, Popularity
from pipelines.training.baselines.recommender import USER_BATCH_SIZE, Recommender
from pipelines.training.baselines.sequence_rules import SequenceRules
from pipelines.training.baselines.session_knn import SessionKnn
from pipelines.training.baselines.text_terms import describing_columns
from pipelines.training.baselines.user_knn import UserKnn

Settings = Mapping[str, Any]

ASKS_USERS = ("user_knn", "vsknn", "stan")
"""Models that look at all users who have an item in common with the asking one."""

PAIR_BYTES = 60
"""What such a pair of users takes while the nearest are found: its place, its similarity, their order."""

MOST_BYTES = 4e9
"""Memory that such pairs may take at once."""


@dataclass(frozen=True, slots=True)
class Model:
    """One member of the field."""

    fit: Callable[..., Recommender]
    """Called with `FitData` and one value for every name of `space`."""
    space: Mapping[str, tuple[Any, ...]]
    """Values that are tried for each setting; the first one is the default."""

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings that are tried first."""
        return {name: values[0] for name, values in self.space.items()}


def _vsknn(known: FitData, **settings: Any) -> SessionKnn:
    return SessionKnn.fit(known, order="vsknn", **settings)


def _stan(known: FitData, **settings: Any) -> SessionKnn:
    return SessionKnn.fit(known, order="stan", **settings)


MODELS: Mapping[str, Model] = {
    "popularity": Model(
        Popularity.fit, {"half_life_days": (30.0, 7.0, 90.0, None), "damping": (0.0, DAMPING, 0.5)}
    ),
    "personal_frequency": Model(
        PersonalFrequency.fit, {"half_life_days": (None, 30.0, 90.0), "place_decay": (1.0, 0.9)}
    ),
    "item_knn": Model(
        ItemKnn.fit,
        {
            "place_decay": (0.8, 1.0, 0.5),
            "weighting": ("none", "bm25", "tfidf"),
            "shrinkage": (10.0, 1.0, 50.0),
            "neighbours": (100, 30),
            "minimum_common": (1, 2),
            "similarity": ("cosine", "euclid"),
        },
    ),
    "user_knn": Model(
        UserKnn.fit,
        {
            "place_decay": (0.8, 1.0),
            "neighbours": (300, 100, 1000),
            "weighting": ("none", "idf"),
            "similarity": ("cosine", "pearson"),
        },
    ),
    "sequence_rules": Model(
        SequenceRules.fit,
        {
            "place_decay": (0.5, 0.7, 0.85),
            "popularity_power": (0.0, 0.25, 0.5),
            "gap_power": (0.5, 1.0),
            "backwards": (0.0, 0.5),
        },
    ),
    "vsknn": Model(_vsknn, {"neighbours": (300, 100, 1000), "half_life_days": (None, 30.0)}),
    "stan": Model(
        _stan,
        {
            "neighbours": (300, 100, 1000),
            "memory": (3.0, 1.0, 10.0),
            "reach": (5.0, 2.0, 20.0),
            "half_life_days": (None, 30.0),
        },
    ),
    "content": Model(Content.fit, {"place_decay": (0.7, 0.5, 0.9)}),
    "als": Model(
        Als.fit,
        {
            "factors": (64, 128),
            "alpha": (20.0, 5.0, 60.0),
            "regularization": (5.0, 1.0, 20.0),
            "place_decay": (1.0, 0.8),
        },
    ),
    "bpr": Model(
        Bpr.fit,
        {"factors": (64, 128), "regularization": (0.01, 0.05), "learning_rate": (0.05, 0.1)},
    ),
    "ease": Model(Ease.fit, {"regularization": (200.0, 1000.0, 50.0), "place_decay": (1.0, 0.8)}),
}
"""Every baseline, the cheap ones first."""


def reason_against(name: str, known: FitData) -> str | None:
    """Why a model cannot be fitted on such a shop; None where it can."""
    if name == "ease":
        items = len(np.unique(known.interactions.items))
        if items > MOST_ITEMS:
            return f"{items} items have events, and the dense matrix is refused beyond {MOST_ITEMS}"
    if name in ASKS_USERS and (size := _bytes_of_pairs(known)) > MOST_BYTES:
        return (
            f"so many of {known.n_users} users have items in common that comparing them would take about "
            f"{size / 1e9:.1f} GB, and {MOST_BYTES / 1e9:g} GB are allowed"
        )
    if name == "content" and not describing_columns(known.catalogue):
        return "nothing is known of the items but their ids"
    return None


def _bytes_of_pairs(known: FitData) -> float:
    """Memory of the pairs of users with an item in common, for as many asking users as are asked at once."""
    events = known.interactions
    pairs = np.unique(events.users * np.int64(known.n_items) + events.items)
    users_of = np.bincount(pairs % known.n_items, minlength=known.n_items).astype(np.float64)
    near = min(known.n_users, float((users_of**2).sum()) / max(known.n_users, 1))
    at_once = max(1, min(USER_BATCH_SIZE, SCORE_BATCH_SIZE // max(known.n_items, 1)))
    return at_once * near * PAIR_BYTES
