import numpy as np
import pytest

from pipelines.training.baselines.sequence_rules import SequenceRules, count_rules, followers
from tests.training.baselines.small_field import asking, interactions, known, sequences


def test_rules_count_who_followed_whom_and_weaken_with_the_gap():
    # 0 1 2 and 0 2: 0 → 2 twice, with one item between and with none.
    rules = count_rules(known(sequences([0, 1, 2], [0, 2]), 3)).toarray()
    np.testing.assert_allclose(rules, [[0, 1, 1 + 0.5**0.5], [0, 0, 1], [0, 0, 0]], rtol=1e-6)


def test_older_events_of_the_asking_user_count_half():
    model = SequenceRules.fit(known(sequences([0, 1, 2], [0, 2]), 3), place_decay=0.5)
    np.testing.assert_allclose(
        model.scores(asking([0, 1], [2], [])),
        [[0, 0.5, 0.5 * (1 + 0.5**0.5) + 1], [0] * 3, [0] * 3],
        rtol=1e-6,
    )


def test_thirty_places_apart_make_the_last_rule():
    rules = count_rules(known(sequences(list(range(32))), 32))
    assert rules[0, 30] == pytest.approx(30**-0.5)
    assert rules[0, 31] == 0


def test_a_rule_counts_what_its_end_counts():
    events = interactions((0, 0, 1), (0, 1, 2), (0, 2, 3), types=[1, 2, 1])
    rules = count_rules(known(events, 3, weights=np.array([0.0, 1.0, 0.1])))
    assert rules[0, 1] == pytest.approx(0.1)
    assert rules[1, 2] == pytest.approx(1)


def test_popularity_can_be_held_against_an_item():
    rules = count_rules(known(sequences([0, 2], [1, 2], [1, 0]), 3), popularity_power=0.5)
    assert rules[0, 2] == pytest.approx(0.5**0.5)


def test_pairs_can_be_read_backwards_too():
    rules = count_rules(known(sequences([0, 1]), 2), backwards=0.5)
    assert rules.toarray().tolist() == [[0, 1], [0.5, 0]]


def test_large_shops_count_nearer_events_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.training.baselines.sequence_rules.MOST_PAIRS", 8)
    rules = count_rules(known(sequences([0, 1, 2, 3]), 4))
    assert rules[0, 2] > 0
    assert rules[0, 3] == 0


def test_a_release_ships_the_strongest_followers():
    near = followers(known(sequences([0, 1, 2, 0], [0, 2]), 4), neighbours=2)
    # 0 → 2: 1 + 1 / sqrt 2; 0 → 1: 1; its own return is left out.
    assert near.items.tolist() == [[2, 1], [2, 0], [0, -1], [-1, -1]]
    assert near.scores[0].tolist() == pytest.approx([1 + 0.5**0.5, 1])


def test_a_shop_of_single_events_has_no_rules():
    assert SequenceRules.fit(known(sequences([0], [1]), 2)).scores(asking([0])).tolist() == [[0, 0]]
    assert SequenceRules.fit(known(interactions(), 2, n_users=0)).scores(asking([0])).tolist() == [[0, 0]]
