import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bundle import Bundle
from serving.retrieval import merge, retrieve
from serving.sources import (
    interest_of,
    most_popular,
    nearest,
    neighbours_of_history,
    personal,
    top_columns,
)
from serving.users import empty_user, user_batch
from tests.serving_core.tiny_bundle import (
    APPLE,
    BANANA,
    BREAD,
    BUTTER,
    CHEESE,
    LAMP,
    NOW,
    PEAR,
    ROLL,
    history,
)

# One purchase a day ago counts 0.5, two days ago 0.25: the tiny bundle's half-life is one day.
BUYER = history(("banana", "purchase", 1), ("bread", "purchase", 1), ("banana", "purchase", 2))
LOOKER = history(("roll", "view", 0), ("apple", "cart", 0))


@pytest.fixture
def users(tiny_bundle: Bundle):
    return user_batch(tiny_bundle, [BUYER, {}, LOOKER], [NOW] * 3)


def test_interest_is_the_sum_of_weights_halved_every_half_life(tiny_bundle: Bundle, users):
    interest = interest_of(tiny_bundle, users)
    assert interest.users.tolist() == [0, 0, 2, 2]
    assert interest.items.tolist() == [BANANA, BREAD, APPLE, ROLL]
    np.testing.assert_allclose(interest.scores, [0.5 + 0.25, 0.5, 0.3, 0.1])


def test_buy_again_orders_the_own_history(tiny_bundle: Bundle, users):
    interest = interest_of(tiny_bundle, users)
    assert personal(interest, 3, 10, None).tolist() == [[BANANA, BREAD], [-1, -1], [APPLE, ROLL]]
    assert personal(interest, 3, 1, None).tolist() == [[BANANA], [-1], [APPLE]]
    allowed = np.arange(8) != BANANA
    assert personal(interest, 3, 10, allowed).tolist() == [[BREAD, -1], [-1, -1], [APPLE, ROLL]]


def test_neighbours_sum_over_the_history(tiny_bundle: Bundle, users):
    found = neighbours_of_history(tiny_bundle, interest_of(tiny_bundle, users), 3, 10, None)
    # Buyer: apple log(1.75)*.5 = .280, roll log(1.5)*.5 = .203, pear log(1.75)*.25 = .140.
    assert found[0].tolist() == [APPLE, ROLL, PEAR]
    assert found[1].tolist() == [-1, -1, -1]
    # Looker: banana log(1.3)*.5 = .131, pear log(1.3)*.25 = .066, bread log(1.1)*.5 = .048.
    assert found[2].tolist() == [BANANA, PEAR, BREAD]
    assert math.isclose(math.log(1.1) * 0.5, 0.0477, abs_tol=1e-4)


