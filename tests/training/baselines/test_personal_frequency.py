import numpy as np
import pytest

from pipelines.training.baselines.personal_frequency import PersonalFrequency
from tests.training.baselines.small_field import asking, interactions, known, own


def test_items_are_counted_and_ties_go_to_the_later_one():
    # User 0 took item 2 three times, items 0 and 1 once each, item 1 later. User 1 took item 3.
    events = interactions((0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 0, 4), (0, 1, 5), (1, 3, 1))
    scores = PersonalFrequency.fit(known(events, 4)).scores(own(events, 0, 1))
    # Bonus 0.001 * 1/2 ** place: item 1 is newest, then 0, then 2 at places 2, 3, 4.
    np.testing.assert_allclose(scores, [[1.0005, 1.001, 3.0004375, 0], [0, 0, 0, 1.001]], rtol=1e-6)


def test_a_purchase_outweighs_three_views():
    events = interactions((0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 1, 1), types=[2, 2, 2, 1])
    scores = PersonalFrequency.fit(known(events, 2, weights=np.array([0.0, 1.0, 0.1]))).scores(own(events, 0))
    assert scores[0, 1] > 3 * scores[0, 0]


def test_older_events_count_less_by_days_and_by_places():
    model = PersonalFrequency.fit(known(interactions(), 2), half_life_days=2.0)
    # Days before the request: item 0 four and three, item 1 two and one.
    days = model.scores(asking([0, 0, 1, 1]))[0]
    assert days[0] == pytest.approx(0.25 + 0.5**1.5, abs=2e-3)
    assert days[1] == pytest.approx(0.5 + 0.5**0.5, abs=2e-3)
    places = PersonalFrequency.fit(known(interactions(), 2), place_decay=0.1).scores(asking([0, 0, 1, 1]))[0]
    assert places == pytest.approx([0.011, 1.1], abs=2e-3)


def test_nothing_is_said_of_what_a_user_never_had():
    assert PersonalFrequency.fit(known(interactions(), 3)).scores(asking([1], []))[:, [0, 2]].max() == 0
