"""The linear start of the ranker: the least penalised listwise loss, checked where it can be worked out."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest

from pipelines.training.ranking.dataset import RankingRows
from pipelines.training.ranking.linear_warmup import FEW_LISTS, PENALTY, fit_linear

SIGNAL, DOT = 0, 1
"""Places of the only signal and of the dot product among the inputs."""


def lists_of(signal: list[list[float]], labels: list[list[float]], items: list[list[int]]) -> RankingRows:
    """Lists of which the signal alone is known."""
    shape = np.shape(items)
    return RankingRows(
        items=np.array(items, np.int32),
        signals=np.array(signal, np.float16)[..., None],
        retrieval_scores=np.zeros(shape, np.float32),
        source_scores=np.zeros((*shape, 1), np.float32),
        source_strengths=np.zeros((*shape, 1), np.float32),
        user_features=np.zeros((shape[0]), np.float32),
        user_profile=np.zeros((shape[0]), np.int32),
        labels=np.array(labels, np.float32)[..., None],
        wanted=np.ones(shape[0], np.int64),
        item_features=np.zeros((9, 0), np.float32),
    )


def test_the_slope_is_zero_at_the_weight_of_what_tells_and_nothing_else_counts():
    # Two items a list, signals 1 and -1 (mean 0, deviation 1), the first one taken; the -1s are padding.
    lists = lists_of([[1, -1, 50]] * 3, [[1, 0, 0]] * 3, [[4, 5, -1]] * 3)
    weights = fit_linear([lists])
    assert weights.shape == (9,)
    weight = float(weights[SIGNAL])
    # d/dw of log(1 + exp(-2 w)) + PENALTY w^2.
    assert -2 / (1 + exp(2 * weight)) + 2 * PENALTY * weight == pytest.approx(0, abs=1e-3)
    assert weight > 1
    assert weights[DOT:].tolist() == [0] * 8


def test_weights_are_those_of_the_raw_inputs():
    lists = lists_of([[1, -1]] * 3, [[1, 0]] * 3, [[4, 5]] * 3)
    wider = replace(lists, signals=lists.signals * np.float16(4))
    assert fit_linear([wider])[SIGNAL] == pytest.approx(fit_linear([lists])[SIGNAL] / 4, rel=1e-3)


def test_nothing_is_fitted_to_no_positives_nor_where_a_network_has_enough():
    assert fit_linear([lists_of([[1, -1]] * 2, [[0, 0]] * 2, [[4, 5]] * 2)]) is None
    enough = [[1, 0]] * FEW_LISTS
    assert fit_linear([lists_of([[1, -1]] * FEW_LISTS, enough, [[4, 5]] * FEW_LISTS)]) is None
    assert (
        fit_linear([lists_of([[1, -1]] * FEW_LISTS, [*enough[1:], [0, 0]], [[4, 5]] * FEW_LISTS)]) is not None
    )


def test_a_hostile_label_of_padding_counts_nothing():
    lists = lists_of([[1, -1, 0]] * 2, [[1, 0, 0]] * 2, [[4, 5, -1]] * 2)
    marked = lists_of([[1, -1, 0]] * 2, [[1, 0, 1]] * 2, [[4, 5, -1]] * 2)
    np.testing.assert_array_equal(fit_linear([marked]), fit_linear([lists]))
