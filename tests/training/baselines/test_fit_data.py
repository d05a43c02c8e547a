import numpy as np
import pytest

from pipelines.training.baselines.fit_data import FitData, type_weights
from serving.bundle import Spec
from tests.training.baselines.small_field import interactions, leave_one_out, sequences


def test_events_count_as_in_a_release_with_the_largest_as_one():
    assert type_weights(("cart", "purchase", "rating", "view")).tolist() == [0, 0.3, 1, 0.1, 0.1]
    assert type_weights(("view",)).tolist() == [0, 1]
    assert type_weights(("cart", "view")) == pytest.approx([0, 1, 1 / 3])
    spec = Spec(1, 1, 1, ("view",), ("item",))
    assert dict(spec.event_weights) == {"purchase": 1.0, "cart": 0.3, "view": 0.1}


def test_what_speaks_against_an_item_is_no_liking_and_an_unknown_type_counts_nothing(caplog):
    assert type_weights(("purchase", "return", "wish")).tolist() == [0, 1, 0, 0]
    assert "no weight is declared for event type wish: its events count nothing" in caplog.text


def test_a_shop_that_names_its_success_itself_declares_it():
    assert type_weights(("order", "view"), ("order",)).tolist() == [0, 1, 0.1]
    assert type_weights(("purchase", "wish"), ("purchase", "wish")).tolist() == [0, 1, 0]


def test_a_log_of_undeclared_types_alone_counts_them_alike(caplog):
    assert type_weights(("play", "skip")).tolist() == [0, 1, 1]
    assert "all its events count alike" in caplog.text


def test_what_is_known_of_a_trial_is_what_may_be_learned_from():
    trial = leave_one_out(sequences([0, 1, 2], [3]), 5)
    known = FitData.of(trial)
    assert known.interactions.items.tolist() == [0, 1, 3]
    assert (known.n_users, known.n_items) == (2, 5)
    later = interactions((0, 4, 9))
    assert FitData.of(trial, later).interactions is later
    np.testing.assert_array_equal(FitData.of(trial, later).weights, [0, 1])
