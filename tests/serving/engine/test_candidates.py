import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bundle import ARRAYS, DEFAULT_SOURCES, Bundle
from serving.engine.candidates import (
    SOURCES,
    CandidateRequest,
    SourceCandidates,
    most_popular,
    nearest,
    source_named,
    top_columns,
)
from serving.engine.candidates.affinity import item_affinity
from serving.engine.candidates.merge import merge
from serving.engine.candidates.retrieve import retrieve
from serving.engine.user_batch import UserBatch, empty_user, user_batch
from serving.errors import BundleError
from tests.serving.tiny_bundle import (
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


def offered(*rows: list[int]) -> SourceCandidates:
    """An offer whose scores fall from 8 by half at every place."""
    items = np.array(rows, np.int32)
    halves = 8 * 0.5 ** np.arange(items.shape[1])
    return SourceCandidates(items, np.where(items >= 0, halves, 0).astype(np.float32))


def candidates_of(
    source: str, bundle: Bundle, users: UserBatch, limit: int, allowed: np.ndarray | None = None
) -> SourceCandidates:
    """What one source proposes without queries."""
    request = CandidateRequest(bundle, users, item_affinity(bundle, users), None, limit, allowed)
    return source_named(source).candidates(request)


@pytest.fixture
def users(tiny_bundle: Bundle):
    return user_batch(tiny_bundle, [BUYER, {}, LOOKER], [NOW] * 3)


def test_in_a_large_catalogue_fewer_users_are_scored_at_once_and_get_the_same(
    tiny_bundle: Bundle, users, monkeypatch: pytest.MonkeyPatch
):
    together = retrieve(tiny_bundle, users, None, limit=5)
    monkeypatch.setattr("serving.engine.candidates.retrieve.SCORE_BATCH_SIZE", 1)
    apart = retrieve(tiny_bundle, users, None, limit=5)
    for entry in fields(together):
        np.testing.assert_array_equal(getattr(apart, entry.name), getattr(together, entry.name))


def test_an_unknown_source_is_an_error_and_never_silently_popularity(tiny_bundle: Bundle, users):
    unknown = replace(tiny_bundle, spec=replace(tiny_bundle.spec, sources=("popularity", "telepathy")))
    with pytest.raises(BundleError, match=r"expected a candidate source out of two_tower, .*'telepathy'"):
        retrieve(unknown, users, None)


def test_every_source_reads_arrays_that_the_bundle_has_and_says_how_it_counts():
    for name, source in SOURCES.items():
        assert name == source.name
        assert set(source.arrays) <= set(ARRAYS)
        assert source.default_weight > 0
    assert SOURCES["buy_again"].specificity > SOURCES["item_knn"].specificity
    assert SOURCES["popularity"].specificity == 0


def test_the_default_sources_of_a_release_are_registered():
    assert set(DEFAULT_SOURCES) == set(SOURCES) - {"trending"}


def test_trending_lists_rising_items_alone_and_a_bundle_without_the_array_lists_none(
    tiny_bundle: Bundle, users
):
    rises = np.zeros(8, np.float32)
    rises[[BREAD, LAMP, PEAR]] = 1.5, 4.0, 2.5
    rising = replace(tiny_bundle, trending=rises)
    found = candidates_of("trending", rising, users, 10)
    assert found.items.tolist() == [[LAMP, PEAR, BREAD]] * 3
    assert found.scores.tolist() == [[4.0, 2.5, 1.5]] * 3
    assert candidates_of("trending", rising, users, 1, np.arange(8) != LAMP).items.tolist() == [[PEAR]] * 3
    assert candidates_of("trending", tiny_bundle, users, 10).items.shape == (3, 0)


def test_interest_is_the_sum_of_weights_halved_every_half_life(tiny_bundle: Bundle, users):
    interest = item_affinity(tiny_bundle, users)
    assert interest.users.tolist() == [0, 0, 2, 2]
    assert interest.items.tolist() == [BANANA, BREAD, APPLE, ROLL]
    np.testing.assert_allclose(interest.scores, [0.5 + 0.25, 0.5, 0.3, 0.1])


def test_what_was_returned_or_means_nothing_known_is_not_to_be_bought_again(tiny_bundle: Bundle):
    types = ("view", "cart", "purchase", "return", "stroke")
    bundle = replace(tiny_bundle, spec=replace(tiny_bundle.spec, event_types=types))
    row = history(
        ("banana", "return", 1), ("banana", "purchase", 2), ("bread", "stroke", 1), ("apple", "purchase", 1)
    )
    users = user_batch(bundle, [row], [NOW])
    # Bananas: 1/4 of a purchase two days ago, less 1/2 of a return one day ago.
    assert candidates_of("buy_again", bundle, users, 10).items.tolist() == [[APPLE]]
    # Nor do their neighbours follow: those of the apple alone.
    assert set(candidates_of("item_knn", bundle, users, 10).items[0].tolist()) == {BANANA, PEAR}


def test_buy_again_orders_the_own_history(tiny_bundle: Bundle, users):
    found = candidates_of("buy_again", tiny_bundle, users, 10)
    assert found.items.tolist() == [[BANANA, BREAD], [-1, -1], [APPLE, ROLL]]
    np.testing.assert_allclose(found.scores, [[0.75, 0.5], [0, 0], [0.3, 0.1]])
    assert candidates_of("buy_again", tiny_bundle, users, 1).items.tolist() == [[BANANA], [-1], [APPLE]]
    allowed = np.arange(8) != BANANA
    assert candidates_of("buy_again", tiny_bundle, users, 10, allowed).items.tolist() == [
        [BREAD, -1],
        [-1, -1],
        [APPLE, ROLL],
    ]


def test_neighbours_sum_over_the_history(tiny_bundle: Bundle, users):
    found = candidates_of("item_knn", tiny_bundle, users, 10)
    # Buyer: apple log(1.75)*.5 = .280, roll log(1.5)*.5 = .203, pear log(1.75)*.25 = .140.
    assert found.items[0].tolist() == [APPLE, ROLL, PEAR]
    np.testing.assert_allclose(found.scores[0], [0.2798, 0.2027, 0.1399], atol=1e-4)
    assert found.items[1].tolist() == [-1, -1, -1]
    # Looker: banana log(1.3)*.5 = .131, pear log(1.3)*.25 = .066, bread log(1.1)*.5 = .048.
    assert found.items[2].tolist() == [BANANA, PEAR, BREAD]
    assert math.isclose(math.log(1.1) * 0.5, found.scores[2, 2], rel_tol=1e-5)


def test_followers_count_by_how_late_the_event_was(tiny_bundle: Bundle, users):
    found = candidates_of("next_items", tiny_bundle, users, 10)
    # Buyer's purchases of banana, bread, banana count 1, 1/2, 1/4, whenever they were.
    # Bread followed bananas 3: 1.25 * 3; butter followed bananas 1 and bread 3: 1.25 * 1 + .5 * 3.
    assert found.items.tolist() == [[BREAD, BUTTER], [-1, -1], [-1, -1]]
    np.testing.assert_allclose(found.scores, [[3.75, 2.75], [0, 0], [0, 0]])
    narrow = candidates_of("next_items", tiny_bundle, users, 10, np.arange(8) != BREAD)
    assert narrow.items[0].tolist() == [BUTTER]
    assert candidates_of("next_items", tiny_bundle, users, 1).items[0].tolist() == [BREAD]


def test_lookalikes_count_by_how_late_the_event_was_and_by_its_type(tiny_bundle: Bundle, users):
    found = candidates_of("content_similar", tiny_bundle, users, 10)
    # Buyer: bananas count 1 + .7 * .7 = 1.49, bread .7: apple 1.49 * .9, pear 1.49 * .6, roll .7 * .9.
    assert found.items[0].tolist() == [APPLE, PEAR, ROLL]
    np.testing.assert_allclose(found.scores[0], [1.341, 0.894, 0.63], rtol=1e-5)
    # Looker: the roll's view counts .1, the apple in the cart .3 * .7: banana .21 * .9, pear .21 * .6.
    assert found.items[2].tolist() == [BANANA, PEAR, BREAD]
    np.testing.assert_allclose(found.scores[2], [0.189, 0.126, 0.09], rtol=1e-5)
    assert found.items[1].tolist() == [-1, -1, -1]


def test_a_source_of_related_items_looks_at_the_latest_events_alone(tiny_bundle: Bundle):
    long = replace(tiny_bundle, spec=replace(tiny_bundle.spec, history_length=20))
    # Sixteen events on the lamp, which nothing follows or resembles, hide the banana before them.
    lamps = [("lamp", "purchase", float(day)) for day in range(16)]
    for days_hidden, expected in ((16, -1), (15, BREAD)):
        row = history(*lamps[:days_hidden], ("banana", "purchase", 20.0))
        found = candidates_of("next_items", long, user_batch(long, [row], [NOW]), 10)
        assert found.items[0, :1].tolist() == ([expected] if expected >= 0 else [])


def test_what_is_popular_is_offered_to_everybody_with_its_popularity(tiny_bundle: Bundle):
    found = candidates_of("popularity", tiny_bundle, user_batch(tiny_bundle, [{}, {}], [NOW, NOW]), 3)
    assert found.items.tolist() == [[BANANA, BREAD, BUTTER]] * 2
    assert found.scores.tolist() == [[8, 7, 6]] * 2


def test_the_nearest_items_are_those_of_the_largest_product(tiny_bundle: Bundle):
    queries = np.array([[0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
    found = nearest(tiny_bundle, queries, 2, 2, None)
    # Lamp lies on the fourth axis; the pear leans 0.5 / sqrt(1.25) = .447 towards it, the others less.
    assert found.items.tolist() == [[BUTTER, CHEESE], [LAMP, PEAR]]
    np.testing.assert_allclose(found.scores, [[1, 1 / 1.0625**0.5], [1, 0.5 / 1.25**0.5]], rtol=1e-5)
    alone = nearest(tiny_bundle, queries[1:], 1, 2, np.arange(8) != LAMP)
    assert alone.items[0, 0] == PEAR
    assert alone.scores[0, 0] == pytest.approx(0.4472, abs=1e-4)
    nothing = nearest(tiny_bundle, None, 2, 2, None)
    assert nothing.items.shape == nothing.scores.shape == (2, 0)


def test_a_narrow_filter_still_fills_the_list(tiny_bundle: Bundle):
    allowed = np.isin(np.arange(8), [LAMP, CHEESE])
    query = np.array([[1, 0, 0, 0]], np.float32)
    assert sorted(nearest(tiny_bundle, query, 1, 5, allowed).items[0].tolist()) == [CHEESE, LAMP]
    assert most_popular(tiny_bundle, 5, allowed).tolist() == [CHEESE, LAMP]


def test_every_query_alone_gives_what_it_gives_among_others(tiny_bundle: Bundle):
    queries = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    together = nearest(tiny_bundle, queries, 5, 3, None)
    for row, query in enumerate(queries):
        alone = nearest(tiny_bundle, query[None], 1, 3, None)
        assert alone.items[0].tolist() == together.items[row].tolist()
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)


def test_of_those_that_search_vectors_name_the_nearest_come_first(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    # By the third number alone butter and cheese lie near; all others have 0, and none of them is named.
    directions = np.array([[0], [0], [1], [0]], np.float32)
    quick = replace(
        tiny_bundle, search_directions=directions, search_vectors=tiny_bundle.item_vectors @ directions
    )
    query = np.array([[0, 0, 0.2, 0.9]], np.float32)
    monkeypatch.setattr("serving.engine.candidates.two_tower.SHORTLIST", 2)
    found = nearest(quick, query, 1, 1, None)
    # Butter has .2; cheese leans to the fourth axis: (.2 + .25 * .9) / sqrt(1.0625) = .4123.
    assert found.items.tolist() == [[CHEESE]]
    np.testing.assert_allclose(found.scores, [[0.425 / 1.0625**0.5]], rtol=1e-5)
    assert nearest(quick, query, 1, 1, np.arange(8) != CHEESE).items.shape == (1, 1)
    assert nearest(quick, query, 1, 8, None).items[0, 0] == LAMP


def test_what_a_filter_leaves_out_is_not_named_either(tiny_bundle: Bundle):
    directions = np.eye(4, dtype=np.float32)
    quick = replace(tiny_bundle, search_directions=directions, search_vectors=tiny_bundle.item_vectors)
    query = np.array([[0, 0, 1, 0]], np.float32)
    allowed = np.isin(np.arange(8), [CHEESE, LAMP])
    assert nearest(quick, query, 1, 1, allowed).items.tolist() == [[CHEESE]]


def test_sources_take_turns_by_weight_and_no_item_comes_twice():
    one, two = offered([5, 6, 7]), offered([7, 8, -1])
    items, scores, strengths = merge([one, two], [1.0, 2.0], 6)
    # Turns: 7 after 1/2 (from source two), 5 after 1, 8 after 2/2 (behind 5: an earlier source), 6 after 2.
    assert items.tolist() == [[7, 5, 8, 6, -1, -1]]
    np.testing.assert_allclose(scores[0, :, 0], [1 / 3, 1, 0, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores[0, :, 1], [1, 0, 1 / 2, 0, 0, 0])
    # Scores halve from place to place: 7 is third of the first source and first of the second.
    assert strengths[0, :, 0].tolist() == [1 / 4, 1, 0, 1 / 2, 0, 0]
    assert strengths[0, :, 1].tolist() == [1, 0, 1 / 2, 0, 0, 0]


def test_a_strength_is_a_share_of_the_best_and_never_below_nothing():
    # Dot products may be negative, popularity may be all 0; whatever the scale, shares stay within 0 and 1.
    items = np.array([[5, 6]], np.int32)
    offers = [
        SourceCandidates(items, np.array([scores], np.float32)) for scores in ([0.5, -0.25], [0, 0], [80, 20])
    ]
    merged, _, strengths = merge(offers, [1.0] * 3, 2)
    assert merged.tolist() == [[5, 6]]
    assert strengths[0].tolist() == [[1, 0, 1], [0, 0, 0.25]]


@given(
    st.lists(
        st.lists(st.lists(st.integers(-1, 9), min_size=4, max_size=4, unique=True), min_size=3, max_size=3),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 15),
)
def test_a_merge_holds_each_offered_item_once_and_nothing_else(lists: list, limit: int):
    offers = [offered(*offer) for offer in lists]
    items, scores, strengths = merge(offers, [1.0] * len(offers), limit)
    assert items.shape == (3, limit)
    for row in range(3):
        known = {item for offer in lists for item in offer[row] if item >= 0}
        kept = [item for item in items[row].tolist() if item >= 0]
        assert len(kept) == len(set(kept)) == min(limit, len(known))
        assert set(kept) <= known
        assert (items[row][len(kept) :] == -1).all(), "padding stands at the end"
        assert (scores[row, len(kept) :] == 0).all()
        assert (strengths[row, len(kept) :] == 0).all()
        for place, item in enumerate(kept):
            for source, offer in enumerate(lists):
                ranks = [rank for rank, other in enumerate(offer[row]) if other == item]
                assert scores[row, place, source] == pytest.approx(1 / (ranks[0] + 1) if ranks else 0)
                best = min(rank for rank, other in enumerate(offer[row]) if other >= 0) if ranks else 0
                assert strengths[row, place, source] == (0.5 ** (ranks[0] - best) if ranks else 0)


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
    # Its popularity is 6 of the banana's 8.
    np.testing.assert_allclose(found.source_strengths[0, at[BUTTER]], [1, 0, 0, 6 / 8])
    np.testing.assert_allclose(found.source_strengths[0, at[BREAD]], [0, 0.5 / 0.75, 0, 7 / 8])
    assert found.retrieval_scores[0, at[BUTTER]] == pytest.approx(1.0)
    assert found.source_scores[0, at[BANANA], 1] == 1.0
    # Without a history nothing is one's own.
    assert (found.source_scores[1, :, 1:3] == 0).all()


def test_without_queries_the_other_sources_make_the_list(tiny_bundle: Bundle, users):
    found = retrieve(tiny_bundle, users, None, limit=3)
    assert found.items[1].tolist() == [BANANA, BREAD, BUTTER]
    assert (found.retrieval_scores == 0).all()
    assert (found.source_scores[:, :, 0] == 0).all()


def test_every_source_is_heard_in_the_order_of_the_spec(tiny_bundle: Bundle, users):
    everything = replace(tiny_bundle, spec=replace(tiny_bundle.spec, sources=DEFAULT_SOURCES))
    queries = np.zeros((3, 4), np.float32)
    queries[:, 2] = 1.0
    found = retrieve(everything, users, queries)
    assert found.source_scores.shape == found.source_strengths.shape == (3, 10, 6)
    places = {item: place for place, item in enumerate(found.items[0].tolist())}
    # Butter: first by vector, second among the followers (2.75 of 3.75), third by popularity (6 of 8).
    np.testing.assert_allclose(found.source_scores[0, places[BUTTER]], [1, 0, 0, 1 / 2, 0, 1 / 3])
    np.testing.assert_allclose(
        found.source_strengths[0, places[BUTTER]], [1, 0, 0, 2.75 / 3.75, 0, 6 / 8], rtol=1e-6
    )
    # The pear is offered by item-kNN, third of three, by looks, second of three, and by popularity.
    np.testing.assert_allclose(found.source_scores[0, places[PEAR], 1:], [0, 1 / 3, 0, 1 / 2, 1 / 5])
    np.testing.assert_allclose(found.source_strengths[0, places[PEAR], 4], 0.6 / 0.9, rtol=1e-6)


def test_what_is_not_allowed_is_offered_by_no_source(tiny_bundle: Bundle, users):
    everything = replace(tiny_bundle, spec=replace(tiny_bundle.spec, sources=DEFAULT_SOURCES))
    allowed = ~np.isin(np.arange(8), [BANANA, APPLE])
    found = retrieve(everything, users, np.ones((3, 4), np.float32), allowed=allowed)
    assert not np.isin(found.items, [BANANA, APPLE]).any()
    assert (np.sort(found.items, axis=1)[:, -6:] == np.flatnonzero(allowed)).all()


def test_where_nobody_buys_twice_what_a_user_had_is_offered_by_no_source(tiny_bundle: Bundle, users):
    once = replace(tiny_bundle, spec=replace(tiny_bundle.spec, sources=DEFAULT_SOURCES, repeats=False))
    found = retrieve(once, users, np.ones((3, 4), np.float32))
    assert sorted(found.items[0].tolist()) == [-1] * 4 + [APPLE, PEAR, ROLL, BUTTER, CHEESE, LAMP]
    assert sorted(found.items[1].tolist()) == [-1, -1, *range(8)]
    assert not np.isin(found.items[2], [ROLL, APPLE]).any()
    padding = found.items < 0
    assert (found.source_scores[padding] == 0).all()
    assert (found.source_strengths[padding] == 0).all()
    assert (found.source_scores[~padding].max(axis=1) > 0).all(), "every item has a source"
    # Without banana and bread, butter is the most popular and the only follower; the apple is the next.
    at = {item: place for place, item in enumerate(found.items[0].tolist())}
    np.testing.assert_allclose(found.source_scores[0, at[BUTTER], 3:], [1, 0, 1])
    np.testing.assert_allclose(found.source_scores[0, at[APPLE], 1:], [0, 1, 0, 1, 1 / 2])
    np.testing.assert_allclose(found.source_strengths[0, at[APPLE], 5], 4 / 6)


def test_a_list_is_full_even_where_the_user_had_the_best_of_every_source(tiny_bundle: Bundle):
    once = replace(tiny_bundle, spec=replace(tiny_bundle.spec, sources=DEFAULT_SOURCES, repeats=False))
    row = history(*[(item, "purchase", 1.0) for item in ("banana", "bread", "butter", "apple")])
    users = user_batch(once, [row], [NOW])
    # The nearest to the query are banana and apple, the most popular banana, bread and butter: all had.
    found = retrieve(once, users, np.array([[1, 0, 0, 0]], np.float32), limit=3)
    assert (found.items >= 0).all()
    assert PEAR in found.items[0]
    assert not np.isin(found.items, [BANANA, BREAD, BUTTER, APPLE]).any()


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
        np.testing.assert_allclose(alone.source_strengths[0], together.source_strengths[row], rtol=1e-5)


def test_nobody_is_offered_what_is_popular(tiny_bundle: Bundle):
    found = retrieve(tiny_bundle, empty_user(tiny_bundle), None)
    assert found.items[0].tolist() == [0, 3, 5, 1, 2, 6, 4, 7, -1, -1]
