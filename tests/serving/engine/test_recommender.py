from dataclasses import replace

import numpy as np
import pytest

from serving.bundle import Bundle
from serving.engine.filtering import Filters
from serving.engine.recommender import RecommendationRequest, Recommender
from serving.engine.related_items import similar_items
from serving.engine.reranking import RerankSettings
from serving.engine.user_batch import RecentEvent, empty_user, user_batch, with_live_events
from serving.errors import BundleError
from serving.explanations import recommend
from tests.serving.tiny_bundle import APPLE, BANANA, BREAD, IDS, NOW, PEAR, history

BUYER = history(
    ("bread", "purchase", 2), ("banana", "purchase", 3), ("bread", "purchase", 6), ("bread", "purchase", 10)
)


@pytest.fixture(scope="module")
def recommender(graph_bundle: Bundle) -> Recommender:
    made = Recommender(graph_bundle)
    made.warm_up()
    return made


@pytest.fixture
def buyer(graph_bundle: Bundle):
    return user_batch(graph_bundle, [BUYER], [NOW])


def ids(answer: list) -> list[str]:
    return [item.item_id for item in answer]


def listed(recommender: Recommender, user=None, **context) -> list:
    user = empty_user(recommender.bundle) if user is None else user
    return recommend(recommender, user, RecommendationRequest(**context))[0]


def test_home_is_sorted_by_the_ranker(recommender: Recommender, buyer):
    # The query is the direction of 3 breads and 1 banana: bread 3/√10 = .949, banana 1/√10 = .316.
    # Personal: bread first, banana second. Scores: bread .949 + 2 + .4; banana .316 + 2/2 + .1;
    # roll .949/√1.0625 + 1 (nearest neighbour of bread) + .15.
    answer = listed(recommender, buyer, k=3)
    assert ids(answer) == ["bread", "roll", "banana"]
    assert [item.rank for item in answer] == [1, 2, 3]
    np.testing.assert_allclose(answer[0].score, 3 / np.sqrt(10) + 2 + 0.4, rtol=1e-5)
    assert [item.source for item in answer] == ["buy_again", "item_knn", "popularity"]
    assert answer[0].reason == "You buy this about every 4 days"
    assert (answer[0].title, answer[0].price, answer[0].brand) == ("Dark Bread", 4.0, "Mill")
    assert answer[1].reason == "Because you bought Dark Bread"
    assert answer[2].reason == "You bought this 3 days ago"


def test_home_for_nobody_is_what_is_popular(recommender: Recommender):
    answer = listed(recommender, k=4)
    assert ids(answer) == ["banana", "bread", "butter", "apple"]
    assert {item.source for item in answer} == {"popularity"}
    assert {item.reason for item in answer} == {"Popular with shoppers"}


def test_a_view_changes_the_next_list(recommender: Recommender):
    row = with_live_events({}, [RecentEvent("cheese", "view", int(NOW))])
    answer = listed(recommender, user_batch(recommender.bundle, [row], [NOW + 1]), k=2)
    assert ids(answer) == ["cheese", "butter"]
    assert answer[0].reason == "You looked at this recently"


def test_a_purchase_steps_back_at_once_and_comes_back_later(recommender: Recommender):
    row = with_live_events(BUYER, [RecentEvent("bread", "purchase", int(NOW))])
    at_once = user_batch(recommender.bundle, [row], [NOW + 60])
    next_week = user_batch(recommender.bundle, [row], [NOW + 4 * 86_400])
    assert ids(listed(recommender, at_once, k=8))[-1] == "bread"
    assert ids(listed(recommender, next_week, k=8))[0] == "bread"


def test_what_is_not_available_is_in_no_list_unless_asked_for(recommender: Recommender, buyer):
    assert "pear" not in ids(listed(recommender, buyer, k=8))
    everything = listed(recommender, buyer, k=8, filters=Filters(in_stock_only=False))
    assert sorted(ids(everything)) == sorted(IDS)


def test_filters_hold_and_the_list_is_filled(recommender: Recommender, buyer):
    wishes = Filters(category="Grocery", max_price=2.5, exclude_ids=("roll",))
    assert sorted(ids(listed(recommender, buyer, k=8, filters=wishes))) == ["apple", "banana", "butter"]
    assert sorted(ids(listed(recommender, k=8, filters=wishes))) == ["apple", "banana", "butter"]
    assert listed(recommender, buyer, filters=Filters(min_price=1000.0)) == []


