import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.errors import EvaluationError
from pipelines.evaluation.bootstrap import Interval, interval, intervals, paired_interval


def test_a_constant_has_no_spread():
    assert interval(np.full(50, 0.25)) == Interval(0.25, 0.25, 0.25, 50)


def test_interval_equals_the_normal_one_for_many_users():
    # Standard error of 10,000 uniform values: sqrt(1 / 12) / 100 = .002887.
    values = np.random.default_rng(0).random(10_000)
    found = interval(values, resamples=2000)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * 0.002887, abs=0.0006)
    assert found.high == pytest.approx(values.mean() + 1.96 * 0.002887, abs=0.0006)


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(1).exponential(size=300)
    ours = interval(values, resamples=4000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * width)


def test_nineteen_of_twenty_intervals_hold_the_true_mean():
    random = np.random.default_rng(3)
    held = sum(
        found.low <= 0.3 <= found.high
        for found in (interval((random.random(200) < 0.3).astype(float), resamples=400) for _ in range(300))
    )
    # 285 expected, standard deviation under 5.
    assert 265 <= held <= 299


def test_pairing_sees_a_small_gain_that_lies_under_the_spread_between_users():
    random = np.random.default_rng(4)
    ease = random.random(400)
    ours, theirs = ease + 0.01 + random.normal(0, 0.02, 400), ease
    paired = paired_interval(ours, theirs)
    assert paired.low > 0
    assert interval(ours).low < interval(theirs).mean


def test_pairs_without_a_number_are_left_out():
    found = paired_interval(np.array([1.0, np.nan, 3.0]), np.array([0.0, 1.0, np.nan]))
    assert found == Interval(1.0, 1.0, 1.0, 1)


def test_users_without_a_number_change_nothing():
    values = np.random.default_rng(5).random(80)
    padded = np.concatenate((values, np.full(500, np.nan)))
    assert interval(padded) == interval(values)


def test_nobody_gives_no_number_and_no_error():
    for values in (np.array([]), np.array([np.nan, np.nan])):
        found = interval(values)
        assert np.isnan([found.mean, found.low, found.high]).all()
        assert found.users == 0


def test_columns_share_their_draws():
    values = np.random.default_rng(6).random(200)
    both = intervals(np.stack([values, values + 1], axis=1))
    assert both[1].low == pytest.approx(both[0].low + 1)
    assert both[1].high == pytest.approx(both[0].high + 1)


def test_a_column_of_few_users_is_less_sure():
    values = np.random.default_rng(7).random(1000)
    few = np.where(np.arange(1000) < 50, values, np.nan)
    wide, narrow = intervals(np.stack([few, values], axis=1))
    assert wide.users == 50
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_seed_decides():
    values = np.random.default_rng(8).random(100)
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_draws_in_several_batches_keep_their_number():
    # 30,000 users do not fit one batch: the ends of 250 draws are still those of the normal interval.
    values = np.random.default_rng(9).random(30_000)
    found = interval(values, resamples=250)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.2887 / np.sqrt(30_000), rel=0.25)


def test_models_on_different_users_cannot_be_paired():
    with pytest.raises(EvaluationError, match=r"same users, received \(3,\) and \(4,\)"):
        paired_interval(np.zeros(3), np.zeros(4))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 5))
def test_an_interval_stays_inside_the_values(values, seed):
    found = interval(np.array(values), resamples=50, seed=seed)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