def test_the_nearest_items_are_those_of_the_largest_product(tiny_bundle: Bundle):
    queries = np.array([[0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
    found = nearest(tiny_bundle, queries, 2, 2, None)
    # Lamp lies on the fourth axis; the pear leans 0.5 / sqrt(1.25) = .447 towards it, the others less.
    assert found.tolist() == [[BUTTER, CHEESE], [LAMP, PEAR]]
    alone = nearest(tiny_bundle, queries[1:], 1, 2, np.arange(8) != LAMP)
    assert alone[0, 0] == PEAR
    assert nearest(tiny_bundle, None, 2, 2, None).shape == (2, 0)


def test_a_narrow_filter_still_fills_the_list(tiny_bundle: Bundle):
    allowed = np.isin(np.arange(8), [LAMP, CHEESE])
    query = np.array([[1, 0, 0, 0]], np.float32)
    assert sorted(nearest(tiny_bundle, query, 1, 5, allowed)[0].tolist()) == [CHEESE, LAMP]
    assert most_popular(tiny_bundle, 5, allowed).tolist() == [CHEESE, LAMP]


def test_every_query_alone_gives_what_it_gives_among_others(tiny_bundle: Bundle):
    queries = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    together = nearest(tiny_bundle, queries, 5, 3, None)
    for row, query in enumerate(queries):
        assert nearest(tiny_bundle, query[None], 1, 3, None)[0].tolist() == together[row].tolist()


def test_sources_take_turns_by_weight_and_no_item_comes_twice():
    one, two = np.array([[5, 6, 7]], np.int32), np.array([[7, 8, -1]], np.int32)
    items, scores = merge([one, two], [1.0, 2.0], 6)
    # Turns: 7 after 1/2 (from source two), 5 after 1, 8 after 2/2 (behind 5: an earlier source), 6 after 2.
    assert items.tolist() == [[7, 5, 8, 6, -1, -1]]
    np.testing.assert_allclose(scores[0, :, 0], [1 / 3, 1, 0, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores[0, :, 1], [1, 0, 1 / 2, 0, 0, 0])


@given(
    st.lists(
        st.lists(st.lists(st.integers(-1, 9), min_size=4, max_size=4, unique=True), min_size=3, max_size=3),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 15),
)
def test_a_merge_holds_each_offered_item_once_and_nothing_else(lists: list, limit: int):
    offers = [np.array(offer, np.int32) for offer in lists]
    items, scores = merge(offers, [1.0] * len(offers), limit)
    assert items.shape == (3, limit)
    for row in range(3):
        offered = {item for offer in offers for item in offer[row].tolist() if item >= 0}
        kept = [item for item in items[row].tolist() if item >= 0]
        assert len(kept) == len(set(kept)) == min(limit, len(offered))
        assert set(kept) <= offered
        assert (items[row][len(kept) :] == -1).all(), "padding stands at the end"
        assert (scores[row, len(kept) :] == 0).all()
        for place, item in enumerate(kept):
            for source, offer in enumerate(offers):
                ranks = np.flatnonzero(offer[row] == item)
                expected = 1 / (ranks[0] + 1) if ranks.size else 0
                assert scores[row, place, source] == pytest.approx(expected)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_top_columns_are_those_of_a_full_sort(limit: int, seed: int):
    scores = np.random.default_rng(seed).permutation(30).reshape(3, 10).astype(np.float32)
    expected = np.argsort(-scores, axis=1)[:, :limit]
    assert top_columns(scores, limit).tolist() == expected.tolist()


def test_candidates_come_from_all_sources_with_their_scores(tiny_bundle: Bundle, users):
    queries = np.zeros((3, 4), np.float32)
    queries[:, 2] = 1.0
    found = retrieve(tiny_bundle, users, queries)
    assert found.items.shape == (3, 10)
    assert found.source_scores.shape == (3, 10, 4)
    assert sorted(found.items[0].tolist()) == [-1, -1, *range(8)]
    at = {item: place for place, item in enumerate(found.items[0].tolist())}
    # Butter: first by vector, third by popularity, neither own nor neighbour.
    np.testing.assert_allclose(found.source_scores[0, at[BUTTER]], [1, 0, 0, 1 / 3])
    assert found.retrieval_scores[0, at[BUTTER]] == pytest.approx(1.0)
    assert found.source_scores[0, at[BANANA], 1] == 1.0
    # Without a history nothing is one's own.
    assert (found.source_scores[1, :, 1:3] == 0).all()


def test_without_queries_the_other_sources_make_the_list(tiny_bundle: Bundle, users):
    found = retrieve(tiny_bundle, users, None, limit=3)
    assert found.items[1].tolist() == [BANANA, BREAD, BUTTER]
    assert (found.retrieval_scores == 0).all()
    assert (found.source_scores[:, :, 0] == 0).all()


def test_what_is_not_allowed_is_offered_by_no_source(tiny_bundle: Bundle, users):
    allowed = ~np.isin(np.arange(8), [BANANA, APPLE])
    found = retrieve(tiny_bundle, users, np.ones((3, 4), np.float32), allowed=allowed)
    assert not np.isin(found.items, [BANANA, APPLE]).any()
    assert (np.sort(found.items, axis=1)[:, -6:] == np.flatnonzero(allowed)).all()


def test_many_users_get_what_each_gets_alone(tiny_bundle: Bundle):
    random = np.random.default_rng(1)
    ids = ["banana", "apple", "pear", "bread", "roll", "butter", "cheese", "lamp"]
    rows = [
        history(*[(ids[random.integers(8)], "purchase", float(day)) for day in range(random.integers(0, 5))])
        for _ in range(300)
    ]
    queries = random.normal(size=(300, 4)).astype(np.float32)
    together = retrieve(tiny_bundle, user_batch(tiny_bundle, rows, [NOW] * 300), queries)
    for row in (0, 127, 128, 299):
        alone = retrieve(tiny_bundle, user_batch(tiny_bundle, [rows[row]], [NOW]), queries[row : row + 1])
        assert alone.items[0].tolist() == together.items[row].tolist()
        np.testing.assert_allclose(alone.source_scores[0], together.source_scores[row])


def test_nobody_is_offered_what_is_popular(tiny_bundle: Bundle):
    found = retrieve(tiny_bundle, empty_user(tiny_bundle), None)
    assert found.items[0].tolist() == [0, 3, 5, 1, 2, 6, 4, 7, -1, -1]