def test_similar_items_are_of_the_same_shelf_first(recommender: Recommender):
    answer = listed(recommender, surface="item", item_id="butter", k=3)
    assert ids(answer)[0] == "cheese"
    assert answer[0].source == "similar"
    assert answer[0].reason == "Similar to Salted Butter"
    assert "butter" not in ids(answer)


def test_what_the_same_shoppers_buy_is_no_stand_in(tiny_bundle: Bundle):
    # Whoever buys bananas buys bread, by now whatever else; and both are learned to be rather alike.
    neighbours, vectors = tiny_bundle.neighbours.copy(), tiny_bundle.item_vectors.copy()
    neighbours[BANANA] = BREAD, APPLE
    vectors[BREAD] = 0.8 * vectors[BANANA] + 0.6 * vectors[BREAD]
    scores = similar_items(replace(tiny_bundle, neighbours=neighbours, item_vectors=vectors), BANANA, None, 8)
    # Likeness, share of the shelf, looks (half), shared buyers (half, and the second one half of that).
    assert scores[BREAD] == pytest.approx(0.8 + 2 / 3 + 0.5, abs=1e-5)
    assert scores[APPLE] == pytest.approx(1 / 1.0625**0.5 + 1 + 0.5 + 0.25, abs=1e-5)
    # The pear is told by its looks, two thirds as like as the apple.
    assert scores[PEAR] == pytest.approx(1 / 1.25**0.5 + 1 + 0.5 * 2 / 3, abs=1e-5)


def test_bought_together_is_told_as_such_and_filled_with_what_is_popular(recommender: Recommender):
    answer = listed(recommender, surface="item", item_id="bread", relation="bought_together", k=4)
    assert ids(answer) == ["butter", "banana", "apple", "cheese"]
    assert [item.source for item in answer] == ["bought_together"] * 2 + ["popularity"] * 2
    assert answer[0].reason == "Often bought with Dark Bread"


def test_an_item_that_was_never_in_a_basket_borrows_from_its_like(recommender: Recommender):
    # The apple has no complements; of what is most like it, the banana has bread.
    answer = listed(recommender, surface="item", item_id="apple", relation="bought_together", k=1)
    assert ids(answer) == ["bread"]
    assert answer[0].source == "bought_together"


def test_an_item_without_any_history_has_similar_items_and_company(recommender: Recommender):
    assert listed(recommender, surface="item", item_id="lamp", k=3)
    together = listed(recommender, surface="item", item_id="lamp", relation="bought_together", k=3)
    assert ids(together) == ["banana", "bread", "butter"]


def test_an_unknown_item_falls_back_to_its_category_and_then_to_home(recommender: Recommender, buyer):
    category = "Grocery > Chilled > Dairy"
    known_category = listed(recommender, surface="item", item_id="?", category=category)
    assert ids(known_category) == ["butter", "cheese"]
    assert known_category[0].reason == "Popular in Dairy"
    assert ids(listed(recommender, surface="item", item_id="?", k=3)) == ["banana", "bread", "butter"]
    for_buyer = listed(recommender, buyer, surface="item", item_id="?", k=3)
    assert ids(for_buyer) == ids(listed(recommender, buyer, k=3))


def test_a_cart_asks_for_what_goes_with_all_of_it(recommender: Recommender):
    # Bread asks for butter (1) and banana (.5), butter for bread: only butter and banana are not in the cart.
    answer = listed(recommender, surface="cart", cart=("bread",), k=2)
    assert ids(answer) == ["butter", "banana"]
    both = listed(recommender, surface="cart", cart=("bread", "butter"), k=8)
    assert ids(both)[0] == "banana"
    assert not {"bread", "butter"} & set(ids(both))
    assert both[0].reason == "Often bought with Dark Bread"


def test_a_cart_knows_the_shopper(recommender: Recommender):
    """Banana and butter go with bread; the shopper who buys bananas every third day finds them first."""
    habit = history(*[("banana", "purchase", 2.5 + 3 * n) for n in range(4)])
    user = user_batch(recommender.bundle, [habit], [NOW])
    stranger = listed(recommender, surface="cart", cart=("bread",), k=2)
    known = listed(recommender, user, surface="cart", cart=("bread",), k=2)
    assert known[1].score - known[0].score > stranger[1].score - stranger[0].score
    assert {item.item_id for item in known} == {"banana", "butter"}


