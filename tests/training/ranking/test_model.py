"""The ranking model's losses, layers, sampling and calibration, against values worked out by hand."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from pipelines.training.config import RankingConfig
from pipelines.training.fit import fit_platt
from pipelines.training.fit.layers import Standardize
from pipelines.training.ranking.dataset import RankingRows
from pipelines.training.ranking.model import EXPECTED_RATING, linear_inputs, listwise_loss, sigmoid
from pipelines.training.ranking.train import Batches, ndcg, sampled_columns, task_biases


def rows(items: list[list[int]], labels: list[list[float]], wanted: list[int]) -> RankingRows:
    """Lists with one task, and nothing known of items and users."""
    shape = np.shape(items)
    return RankingRows(
        items=np.array(items, np.int32),
        signals=np.zeros((*shape, 1), np.float16),
        retrieval_scores=np.zeros(shape, np.float32),
        source_scores=np.zeros((*shape, 1), np.float32),
        source_strengths=np.zeros((*shape, 1), np.float32),
        user_features=np.zeros((shape[0], 0), np.float32),
        user_profile=np.zeros((shape[0], 0), np.int32),
        labels=np.array(labels, np.float32)[..., None],
        wanted=np.array(wanted),
        item_features=np.zeros((9, 0), np.float32),
    )


def test_the_listwise_loss_of_equal_scores_is_the_log_of_the_list():
    # One positive among four items, three of them listed: log 3; the list without positives says nothing.
    labels = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], np.float32)
    weights = np.array([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]], np.float32)
    loss = listwise_loss(labels, np.zeros((2, 4), np.float32), weights)
    assert float(loss) == pytest.approx(log(3), rel=1e-5)


def test_an_item_of_weight_two_counts_as_two_items():
    labels = np.array([[1.0, 0.0]], np.float32)
    loss = listwise_loss(labels, np.zeros((1, 2), np.float32), np.array([[1.0, 2.0]], np.float32))
    assert float(loss) == pytest.approx(log(3), rel=1e-5)


def test_ranks_strengths_and_dots_are_told_on_several_scales():
    # Item 0 is the first of source 0 and the tenth of source 1, item 1 the second of source 0; item 2 is
    # padding, whose dot counts for nothing.
    places = np.array([[[1.0, 0.1], [0.5, 0.0], [0.0, 0.0]]], np.float32)
    strengths = np.array([[[1.0, 0.25], [0.64, 0.0], [0.0, 0.0]]], np.float32)
    dots = np.array([[0.3, 0.4, 0.9]], np.float32)
    found = linear_inputs(np.zeros((1, 3, 1), np.float32), dots, places, strengths).numpy()[0]
    first = [0, 0.6, 1, 2 / 3, 1, 1, 1, 0.1**0.5, 1, 0.5, 1, 1 + log(0.1) / 5, 1, 1 + log(0.25) / 5]
    second = [0, 0.8, 0.5**0.5, 1 / 3, 1, 0, 0.5**0.5, 0, 0.8, 0, 1 + log(0.5) / 5, 0, 1 + log(0.64) / 5, 0]
    np.testing.assert_allclose(found[:2], [first, second], atol=1e-6)
    assert found[2, 2:].tolist() == [0] * 12


def test_unknown_values_become_zero_and_are_marked():
    values = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0]], np.float32)
    # Column 0 varies, column 1 never does, column 2 is known once only: no value, but an indicator.
    layer = Standardize.fit(values, "values")
    np.testing.assert_allclose(layer(values).numpy(), [[-1.0, 1.0], [1.0, 0.0]], atol=1e-5)
    np.testing.assert_allclose(layer(np.full((1, 3), np.nan, np.float32)).numpy(), [[0.0, 1.0]])


def test_values_far_outside_are_bounded_on_both_sides():
    layer = Standardize.fit(np.array([[0.0], [1.0]], np.float32), "values")
    assert layer(np.array([[1e30], [-1e30]], np.float32)).numpy().tolist() == [[4.0], [-4.0]]


def test_a_sample_holds_every_positive_and_stands_for_the_whole_list():
    lists = rows(
        [[1, 2, 3, 4, 5, 6], [1, 2, -1, -1, -1, -1]],
        [[0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
        [1, 0],
    )
    columns, weights = sampled_columns(lists, np.array([0, 1]), 3, np.random.default_rng(0))
    assert columns[0, 0] == 2
    # Two of five others are drawn: each stands for 2.5.
    np.testing.assert_allclose(weights, [[1.0, 2.5, 2.5], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(weights.sum(axis=1), [6.0, 2.0])


def test_a_pass_takes_all_lists_that_tell_something_and_a_draw_of_the_silent_ones():
    # Two of eight lists of three hold a positive; half as many of the six silent ones are drawn: one for six.
    lists = rows([[1, 2, 3]] * 8, [[0, 1, 0], [0, 0, 0], [1, 0, 0], *[[0, 0, 0]] * 5], [1, 0, 1, *[0] * 5])
    batches = Batches([lists], RankingConfig(batch_size=2, empty_list_ratio=0.5, items_per_list=3), seed=0)
    assert batches.per_pass == 2
    passes = [list(batches.one_pass(number)) for number in range(20)]
    for made in passes:
        assert len(made) == batches.per_pass
        weights = np.concatenate([batch["weights"] for batch in made])
        positives = np.concatenate([(batch["labels"][..., 0] > 0).any(axis=1) for batch in made])
        assert sorted(weights[positives].sum(axis=1)) == [3, 3]
        assert weights[~positives].sum(axis=1).tolist() == [18]


def test_where_nothing_was_taken_all_lists_are_passed_over():
    silent = rows([[1, 2]] * 3, [[0, 0]] * 3, [1] * 3)
    batches = Batches([silent], RankingConfig(batch_size=2, empty_list_ratio=0.5), seed=0)
    weights = [batch["weights"] for batch in batches.one_pass(0)]
    assert batches.per_pass == len(weights) == 2
    assert np.concatenate(weights).tolist() == [[1, 1]] * 3


def test_training_starts_from_how_often_and_how_well():
    # Of five offered items one is bought, and none viewed; two are rated, 1 and -2 from the mean.
    lists = rows([[1, 2, 3], [4, 5, -1]], [[0, 1, 0], [0, 0, 1]], [1, 0])
    nan = np.nan
    ratings = np.array([[nan, 1.0, nan], [-2.0, nan, nan]], np.float32)
    labels = np.stack([lists.labels[..., 0], np.zeros((2, 3), np.float32), ratings], axis=-1)
    bought, viewed, rated = task_biases(
        ("purchase", "view", EXPECTED_RATING), [replace(lists, labels=labels)]
    )
    assert bought == pytest.approx(log(1 / 4), rel=1e-6)
    assert viewed == pytest.approx(log(1e-4), rel=1e-3)
    assert rated == pytest.approx(-0.5)


def test_items_that_were_not_offered_count_as_missed():
    # Two wanted, one offered and ranked second: (1 / log2 3) / (1 + 1 / log2 3).
    lists = rows([[1, 2, 3], [4, 5, 6]], [[0, 1, 0], [0, 0, 0]], [2, 0])
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]], np.float32)
    assert ndcg(scores, lists).mean() == pytest.approx(0.63093 / 1.63093, rel=1e-4)


def test_platt_finds_the_scale_and_offset_that_made_the_labels():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20_000).astype(np.float32)
    labels = (rng.random(20_000) < sigmoid(0.5 * logits - 1.0)).astype(np.float32)
    scale, offset = fit_platt(logits, labels)
    assert scale == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize(
    "labels", [np.zeros(50, np.float32), np.ones(50, np.float32), np.zeros(0, np.float32)]
)
def test_one_class_alone_calibrates_nothing_to_infinity(labels: np.ndarray):
    scale, offset = fit_platt(np.linspace(-3, 3, len(labels)).astype(np.float32), labels)
    assert np.isfinite([scale, offset]).all()
    assert scale > 0


def test_logits_that_say_almost_nothing_calibrate_to_the_share_of_the_labels():
    labels = np.array([1.0, 0.0, 0.0, 0.0] * 100, np.float32)
    logits = (2.0 + 1e-4 * np.tile([1.0, -1.0, 1.0, -1.0], 100)).astype(np.float32)
    scale, offset = fit_platt(logits, labels)
    np.testing.assert_allclose(sigmoid(scale * logits + offset), 0.25, atol=0.01)
