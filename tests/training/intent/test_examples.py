"""Examples of intent: labels by hand, and inputs as serving would compute them."""

import numpy as np

from pipelines.training.data import Interactions
from pipelines.training.intent import intent_examples
from serving.engine.intent import event_roles
from serving.engine.intent.inputs import CART, VIEW

TYPES = ("cart", "purchase", "view")
ROLES = event_roles(TYPES, ["purchase"])
CART_CODE, BUY_CODE, VIEW_CODE = 1, 2, 3
GROUPS = np.array([[1, 1], [2, 1], [2, 2]], np.int32)


def events(*rows: tuple[int, int, int, int]) -> Interactions:
    """Rows of user, item, type code and second."""
    users, items, types, times = (np.array(column) for column in zip(*rows, strict=True))
    return Interactions(
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        types=types.astype(np.int32),
        times=times.astype(np.int64),
        baskets=np.arange(len(users)),
        ratings=np.full(len(users), np.nan, np.float32),
    )


LOG = events(
    (0, 0, VIEW_CODE, 100),
    (0, 1, VIEW_CODE, 160),
    (0, 1, CART_CODE, 200),
    (0, 1, BUY_CODE, 300),
    (0, 2, VIEW_CODE, 400),
    (0, 2, VIEW_CODE, 5_000),
    (1, 0, VIEW_CODE, 5_010),
    (1, 2, VIEW_CODE, 5_020),
)


def test_a_label_is_what_came_later_in_the_same_session_of_the_same_user():
    examples = intent_examples(LOG, ROLES, GROUPS, (2, 2), 4)
    assert examples.purchase.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert examples.event_number.tolist() == [1, 2, 3, 4, 5, 1, 1, 2]
    assert examples.session_starts_s.tolist() == [100] * 5 + [5_000, 5_010, 5_010]
    assert examples.role.tolist()[:3] == [VIEW, VIEW, CART]


def test_the_next_step_is_the_next_cart_or_purchase_else_the_next_event():
    examples = intent_examples(LOG, ROLES, GROUPS, (2, 2), 4)
    # Item 1 (category 2, band 1) is carted and bought; then item 2 (category 2, band 2) is viewed.
    assert examples.category.tolist() == [2, 2, 2, 2, 0, 0, 2, 0]
    assert examples.price_band.tolist() == [1, 1, 1, 2, 0, 0, 2, 0]


def test_inputs_see_what_was_known_at_the_event_and_nothing_after():
    whole = intent_examples(LOG, ROLES, GROUPS, (2, 2), 4)
    for last in range(1, len(LOG) + 1):
        part = intent_examples(LOG.rows(np.arange(last)), ROLES, GROUPS, (2, 2), 4)
        np.testing.assert_array_equal(part.numbers[-1], whole.numbers[last - 1])
        np.testing.assert_array_equal(part.sequence[-1], whole.sequence[last - 1])


def test_a_draw_of_examples_is_a_part_of_them_all():
    whole = intent_examples(LOG, ROLES, GROUPS, (2, 2), 4)
    drawn = intent_examples(LOG, ROLES, GROUPS, (2, 2), 4, most=3, seed=1)
    chosen = np.sort(np.random.default_rng(1).choice(8, 3, replace=False))
    np.testing.assert_array_equal(drawn.numbers, whole.numbers[chosen])
    assert drawn.purchase.tolist() == whole.purchase[chosen].tolist()