def test_an_empty_or_unknown_cart_is_home_without_the_cart(recommender: Recommender, buyer):
    home = ids(listed(recommender, buyer))
    assert ids(listed(recommender, buyer, surface="cart")) == home
    assert ids(listed(recommender, buyer, surface="cart", cart=("?",))) == home
    assert "bread" not in ids(listed(recommender, buyer, cart=("bread",)))


def test_a_category_holds_nothing_else(recommender: Recommender, buyer):
    for user in (buyer, None):
        answer = listed(recommender, user, surface="category", category="grocery > fresh > BAKERY")
        assert sorted(ids(answer)) == ["bread", "roll"]
    assert listed(recommender, surface="category", category="Grocery > Fresh")[0].reason == "Popular in Fresh"


def test_an_unknown_category_gives_what_is_popular(recommender: Recommender):
    answer = listed(recommender, surface="category", category="Garage", k=2)
    assert ids(answer) == ["banana", "bread"]
    assert answer[0].reason == "Popular with shoppers"


def test_lists_speak_the_language_asked_for(recommender: Recommender, buyer):
    (answer,) = recommend(recommender, buyer, RecommendationRequest(k=1), language="zh")
    assert answer[0].reason == "您大约每 4 天买一次"


def test_a_batch_is_answered_as_each_user_alone(recommender: Recommender):
    rows = [BUYER, {}, history(("cheese", "view", 1))]
    users = user_batch(recommender.bundle, rows, [NOW] * 3)
    for context in (
        RecommendationRequest(k=5),
        RecommendationRequest("item", item_id="bread", k=5),
        RecommendationRequest("cart", cart=("banana",), k=5),
        RecommendationRequest("category", category="Grocery", k=5),
    ):
        together = recommend(recommender, users, context)
        for row, answer in enumerate(together):
            assert answer == recommend(recommender, users.rows(np.array([row])), context)[0]


def test_arrays_and_texts_tell_the_same_list(recommender: Recommender, buyer):
    ranked = recommender.rank_items(buyer, RecommendationRequest(k=10))
    answer = listed(recommender, buyer, k=10)
    assert ranked.items.shape == (1, 10)
    assert [IDS[item] for item in ranked.items[0] if item >= 0] == ids(answer)
    assert [recommender.source_names[code] for code in ranked.sources[0][:7]] == [a.source for a in answer]
    assert (ranked.items[0, 7:] == -1).all(), "seven items are available, the rest is padding"


def test_diversity_is_the_callers_choice(recommender: Recommender, buyer):
    strict = RerankSettings(max_per_category=1, window=8, just_bought_hours=0)
    categories = [item.category for item in listed(recommender, buyer, k=4, reranking=strict)]
    assert len(set(categories)) == 4
    loose = RerankSettings(max_per_category=0, just_bought_hours=0)
    assert len({item.category for item in listed(recommender, buyer, k=2, reranking=loose)}) == 1


def test_nobody_gets_an_answer_where_popularity_is_no_source(graph_bundle: Bundle):
    spec = replace(graph_bundle.spec, sources=("two_tower", "buy_again"))
    # In the directory above there are no graphs, whose width would be that of four sources.
    recommender = Recommender(replace(graph_bundle, spec=spec, directory=graph_bundle.directory.parent))
    answer = listed(recommender, k=2)
    assert ids(answer) == ["banana", "bread"]
    assert answer[0].source == "popularity"


def test_a_bundle_without_graphs_still_makes_lists(tiny_bundle: Bundle):
    recommender = Recommender(tiny_bundle)
    recommender.warm_up()
    assert ids(listed(recommender, k=2)) == ["banana", "bread"]
    user = user_batch(tiny_bundle, [BUYER], [NOW])
    answer = listed(recommender, user, k=2)
    assert ids(answer)[0] == "bread"
    assert answer[0].source == "buy_again"


def test_a_release_with_a_source_that_this_version_does_not_have_is_refused_when_it_is_opened(tiny_bundle):
    spec = replace(tiny_bundle.spec, sources=("popularity", "telepathy"))
    with pytest.raises(BundleError, match="'telepathy'; serve the release with the version of Aisle"):
        Recommender(replace(tiny_bundle, spec=spec))
