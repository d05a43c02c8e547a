"""Baselines against lists worked out by hand."""

import numpy as np
import pytest

from pipelines.training.baselines.complements import bought_together
from pipelines.training.baselines.field import PaddedWith
from pipelines.training.baselines.item_knn import ItemKnn, nearest_items
from pipelines.training.baselines.personal_frequency import PersonalFrequency
from pipelines.training.baselines.popularity import Popularity, top_items
from pipelines.training.shop import Interactions

DAY = 86_400
ONE_TYPE = np.array([0.0, 1.0])


def interactions(*rows: tuple[int, int, int], types: list[int] | None = None) -> Interactions:
    """Rows of (user, item, day), ordered by user and day; the user's day is the basket."""
    order = sorted(range(len(rows)), key=lambda place: (rows[place][0], rows[place][2]))
    users, items, days = (np.array([rows[place][column] for place in order]) for column in range(3))
    kinds = [1] * len(rows) if types is None else [types[place] for place in order]
    return Interactions(
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        types=np.array(kinds, np.int32),
        times=days.astype(np.int64) * DAY,
        baskets=users.astype(np.int64) * 1_000 + days,
        ratings=np.full(len(rows), np.nan, np.float32),
    )


def test_popularity_halves_with_every_half_life():
    # Item 0: two events 60 days old = 2 * 1/4; item 1: one event 30 days old = 1/2; item 2: one of today = 1.
    events = interactions((0, 0, 0), (1, 0, 0), (0, 1, 30), (1, 2, 60))
    popularity = Popularity.fit(events, n_items=4, at_s=60 * DAY, weights=ONE_TYPE, half_life_days=30)
    np.testing.assert_allclose(popularity.scores, [0.5, 0.5, 1.0, 0.0])
    assert popularity.recommend(np.array([7]), 2).tolist() == [[2, 0]]


def test_items_that_nobody_took_are_not_popular():
    assert top_items(np.array([0.0, 3.0, 0.0]), 3).tolist() == [1, -1, -1]


def test_personal_frequency_counts_and_breaks_ties_by_the_later_one():
    # User 0 took item 2 three times, items 0 and 1 once each, item 1 later. User 1 took item 3.
    events = interactions((0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 0, 4), (0, 1, 5), (1, 3, 1))
    frequency = PersonalFrequency.fit(events, n_users=3, n_items=4, weights=ONE_TYPE)
    assert frequency.recommend(np.array([0, 1, 2]), 4).tolist() == [
        [2, 1, 0, -1],
        [3, -1, -1, -1],
        [-1, -1, -1, -1],
    ]


def test_a_purchase_outweighs_three_views():
    events = interactions((0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 1, 1), types=[2, 2, 2, 1])
    frequency = PersonalFrequency.fit(events, 1, 2, weights=np.array([0.0, 1.0, 0.1]))
    assert frequency.recommend(np.array([0]), 2).tolist() == [[1, 0]]


def test_neighbours_are_the_items_of_the_same_users_with_shrinkage():
    # Item 0: users 0 1 2; item 1: users 0 1; item 2: users 0 2 3 4. Item 0 shares two users with 1 and 2.
    events = interactions(
        (0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 2), (1, 1, 2), (0, 2, 3), (2, 2, 3), (3, 2, 3), (4, 2, 3)
    )
    near = nearest_items(events, n_users=5, n_items=4, neighbours=2, shrinkage=1.0)
    assert near.items.tolist() == [[1, 2], [0, -1], [0, -1], [-1, -1]]
    np.testing.assert_allclose(near.scores[0], [2 / (6**0.5 + 1), 2 / (12**0.5 + 1)], rtol=1e-6)


def test_neighbours_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    rows = {
        (int(u), int(i), 1) for u, i in zip(rng.integers(0, 30, 400), rng.integers(0, 25, 400), strict=True)
    }
    events = interactions(*rows)
    whole = nearest_items(events, 30, 25, neighbours=5)
    monkeypatch.setattr("pipelines.training.baselines.item_knn.BLOCK_ROWS", 3)
    parts = nearest_items(events, 30, 25, neighbours=5)
    np.testing.assert_array_equal(whole.items, parts.items)
    np.testing.assert_array_equal(whole.scores, parts.scores)


def test_neighbours_equal_a_dense_computation():
    rng = np.random.default_rng(1)
    rows = {
        (int(u), int(i), 1) for u, i in zip(rng.integers(0, 40, 500), rng.integers(0, 20, 500), strict=True)
    }
    held = np.zeros((40, 20))
    for user, item, _ in rows:
        held[user, item] = 1
    common = held.T @ held
    expected = common / (np.sqrt(np.outer(held.sum(0), held.sum(0))) + 10)
    np.fill_diagonal(expected, 0)
    expected[common < 2] = 0
    near = nearest_items(interactions(*rows), 40, 20, neighbours=3)
    np.testing.assert_allclose(near.scores, -np.sort(-expected, axis=1)[:, :3], atol=1e-6)


def test_users_of_very_many_items_are_cut_to_what_they_take_most():
    events = interactions(
        (0, 0, 1), (0, 0, 2), (0, 1, 1), (0, 1, 2), (0, 2, 1), (1, 0, 1), (1, 1, 1), (1, 2, 1)
    )
    near = nearest_items(events, 2, 3, neighbours=2, items_per_user=2)
    assert near.items[2].tolist() == [-1, -1]


def test_item_knn_recommends_what_it_knows_and_its_neighbours():
    # Everybody who took 0 took 1; user 3 took only 0.
    events = interactions((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1), (3, 0, 1))
    near = nearest_items(events, 5, 3, neighbours=2)
    knn = ItemKnn.fit(events, 5, 3, ONE_TYPE, near)
    assert knn.recommend(np.array([3, 4]), 3).tolist() == [[0, 1, -1], [-1, -1, -1]]


def test_complements_share_baskets_not_just_users():
    # Items 0 and 1 share three baskets; item 2 comes from the same users, on other days.
    rows = [(user, item, 1) for user in range(3) for item in (0, 1)] + [(user, 2, 2) for user in range(3)]
    together = bought_together(interactions(*rows), n_items=3, complements=2)
    assert together.items.tolist() == [[1, -1], [0, -1], [-1, -1]]


def test_short_lists_are_filled_without_doubles():
    class Fixed:
        def __init__(self, *items: int) -> None:
            self.items = items

        def recommend(self, users: np.ndarray, k: int) -> np.ndarray:
            return np.array([(self.items + (-1,) * k)[:k]] * len(users), np.int32)

    padded = PaddedWith(Fixed(4, 2), Fixed(2, 9, 4, 7))
    assert padded.recommend(np.array([0]), 4).tolist() == [[4, 2, 9, 7]]
