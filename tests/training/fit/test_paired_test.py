"""Whether one choice is better than another by more than chance."""

import numpy as np
import pytest

from pipelines.training.fit.paired_test import paired_z_score


def test_so_many_standard_errors_of_the_paired_difference():
    # Differences 1, 0, 1, 0: mean .5, deviation .5, error of the mean .5 / 2.
    these, those = np.array([3.0, 2.0, 1.0, 0.0]), np.array([2.0, 2.0, 0.0, 0.0])
    assert paired_z_score(these, those) == pytest.approx(2.0)
    assert paired_z_score(those, these) == pytest.approx(-2.0)


def test_a_difference_that_is_the_same_everywhere_is_no_chance():
    assert paired_z_score(np.ones(3), np.zeros(3)) == np.inf
    assert paired_z_score(np.zeros(3), np.ones(3)) == -np.inf


def test_what_is_equal_is_not_ahead_and_neither_is_anything_of_no_requests():
    assert paired_z_score(np.ones(3), np.ones(3)) == 0
    assert paired_z_score(np.zeros(0), np.zeros(0)) == 0
