import numpy as np
import pytest

from pipelines.training.baselines.session_knn import SessionKnn
from tests.training.baselines.small_field import asking, interactions, known, sequences


def test_vsknn_weighs_late_items_of_the_asking_sequence_and_the_newest_common_one():
    model = SessionKnn.fit(known(sequences([0, 1, 2], [3, 1]), 4), order="vsknn")
    # Of 0 1, item 1 weighs 2/2 and item 0 1/2, over 2 items: 0.75 with the first, 0.5 with the second.
    np.testing.assert_allclose(model.scores(asking([0, 1])), [[0.75, 1.25, 0.75, 0.5]], rtol=1e-6)
    # Of 1 0, the second shares but the older one: 0.25, and half of that since it is the last but one.
    np.testing.assert_allclose(model.scores(asking([1, 0])), [[0.75, 0.875, 0.75, 0.125]], rtol=1e-6)


def test_stan_weakens_with_the_distance_from_the_common_item():
    model = SessionKnn.fit(known(sequences([0, 1, 2], [3, 1]), 4), order="stan", memory=1.0, reach=2.0)
    first, second, apart = (1 + np.exp(-1)) / 6**0.5, 0.5, np.exp(-0.5)
    expected = [[first * apart, first + second, first * apart, second * apart]]
    np.testing.assert_allclose(model.scores(asking([0, 1])), expected, rtol=1e-6)


def test_old_sequences_count_less():
    # The neighbour ended on day 2; asked on day 5 with a half-life of 3 days.
    model = SessionKnn.fit(known(sequences([0, 1]), 2), order="vsknn", half_life_days=3.0)
    assert model.scores(asking([0], at_day=5))[0, 1] == pytest.approx(0.5)


def test_of_equally_near_sequences_the_newer_one_speaks():
    events = interactions((0, 0, 1), (0, 1, 2), (1, 0, 1), (1, 2, 9))
    model = SessionKnn.fit(known(events, 3), neighbours=1)
    assert (model.scores(asking([0]))[0] > 0).tolist() == [True, False, True]


def test_a_user_is_no_neighbour_of_the_own_sequence():
    model = SessionKnn.fit(known(sequences([0, 1], [2]), 3))
    scores = model.scores(asking([0], [0], users=[0, -1]))
    assert scores[0].max() == 0
    assert scores[1, 1] > 0


def test_only_the_last_fifty_events_are_looked_at():
    model = SessionKnn.fit(known(sequences([60, *range(50)], [60, 61]), 62))
    scores = model.scores(asking([60]))
    assert scores[0, 61] > 0
    assert scores[0, 0] == 0


def test_a_repeated_item_stands_at_its_last_place():
    model = SessionKnn.fit(known(sequences([1, 0, 1]), 2), order="stan", reach=1.0)
    # Asked for item 1, which is newest there; item 0 stands one place before it.
    scores = model.scores(asking([1]))[0]
    assert scores[0] / scores[1] == pytest.approx(np.exp(-1))


def test_the_answer_does_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(2)
    rows = [rng.integers(0, 20, rng.integers(1, 9)).tolist() for _ in range(60)]
    model, histories = SessionKnn.fit(known(sequences(*rows), 20), order="stan"), asking(*rows[:9], [])
    whole = model.scores(histories)
    monkeypatch.setattr("pipelines.training.baselines.session_knn.ROW_BATCH_SIZE", 10)
    np.testing.assert_allclose(model.scores(histories), whole, rtol=1e-5)


@pytest.mark.parametrize("order", ["vsknn", "stan"])
def test_who_shares_nothing_is_told_nothing(order: str):
    model = SessionKnn.fit(known(sequences([0, 1]), 3), order=order)
    assert model.scores(asking([], [2])).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert SessionKnn.fit(known(interactions(), 2, n_users=2)).scores(asking([0])).max() == 0
