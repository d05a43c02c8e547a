from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from pipelines.errors import EvaluationError
from pipelines.evaluation.calibration import (
    CalibrationBin,
    Outcome,
    auc,
    auc_within_users,
    calibration_curve,
    calibration_error,
    log_loss,
    score_outcome,
)


def test_auc_counts_pairs_in_the_right_order_and_ties_half():
    # Positives .9 and .4, negatives .4 and .1: of 4 pairs 3 are right and 1 is tied.
    assert auc(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1])) == pytest.approx(3.5 / 4)


def test_auc_without_both_kinds_is_not_a_number():
    assert np.isnan(auc(np.array([1, 1]), np.array([0.1, 0.2])))
    assert np.isnan(auc(np.array([]), np.array([])))


def test_auc_within_users_never_compares_two_users():
    labels = np.array([1, 0, 1, 0, 0, 1])
    scores = np.array([0.2, 0.1, 0.8, 0.9, 0.5, 0.5])
    users = np.array([0, 0, 1, 1, 2, 3])
    # User 0 is right, user 1 is wrong, users 2 and 3 have one kind only.
    assert auc_within_users(labels, scores, users) == pytest.approx(0.5)


def test_log_loss_and_brier_equal_the_values_worked_out_by_hand():
    labels, predicted = np.array([1, 0]), np.array([0.8, 0.4])
    assert log_loss(labels, predicted) == pytest.approx(-(log(0.8) + log(0.6)) / 2)
    scores = score_outcome(Outcome(labels, predicted))
    assert scores.brier == pytest.approx((0.04 + 0.16) / 2)
    assert scores.base_rate == 0.5
    assert scores.count == 2


def test_a_sure_and_wrong_prediction_costs_much_but_not_infinitely():
    assert log_loss(np.array([1]), np.array([0.0])) == pytest.approx(-log(1e-7))


def test_calibration_bins_hold_equal_counts():
    labels = np.array([0, 0, 1, 0, 1, 1])
    predicted = np.array([0.1, 0.3, 0.5, 0.5, 0.8, 0.9])
    assert calibration_curve(labels, predicted, bins=3) == (
        CalibrationBin(pytest.approx(0.2), 0.0, 2),
        CalibrationBin(pytest.approx(0.5), 0.5, 2),
        CalibrationBin(pytest.approx(0.85), 1.0, 2),
    )
    # Two are off by .2, two by 0, and two by .15.
    assert calibration_error(labels, predicted, bins=3) == pytest.approx(0.7 / 6)


def test_equal_predictions_share_one_bin():
    predicted = np.full(100, 0.25)
    labels = np.arange(100) % 4 == 0
    assert calibration_curve(labels, predicted) == (CalibrationBin(0.25, 0.25, 100),)
    assert calibration_error(labels, predicted) == 0


def test_true_probabilities_are_calibrated_and_doubled_ones_are_not():
    random = np.random.default_rng(0)
    truth = random.beta(1, 9, 200_000) / 2
    labels = random.random(len(truth)) < truth
    assert calibration_error(labels, truth) < 0.003
    # The mean of the truth is .05, so doubling promises .05 too much.
    assert calibration_error(labels, truth * 2) == pytest.approx(0.05, abs=0.003)


def test_figures_equal_scikit_learn_on_random_predictions():
    random = np.random.default_rng(11)
    predicted = np.round(random.random(3000), 2)
    labels = (random.random(3000) < predicted).astype(int)
    users = random.integers(0, 40, 3000)
    scores = score_outcome(Outcome(labels, predicted, users))
    assert scores.auc == pytest.approx(sklearn_metrics.roc_auc_score(labels, predicted))
    assert scores.brier == pytest.approx(sklearn_metrics.brier_score_loss(labels, predicted))
    kept = np.clip(predicted, 1e-7, 1 - 1e-7)
    assert scores.log_loss == pytest.approx(sklearn_metrics.log_loss(labels, kept))
    by_user = [sklearn_metrics.roc_auc_score(labels[users == u], predicted[users == u]) for u in range(40)]
    assert scores.auc_within_users == pytest.approx(np.mean(by_user))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60), st.integers(1, 12))
def test_figures_lie_in_their_ranges_and_bins_lose_nobody(rows, bins):
    labels, predicted = (np.array(column, float) for column in zip(*rows, strict=True))
    scores = score_outcome(Outcome(labels, predicted), bins)
    assert np.isnan(scores.auc) or 0 <= scores.auc <= 1
    assert 0 <= scores.calibration_error <= 1
    assert 0 <= scores.brier <= 1
    assert sum(b.count for b in scores.curve) == len(rows)
    assert list(scores.curve) == sorted(scores.curve, key=lambda b: b.predicted)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=40))
def test_auc_turns_around_with_the_scores(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    forward, backward = auc(labels, scores), auc(labels, -scores)
    assert np.isnan(forward) == np.isnan(backward)
    assert np.isnan(forward) or forward + backward == pytest.approx(1)


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([1, 0], [0.5], "one label for each"),
        ([], [], "at least one"),
        ([1, 2], [0.5, 0.5], "labels of 0 and 1"),
        ([1, 0], [1.5, -2.0], "logits need a sigmoid"),
        ([1, 0], [np.nan, 0.5], "logits need a sigmoid"),
    ],
)
def test_nonsense_is_refused(labels, predicted, message):
    with pytest.raises(EvaluationError, match=message):
        score_outcome(Outcome(np.array(labels), np.array(predicted)))
