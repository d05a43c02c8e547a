import string
from dataclasses import replace

import pytest

from serving.bundle import Bundle
from serving.engine.user_batch import user_batch
from serving.explanations.explainer import Anchor, Explainer
from serving.explanations.messages import MESSAGES, SENTENCES
from serving.explanations.reasons import Reason, bought
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


def explained(bundle: Bundle, item: int, *events, source: str = "two_tower", **about) -> str:
    user = user_batch(bundle, [history(*events)], [NOW])
    return Explainer(bundle, user).explain(item, source, **about).text()


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("table", [SENTENCES, MESSAGES])
def test_every_language_says_everything_with_the_same_places(table):
    assert len(table) >= 2
    for language, sentences in table.items():
        assert sentences.keys() == table["en"].keys(), language
        for code, sentence in sentences.items():
            assert places(sentence) == places(table["en"][code]), f"{language} {code}"


def test_a_language_that_is_not_there_is_english_and_a_dialect_is_its_language():
    reason = Reason("similar", {"title": "Tea"})
    assert reason.text("tlh") == "Similar to Tea"
    assert reason.text("zh-CN") == reason.text("zh") == "与“Tea”相似"


@pytest.mark.parametrize(
    ("days_bought", "interval_days", "days_ago", "text"),
    [
        (4, 9.2, 3, "You buy this about every 9 days"),
        (3, 1.2, 0, "You buy this almost every day"),
        (4, 9.2, 18, "You buy this about every 9 days"),
        (4, 9.2, 19, "You bought this 19 days ago"),
        (3, 1.2, 300, "You bought this 300 days ago"),
        (2, 9.0, 12, "You bought this 12 days ago"),
        (1, float("nan"), 1, "You bought this a day ago"),
        (1, float("nan"), 0, "You bought this less than a day ago"),
    ],
)
def test_a_purchase_is_told_by_its_rhythm(days_bought, interval_days, days_ago, text):
    assert bought(days_bought, interval_days, days_ago).text() == text


def test_the_own_history_is_the_first_reason(tiny_bundle: Bundle):
    weekly = [("bread", "purchase", 2.0 + 7 * week) for week in range(3)]
    assert explained(tiny_bundle, BREAD, *weekly) == "You buy this about every 7 days"
    assert explained(tiny_bundle, BREAD, ("bread", "view", 1)) == "You looked at this recently"
    assert explained(tiny_bundle, BREAD, ("bread", "cart", 0.1)) == "You put this into your cart"


def test_only_what_is_recent_is_called_so(tiny_bundle: Bundle):
    assert explained(tiny_bundle, BREAD, ("bread", "view", 6.9)) == "You looked at this recently"
    assert explained(tiny_bundle, BREAD, ("bread", "view", 7.1)) == "You looked at this 7 days ago"
    assert explained(tiny_bundle, BREAD, ("bread", "view", 400)) == "You looked at this 400 days ago"
    assert explained(tiny_bundle, BREAD, ("bread", "cart", 30)) == "You put this into your cart 30 days ago"
    weekly_once = [("bread", "purchase", 100.0 + 7 * week) for week in range(3)]
    assert explained(tiny_bundle, BREAD, *weekly_once) == "You bought this 100 days ago"


def test_what_speaks_against_an_item_is_no_reason_for_another(tiny_bundle: Bundle):
    types = ("view", "cart", "purchase", "return", "stroke", "wish")
    weights = {**tiny_bundle.spec.event_weights, "wish": 0.2}
    spec = replace(tiny_bundle.spec, event_types=types, event_weights=weights)
    bundle = replace(tiny_bundle, spec=spec)
    returned = [("banana", "return", 1), ("banana", "purchase", 2)]
    assert explained(bundle, PEAR, *returned) == "Picked for you"
    assert explained(bundle, PEAR, ("banana", "stroke", 1)) == "Picked for you", "nobody declared what it is"
    assert explained(bundle, PEAR, ("banana", "wish", 1)) == "Because of your interest in Bananas, 1 KG"
    assert explained(bundle, BANANA, ("banana", "return", 1)) == "Picked for you", "it was not looked at"
    dairy = [("cheese", "return", float(day)) for day in range(1, 4)]
    assert explained(bundle, BUTTER, *dairy) == "Picked for you"


