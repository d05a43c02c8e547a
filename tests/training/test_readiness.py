"""A shop with too little to train on is refused at once, in its own words."""

import pytest

from pipelines.errors import TrainingError
from pipelines.evaluation import TimeSplit
from pipelines.training.data.interactions import read_shop
from pipelines.training.readiness import refuse_too_little
from tests.training.small_lake import event, on, small_lake

DAYS = 28


def checked(tmp_path, events):
    """A shop of January is split at its 29th: windows of 3 days, retrieval until the 12th at 12."""
    shop = read_shop(small_lake(tmp_path, events), on(29, 0))
    refuse_too_little(shop, TimeSplit.plan(on(1, 0), on(29, 0)))


def every_day(days=range(1, DAYS + 1)):
    return [event(user, item, on(day)) for day in days for user, item in (("a", "x"), ("b", "y"))]


def test_a_shop_whose_users_come_back_is_trained_on(tmp_path):
    checked(tmp_path, every_day())


@pytest.mark.parametrize(
    ("without", "purpose"),
    [(range(26, 29), "to measure the release by"), (range(23, 26), "to choose settings by")],
)
def test_an_empty_window_is_named_with_its_days(tmp_path, without, purpose):
    days = [day for day in range(1, DAYS + 1) if day not in without]
    with pytest.raises(TrainingError, match=f"expected purchase events from .* {purpose}; received none"):
        checked(tmp_path, every_day(days))


def test_one_user_or_one_item_is_too_little(tmp_path):
    with pytest.raises(TrainingError, match="at least 2 users with at least 2 items"):
        checked(tmp_path, [event("a", "x", on(day)) for day in range(1, DAYS + 1)])


def test_users_who_never_come_back_teach_nothing(tmp_path):
    once = [event(f"u{day}", f"i{day}", on(day)) for day in range(1, DAYS + 1)]
    with pytest.raises(TrainingError, match="users with two events or more before"):
        checked(tmp_path, once)


def test_events_far_away_from_the_others_are_not_learned_from(tmp_path):
    late = event("a", "x", on(29, month=12))
    shop = read_shop(small_lake(tmp_path, [*every_day(), late]), on(30, month=12))
    assert len(shop.interactions) == 2 * DAYS
