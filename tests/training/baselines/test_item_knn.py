"""Neighbours and item-kNN against values worked out by hand and a dense computation."""

import numpy as np
import pytest

from pipelines.training.baselines.item_knn import ItemKnn, nearest_items
from tests.training.baselines.small_field import asking, interactions, known


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
    monkeypatch.setattr("pipelines.training.baselines.neighbours.BLOCK_ROWS", 3)
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
    # Items 0 and 1 share three users; item 0 has four, item 1 three, item 2 none.
    events = interactions((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1), (3, 0, 1))
    knn = ItemKnn.fit(known(events, 3), shrinkage=1.0)
    near = 3 / (12**0.5 + 1)
    expected = np.log(2) * np.array([[1, near, 0], [0, 0, 0], [1 + near, near + 1, 0]])
    np.testing.assert_allclose(knn.scores(asking([0], [], [1, 0])), expected, rtol=1e-5)


def test_older_events_of_the_asking_user_count_less():
    events = interactions((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1))
    scores = ItemKnn.fit(known(events, 3), place_decay=0.5).scores(asking([2, 0]))
    assert scores[0, [0, 2]] == pytest.approx([np.log(2), np.log(1.5)])


def test_a_user_of_many_items_says_less_with_weighting():
    # Items 0 and 1 share user 0, who took all five; items 0 and 2 share users 0 and 1, who took two.
    events = interactions((0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (1, 0, 1), (1, 2, 1))
    idf = {0: np.log(2), 1: np.log(3.5)}
    near = nearest_items(events, 2, 5, neighbours=4, shrinkage=0, minimum_common=1, weighting="tfidf")
    # Item 0 and 2 hold the same users, so their cosine is 1; item 1 holds user 0 alone.
    assert near.items[0, 0] == 2
    assert near.scores[0, 0] == pytest.approx(1, abs=1e-6)
    assert near.scores[1, list(near.items[1]).index(0)] == pytest.approx(
        idf[0] / np.hypot(idf[0], idf[1]), abs=1e-6
    )


def test_bm25_holds_popularity_against_an_item():
    # Five items, seven events; item 0 has length 2, item 1 length 1, the mean is 7/5.
    events = interactions((0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (1, 0, 1), (1, 2, 1))
    idf = np.array([np.log(2), np.log(3.5)])
    one, two = (2.2 / (1 + 1.2 * (0.25 + 0.75 * length / 1.4)) for length in (1, 2))
    dot = (two * idf[0]) * (one * idf[0])
    doubt = ((one * idf[0]) ** 2 * 3 + (two * idf[0]) ** 2 * 2 + (two * idf[1]) ** 2 * 2) / 7
    lengths = two * np.hypot(*idf) * one * idf[0]
    near = nearest_items(events, 2, 5, neighbours=4, shrinkage=1, minimum_common=1, weighting="bm25")
    assert near.scores[1, list(near.items[1]).index(0)] == pytest.approx(dot / (lengths + doubt), abs=1e-6)


def test_euclidean_neighbours_are_near_and_common():
    # Item 0: users 0 1 2; item 1: users 0 1; item 2: user 0. |0 - 1| = 1, |0 - 2| = sqrt 2, |1 - 2| = 1.
    events = interactions((0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 1), (1, 1, 1), (0, 2, 1))
    near = nearest_items(events, 3, 3, neighbours=2, shrinkage=1, minimum_common=1, similarity="euclid")
    assert near.items.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert near.scores[0] == pytest.approx([2 / 3 / 2, 1 / 2 / (1 + 2**0.5)], abs=1e-6)
