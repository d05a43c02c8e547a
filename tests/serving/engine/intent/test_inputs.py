"""The numbers that the intent model reads, against sessions counted by hand."""

import numpy as np
import pytest

from serving.engine.intent import NUMBERS, SEQUENCE_LENGTH, event_roles, intent_inputs
from serving.engine.intent.inputs import CART, LONG_AGO_S, OTHER, PURCHASE, VIEW

LAMP, ROPE, TENT = 0, 1, 2
GROUPS = np.array([[1, 0], [2, 1], [2, 2]], np.int32)
NOON_MONDAY = 4 * 86_400 + 12 * 3_600.0
"""5 January 1970, 12:00, a Monday."""


def inputs(*events: tuple[int, int, float], at_s: float = NOON_MONDAY, length: int = 8):
    """Of one user: item, role and age in seconds, newest first, padded to `length`."""
    items, roles, ages = (list(column) for column in zip(*events, strict=True))
    missing = length - len(events)
    return intent_inputs(
        np.array([items + [-1] * missing], np.int32),
        np.array([roles + [0] * missing], np.int32),
        np.array([ages + [0.0] * missing], np.float32),
        np.array([at_s]),
        GROUPS,
        (2, 2),
    )


def number(computed, name: str) -> float:
    return float(computed.numbers[0, NUMBERS.index(name)])


def test_roles_follow_the_shops_own_names():
    assert event_roles(["cart", "order", "share", "view"], ["order"]).tolist() == [
        0,
        CART,
        PURCHASE,
        OTHER,
        VIEW,
    ]


def test_a_session_ends_where_half_an_hour_passed():
    computed = inputs((TENT, VIEW, 10), (ROPE, VIEW, 70), (ROPE, VIEW, 1_870.5), (LAMP, VIEW, 1_900))
    assert computed.in_session[0].tolist() == [True, True] + [False] * 6
    assert number(computed, "session_events") == pytest.approx(np.log1p(2))
    assert number(computed, "session_duration") == pytest.approx(np.log10(1 + 60))
    assert number(computed, "earlier_sessions") == pytest.approx(np.log1p(1))
    assert number(computed, "since_session") == pytest.approx(np.log10(1 + 1_860.5), abs=1e-5)
    # Exactly half an hour is still the same session.
    still = inputs((TENT, VIEW, 0), (ROPE, VIEW, 1_800))
    assert number(still, "session_events") == pytest.approx(np.log1p(2))


def test_what_a_session_did_is_counted_by_kind():
    computed = inputs(
        (TENT, CART, 0), (ROPE, PURCHASE, 20), (ROPE, CART, 30), (TENT, VIEW, 40), (TENT, VIEW, 100)
    )
    assert number(computed, "session_items") == pytest.approx(np.log1p(2))
    assert number(computed, "session_views") == pytest.approx(np.log1p(2))
    assert number(computed, "session_carts") == pytest.approx(np.log1p(2))
    assert number(computed, "session_purchases") == pytest.approx(np.log1p(1))
    # The rope was bought after it went into the cart; the tent lies there still.
    assert number(computed, "session_open_carts") == pytest.approx(np.log1p(1))
    assert number(computed, "item_times_in_session") == pytest.approx(np.log1p(3))
    assert number(computed, "newest_is_cart") == 1
    assert (number(computed, "second_is_purchase"), number(computed, "third_is_cart")) == (1, 1)
    assert number(computed, "since_purchase") == pytest.approx(np.log10(1 + 20))
    assert number(computed, "session_gap") == pytest.approx(np.log10(1 + 20))
    assert number(computed, "session_mean_gap") == pytest.approx(np.log10(1 + 100 / 4))


def test_a_purchase_before_the_cart_leaves_the_cart_open():
    computed = inputs((TENT, CART, 0), (TENT, PURCHASE, 50))
    assert number(computed, "open_carts") == pytest.approx(np.log1p(1))
    assert number(computed, "item_bought_before") == 1


