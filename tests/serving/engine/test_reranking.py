import numpy as np
import pytest

from serving.bundle import Bundle
from serving.engine.purchase_history import DAY_S, purchase_history
from serving.engine.reranking import RerankSettings, is_repurchase_too_soon
from serving.engine.reranking.rerank import rerank
from serving.engine.user_batch import empty_user, user_batch
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

AS_RANKED = RerankSettings(max_per_category=0, just_bought_hours=0, in_cart_hours=0)
ONLY_REPEATS = RerankSettings(max_per_category=0)
ONLY_DIVERSITY = RerankSettings(max_per_category=1, window=3, just_bought_hours=0)


def user_of(bundle: Bundle, *events):
    return user_batch(bundle, [history(*events)], [NOW])


def order_of(bundle: Bundle, user, items: list[int], settings: RerankSettings) -> list[int]:
    ranked = np.array([items], np.int32)
    return np.take_along_axis(ranked, rerank(bundle, user, ranked, settings), 1)[0].tolist()


def test_rhythms_count_days_and_their_mean_distance(tiny_bundle: Bundle):
    user = user_of(
        tiny_bundle,
        ("bread", "purchase", 1.2),
        ("bread", "purchase", 1.25),  # the same shopping trip
        ("butter", "view", 2),
        ("banana", "purchase", 3),
        ("bread", "purchase", 5.2),
        ("bread", "purchase", 9.2),
    )
    rhythms = purchase_history(tiny_bundle, user)
    assert rhythms.keys.tolist() == [BANANA, BREAD]
    assert rhythms.days.tolist() == [1, 3]
    np.testing.assert_allclose(rhythms.last_age_s / DAY_S, [3, 1.2], rtol=1e-6)
    np.testing.assert_allclose(rhythms.interval_s / DAY_S, [np.nan, 4], rtol=1e-6)
    assert rhythms.find(np.zeros(3, int), np.array([BREAD, BUTTER, -1])).tolist() == [1, -1, -1]


def test_rhythms_of_users_do_not_mix(tiny_bundle: Bundle):
    rows = [history(("bread", "purchase", 1)), {}, history(("bread", "purchase", 2), ("lamp", "purchase", 3))]
    rhythms = purchase_history(tiny_bundle, user_batch(tiny_bundle, rows, [NOW] * 3))
    found = rhythms.find(np.array([0, 1, 2]), np.array([BREAD] * 3))
    assert rhythms.last_age_s[found[[0, 2]]].tolist() == [DAY_S, 2 * DAY_S]
    assert found[1] == -1
    assert rhythms.of_user(2).keys.tolist() == [BREAD, LAMP]
    assert len(rhythms.of_user(1).keys) == 0


@pytest.mark.parametrize(
    ("events", "is_too_early"),
    [
        # Bought once: too early for two hours.
        ([("bread", "purchase", 0.08)], True),
        ([("bread", "purchase", 0.09)], False),
        # Bought every eight days: too early for a quarter of them.
        ([("bread", "purchase", 1.9), ("bread", "purchase", 9.9)], True),
        ([("bread", "purchase", 2.1), ("bread", "purchase", 10.1)], False),
        # In the cart since this morning, or since yesterday.
        ([("bread", "cart", 0.3)], True),
        ([("bread", "cart", 1.0)], False),
        # Looked at, or another thing bought.
        ([("bread", "view", 0.1)], False),
        ([("butter", "purchase", 0.01)], False),
    ],
)
def test_what_came_home_lately_is_too_early(tiny_bundle: Bundle, events: list, is_too_early: bool):
    user = user_of(tiny_bundle, *events)
    settings = RerankSettings(repurchase_interval_share=0.25)
    rhythms = purchase_history(tiny_bundle, user)
    found = is_repurchase_too_soon(tiny_bundle, user, np.array([[BREAD, -1]]), settings, rhythms)
    assert found.tolist() == [[is_too_early, False]]


def test_what_is_too_early_steps_behind_the_others_and_stays_in_the_list(tiny_bundle: Bundle):
    user = user_of(tiny_bundle, ("bread", "purchase", 0.05), ("lamp", "cart", 0.1), ("butter", "purchase", 7))
    items = [BREAD, BUTTER, LAMP, CHEESE]
    assert order_of(tiny_bundle, user, items, ONLY_REPEATS) == [BUTTER, CHEESE, BREAD, LAMP]
    assert order_of(tiny_bundle, user, items, AS_RANKED) == items


def test_consumables_come_back(tiny_bundle: Bundle):
    """Bought every four days, the last time two days ago: the best of all recommendations."""
    user = user_of(tiny_bundle, *[("bread", "purchase", 2.0 + 4 * week) for week in range(4)])
    assert order_of(tiny_bundle, user, [BREAD, BUTTER], ONLY_REPEATS) == [BREAD, BUTTER]


def test_no_category_fills_the_page_alone(tiny_bundle: Bundle):
    # One per category on a page of three: the second fruit steps back by three places, the third by six.
    items = [BANANA, APPLE, PEAR, BREAD, BUTTER, LAMP]
    expected = [BANANA, BREAD, APPLE, BUTTER, LAMP, PEAR]
    assert order_of(tiny_bundle, empty_user(tiny_bundle), items, ONLY_DIVERSITY) == expected
    wide = RerankSettings(max_per_category=3, just_bought_hours=0)
    assert order_of(tiny_bundle, empty_user(tiny_bundle), items, wide) == items


def test_padding_stays_behind(tiny_bundle: Bundle):
    user = user_of(tiny_bundle, ("bread", "purchase", 0.05))
    settings = RerankSettings(max_per_category=1)
    assert order_of(tiny_bundle, user, [BREAD, ROLL, -1, -1], settings) == [ROLL, BREAD, -1, -1]


def test_every_user_has_an_own_order(tiny_bundle: Bundle):
    users = user_batch(tiny_bundle, [history(("bread", "purchase", 0.05)), {}], [NOW] * 2)
    items = np.array([[BREAD, BUTTER], [BREAD, BUTTER]], np.int32)
    assert rerank(tiny_bundle, users, items, ONLY_REPEATS).tolist() == [[1, 0], [0, 1]]
