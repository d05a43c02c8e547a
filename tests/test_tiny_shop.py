import pyarrow.compute as pc

from tests import tiny_shop


def test_every_event_lies_in_the_120_days_before_the_first_of_may():
    at = tiny_shop.events()["event_at"]
    assert pc.min(at).as_py() >= tiny_shop.STARTS_AT
    assert pc.max(at).as_py() < tiny_shop.ENDS_AT


def test_silent_users_and_untouched_items_have_no_event():
    events = tiny_shop.events()
    assert not tiny_shop.SILENT_USERS & set(events["user_id"].to_pylist())
    assert not tiny_shop.UNTOUCHED_ITEMS & set(events["item_id"].to_pylist())


def test_the_shop_is_the_same_at_every_call():
    assert tiny_shop.events().equals(tiny_shop.events())
