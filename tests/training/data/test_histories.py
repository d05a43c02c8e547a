import numpy as np

from pipelines.training.data.histories import Histories
from pipelines.training.data.interactions import Interactions


def shop() -> Interactions:
    """User 0 takes items 5, 6, 7 at seconds 1, 2, 3; user 1 item 5 at second 2; user 2 items 8, 9 at 4, 9."""
    return Interactions(
        users=np.array([0, 0, 0, 1, 2, 2], np.int32),
        items=np.array([5, 6, 7, 5, 8, 9], np.int32),
        types=np.array([1, 2, 1, 1, 1, 1], np.int32),
        times=np.array([1, 2, 3, 2, 4, 9], np.int64),
        baskets=np.arange(6),
        ratings=np.full(6, np.nan, np.float32),
    )


def test_a_history_ends_before_its_request() -> None:
    known = Histories.of(shop(), np.array([2, 0, 1]), np.array([9, 3, 2]))
    assert known.indptr.tolist() == [0, 1, 3, 3]
    assert known.items.tolist() == [8, 5, 6]
    assert known.types.tolist() == [1, 1, 2]
    assert known.rows.tolist() == [0, 1, 1]
    assert known.places.tolist() == [0, 1, 0]


def test_the_latest_events_come_newest_first_and_padded() -> None:
    known = Histories.of(shop(), np.array([0, 1]), np.array([100, 100]))
    assert known.latest(2).tolist() == [[2, 1], [3, -1]]


def test_users_can_be_taken_in_any_order() -> None:
    known = Histories.of(shop(), np.array([0, 1, 2]), np.array([100, 100, 100])).take(np.array([2, 0]))
    assert known.users.tolist() == [2, 0]
    assert known.items.tolist() == [8, 9, 5, 6, 7]
    assert known.take(slice(1, 2)).items.tolist() == [5, 6, 7]


def test_a_user_without_events_has_an_empty_history() -> None:
    known = Histories.of(shop(), np.array([1]), np.array([0]))
    assert len(known) == 1
    assert known.sizes.tolist() == [0]
    assert known.latest(1).tolist() == [[-1]]