def test_a_neighbour_is_told_by_what_the_shopper_did_with_it(tiny_bundle: Bundle):
    assert explained(tiny_bundle, PEAR, ("banana", "purchase", 1)) == "Because you bought Bananas, 1 KG"
    assert explained(tiny_bundle, PEAR, ("banana", "view", 1)) == "Because you looked at Bananas, 1 KG"
    assert explained(tiny_bundle, PEAR, ("banana", "cart", 1)) == "Because you chose Bananas, 1 KG"
    assert explained(tiny_bundle, BANANA, ("bread", "purchase", 1)) == "Often bought with Dark Bread"


@pytest.mark.parametrize(
    ("success", "sentence", "own"),
    [
        ("view", "Because you looked at Bananas, 1 KG", "You looked at this recently"),
        ("rating", "Because you rated Bananas, 1 KG", "You rated this"),
    ],
)
def test_where_nothing_is_sold_nothing_is_said_to_be_bought(
    tiny_bundle: Bundle, success: str, sentence: str, own: str
):
    spec = replace(tiny_bundle.spec, event_types=(success,), target_types=(success,))
    bundle = replace(tiny_bundle, spec=spec)
    assert explained(bundle, PEAR, ("banana", success, 1)) == sentence
    assert explained(bundle, BANANA, ("banana", success, 1)) == own


def test_what_followed_is_told_by_what_it_followed(tiny_bundle: Bundle):
    # Butter is no neighbour of bananas and in no basket with them, but shoppers took it after them.
    assert explained(tiny_bundle, BUTTER, ("banana", "purchase", 1)) == "Because you bought Bananas, 1 KG"
    assert explained(tiny_bundle, BUTTER, ("banana", "view", 1)) == "Because you looked at Bananas, 1 KG"
    both = explained(tiny_bundle, BUTTER, ("banana", "view", 1), ("bread", "purchase", 2))
    assert both == "Because you looked at Bananas, 1 KG", "the one met last is named"


def test_taste_is_told_by_the_category_where_one_shops_often(tiny_bundle: Bundle):
    dairy = [("cheese", "view", float(day)) for day in range(1, 4)]
    assert explained(tiny_bundle, BUTTER, *dairy) == "Because you often shop in Dairy"
    assert explained(tiny_bundle, BUTTER, *dairy[:2]) == "Picked for you"
    long_ago = [("cheese", "view", float(day)) for day in range(91, 94)]
    assert explained(tiny_bundle, BUTTER, *long_ago) == "Picked for you"


def test_what_is_popular_is_told_as_popular(tiny_bundle: Bundle):
    assert explained(tiny_bundle, LAMP, ("roll", "view", 1), source="popularity") == "Popular with shoppers"
    assert explained(tiny_bundle, BREAD, source="popularity", category="Fresh") == "Popular in Fresh"
    assert explained(tiny_bundle, LAMP, ("roll", "view", 1), source="trending") == "Gaining popularity"
    assert explained(tiny_bundle, BREAD) == "Popular with shoppers", (
        "nobody is known: nothing is picked for them"
    )


def test_a_list_about_an_item_tells_the_item(tiny_bundle: Bundle):
    like = [Anchor(BANANA, complement=False)]
    assert explained(tiny_bundle, APPLE, source="similar", anchors=like) == "Similar to Bananas, 1 KG"
    assert explained(tiny_bundle, CHEESE, source="popularity", anchors=like) == "Popular with shoppers"
    own = explained(tiny_bundle, APPLE, ("apple", "purchase", 1), source="similar", anchors=like)
    assert own == "You bought this a day ago"


def test_a_list_about_a_cart_tells_the_item_that_it_goes_with_best(tiny_bundle: Bundle):
    cart = [Anchor(LAMP, True), Anchor(BREAD, True), Anchor(BUTTER, True)]
    # Butter stands first among bread's complements (.8); bread first among butter's.
    assert (
        explained(tiny_bundle, BUTTER, source="bought_together", anchors=cart)
        == "Often bought with Dark Bread"
    )
    assert (
        explained(tiny_bundle, BANANA, source="bought_together", anchors=cart)
        == "Often bought with Dark Bread"
    )
    assert explained(tiny_bundle, ROLL, source="popularity", anchors=cart) == "Popular with shoppers"
