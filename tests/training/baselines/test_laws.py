"""Laws that hold for every model of the field."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.registry import MODELS
from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions
from tests.training.baselines.small_field import FAR, asking, interactions

N_USERS, N_ITEMS = 40, 25
COUNTED = sorted(set(MODELS) - {"als", "bpr"})
"""Models without draws; those with draws start every user somewhere else."""

SHELF = pa.table(
    {
        "item_id": [f"i{place}" for place in range(N_ITEMS)],
        "title": [f"word{place % 5} name{place % 7}" for place in range(N_ITEMS)],
    }
)


def shop() -> Interactions:
    rng = np.random.default_rng(5)
    rows = [
        (user, int(item), int(day))
        for user in range(N_USERS)
        for item, day in zip(
            rng.integers(0, N_ITEMS, 8), np.sort(rng.choice(200, 8, replace=False)), strict=True
        )
    ]
    return interactions(*rows)


def renumbered(events: Interactions, number_of: np.ndarray) -> Interactions:
    users = number_of[events.users].astype(np.int32)
    order = np.lexsort((events.times, users))
    return replace(events, users=users).rows(order)


def everybody(events: Interactions, users: np.ndarray) -> Histories:
    return Histories.of(events, users.astype(np.int64), np.full(len(users), FAR))


@pytest.mark.parametrize("name", COUNTED)
def test_the_numbers_of_the_users_change_nothing(name: str):
    events, number_of = shop(), np.random.default_rng(0).permutation(N_USERS)
    scores = []
    for events_of, users in ((events, np.arange(N_USERS)), (renumbered(events, number_of), number_of)):
        known = FitData(events_of, N_USERS, SHELF, np.array([0.0, 1.0]))
        model = MODELS[name].fit(known, **MODELS[name].defaults)
        scores.append(model.scores(everybody(events_of, users)))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_asked_twice_answers_the_same_and_each_user_for_itself(name: str):
    events = shop()
    model = MODELS[name].fit(FitData(events, N_USERS, SHELF, np.array([0.0, 1.0])), **MODELS[name].defaults)
    histories = everybody(events, np.arange(N_USERS))
    first = model.scores(histories)
    first_copy = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(model.scores(histories), first_copy)
    some = np.array([31, 2, 17])
    np.testing.assert_allclose(model.scores(histories.take(some)), first_copy[some], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_users_and_histories_never_met_are_answered(name: str):
    model = MODELS[name].fit(FitData(shop(), N_USERS, SHELF, np.array([0.0, 1.0])), **MODELS[name].defaults)
    scores = model.scores(asking([], [3], [3, 3, 4], list(range(N_ITEMS))))
    assert scores.shape == (4, N_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert (scores[1:].max(axis=1) > 0).all()
    assert model.scores(asking()).shape == (0, N_ITEMS)