def test_earlier_sessions_are_told_by_whether_they_bought():
    day = 86_400
    computed = inputs(
        (LAMP, VIEW, 0),
        (ROPE, PURCHASE, day),
        (ROPE, VIEW, day + 60),
        (TENT, CART, 2 * day),
        (TENT, VIEW, 3 * day),
    )
    # Three sessions before, of which one bought: (1 + .5) / (3 + 2).
    assert number(computed, "earlier_purchase_share") == pytest.approx(1.5 / 5)
    assert (number(computed, "last_session_purchased"), number(computed, "last_session_carted")) == (1, 0)
    assert number(computed, "earlier_views") == pytest.approx(np.log1p(2))


def test_what_never_was_is_long_ago():
    computed = inputs((LAMP, VIEW, 0))
    assert number(computed, "since_cart") == pytest.approx(np.log10(1 + LONG_AGO_S))
    assert number(computed, "session_gap") == -1
    assert number(computed, "history_is_full") == 0


def test_hour_and_weekday_are_those_of_the_newest_event():
    computed = inputs((LAMP, VIEW, 6 * 3_600), at_s=NOON_MONDAY + 6 * 3_600)
    assert number(computed, "hour_sin") == pytest.approx(0, abs=1e-6)
    assert number(computed, "hour_cos") == pytest.approx(-1)
    # The epoch's week begins on a Thursday: Monday noon is 4.5 days in.
    assert number(computed, "weekday_sin") == pytest.approx(np.sin(2 * np.pi * 4.5 / 7), abs=1e-6)


def test_the_same_events_give_the_same_numbers_whenever_they_are_asked():
    at_once, later = (
        inputs((TENT, CART, waited), (ROPE, VIEW, waited + 30), at_s=NOON_MONDAY + waited)
        for waited in (0, 600)
    )
    np.testing.assert_allclose(at_once.numbers, later.numbers, atol=1e-6)
    np.testing.assert_allclose(at_once.sequence, later.sequence, atol=1e-6)


def test_shares_are_those_of_the_session_and_of_all_that_is_known():
    computed = inputs((TENT, VIEW, 0), (ROPE, VIEW, 10), (LAMP, VIEW, 90_000), (-1, VIEW, 90_010))
    # Columns: two categories, then two price bands; the lamp has no price, the last item is unknown.
    assert computed.shares[0, 0].tolist() == [0, 1, 0.5, 0.5]
    assert computed.shares[0, 1].tolist() == [0.25, 0.5, 0.25, 0.25]


def test_events_stand_at_the_end_of_the_sequence_oldest_first():
    computed = inputs((TENT, PURCHASE, 0), (ROPE, VIEW, 99))
    steps = computed.sequence[0]
    assert not steps[: SEQUENCE_LENGTH - 2].any()
    # Channels: known, view, cart, purchase, other, log age, log gap, in session, same item, open cart.
    assert steps[-2] == pytest.approx([1, 1, 0, 0, 0, 2, 0, 1, 0, 0])
    assert steps[-1] == pytest.approx([1, 0, 0, 1, 0, 0, 2, 1, 1, 0])


def test_users_of_a_batch_do_not_see_each_other():
    random = np.random.default_rng(0)
    items = random.integers(-1, 3, (5, 30)).astype(np.int32)
    roles = random.integers(1, 5, (5, 30)).astype(np.int32)
    roles[3, 4:] = 0
    ages = np.cumsum(random.integers(1, 3_000, (5, 30)), axis=1).astype(np.float32)
    at_s = np.full(5, 1e9)
    together = intent_inputs(items, roles, ages, at_s, GROUPS, (2, 2))
    for row in range(5):
        part = slice(row, row + 1)
        alone = intent_inputs(items[part], roles[part], ages[part], at_s[part], GROUPS, (2, 2))
        for name in ("numbers", "sequence", "in_session", "shares"):
            np.testing.assert_array_equal(getattr(together, name)[part], getattr(alone, name))
