import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import EvaluationError
from pipelines.evaluation.calibration import Outcome
from pipelines.evaluation.evaluation import evaluate
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.item_facts import Catalogue
from pipelines.evaluation.slices import popularity_bins, popularity_shares, user_slices

# Items 0 and 1 are head, 2 and 3 tail, 4 new; users 0 to 2 are wished for, user 3 wishes for nothing.
CATALOGUE = Catalogue(
    np.array([50.0, 40.0, 5.0, 2.0, 0.0]),
    np.array([0, 0, 1, 1, 2], np.int8),
    np.array([0, 1, 0, 1, 0], np.int32),
    ("Food", "Garden"),
)
TRUTH = GroundTruth(np.array([0, 1, 3, 5, 5]), np.array([0, 1, 2, 0, 4], np.int32), pa.array(list("abcd")), 5)
HISTORY = np.array([2, 10, 30, 10])
LISTS = {
    "release": np.array([[0, 1], [2, 1], [4, 3], [0, 1]]),
    "popularity": np.array([[0, 1], [0, 1], [0, 1], [0, 1]]),
}


@pytest.fixture
def evaluation():
    outcome = Outcome(np.array([1, 0, 1]), np.array([0.9, 0.2, 0.6]))
    return evaluate(
        LISTS,
        TRUTH,
        CATALOGUE,
        HISTORY,
        ks=(1, 2),
        headline="recall@2",
        outcomes={"release": {"purchase": outcome}},
    )


def test_figures_are_means_over_users_with_truth(evaluation):
    # Release: user a finds 1 of 1, b 2 of 2, c 1 of 2. Popularity: 1 of 1, 1 of 2, 1 of 2.
    assert evaluation.metrics("release")["recall@2"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert evaluation.metrics("popularity")["recall@2"] == pytest.approx(2 / 3)
    assert evaluation.scores["release"].headline_mean == pytest.approx(2.5 / 3)
    assert evaluation.intervals["release"]["recall@2"].users == 3


def test_differences_are_paired(evaluation):
    found = evaluation.differences("release")["popularity"]["recall@2"]
    assert found.mean == pytest.approx(0.5 / 3)
    assert found.low == 0


def test_slices_of_users_follow_their_histories(evaluation):
    slices = evaluation.slice_intervals["release"]
    assert slices["user:new"].mean == 1
    assert slices["user:light"].users == 1
    assert slices["user:light"].mean == 1
    assert slices["user:heavy"].mean == 0.5


def test_slices_of_items_count_only_their_wishes(evaluation):
    ours, theirs = evaluation.slice_intervals["release"], evaluation.slice_intervals["popularity"]
    # Head wishes: 0 of user a (hit), 1 of b (hit), 0 of c (missed).
    assert ours["item:head"].mean == pytest.approx(2 / 3)
    assert ours["item:head"].users == 3
    assert (ours["item:tail"].mean, ours["item:tail"].users) == (1, 1)
    assert (ours["item:new"].mean, theirs["item:new"].mean) == (1, 0)
    assert ours["category:Garden"].users == 1


def test_variety_is_measured_over_the_same_users(evaluation):
    assert evaluation.intervals["release"]["novelty@2"].users == 3
    assert evaluation.metrics("release")["coverage@2"] == 1
    assert evaluation.metrics("popularity")["coverage@2"] == pytest.approx(2 / 5)


def test_the_data_is_counted(evaluation):
    assert evaluation.dataset == {
        "users": 3,
        "users_without_truth": 1,
        "items": 5,
        "true_pairs": 5,
        "pairs_outside_catalogue": 0,
    }


def test_outcomes_are_scored_for_the_model_that_has_them(evaluation):
    assert evaluation.scores["release"].outcomes["purchase"].auc == 1
    assert evaluation.scores["release"].calibration_error == pytest.approx((0.1 + 0.2 + 0.4) / 3)
    assert evaluation.scores["popularity"].calibration_error is None


def test_popularity_shares_sum_to_one(evaluation):
    assert evaluation.popularity_bins.tolist() == [0, 1, 3, 10, 32]
    # True items 0, 1, 2, 0, 4 were wished for 50, 40, 5, 50 and 0 times.
    assert evaluation.true_popularity_shares.tolist() == [0.2, 0, 0.2, 0, 0.6]
    for scores in evaluation.scores.values():
        assert scores.popularity_shares.sum() == pytest.approx(1)


def test_unlisted_items_have_no_popularity():
    bins = popularity_bins(CATALOGUE)
    assert popularity_shares(np.array([-1, 99]), CATALOGUE, bins).tolist() == [0] * 5


def test_every_user_is_in_one_slice():
    masks = user_slices(np.array([0, 4, 5, 9, 9, 100]))
    assert masks["user:new"].tolist() == [True, True, False, False, False, False]
    assert masks["user:light"].tolist() == [False, False, True, True, True, False]
    assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * 6


def test_a_model_whose_lists_are_too_short_for_the_headline_is_refused():
    with pytest.raises(EvaluationError, match="shorter lists of release, popularity; pad lists"):
        evaluate(LISTS, TRUTH, CATALOGUE, HISTORY)
    with pytest.raises(EvaluationError, match="received ks"):
        evaluate(LISTS, TRUTH, CATALOGUE, HISTORY, ks=(1,), headline="recall@2")


@pytest.mark.parametrize(
    ("lists", "truth", "history", "message"),
    [
        ({}, TRUTH, HISTORY, "at least one model"),
        (LISTS, TRUTH.only(np.zeros(5, bool)), HISTORY, "0 true items; choose a longer horizon"),
        (LISTS, TRUTH, HISTORY[:3], "history sizes of 4 users"),
        ({"release": LISTS["release"][:3]}, TRUTH, HISTORY, "each of the 4 users"),
    ],
)
def test_parts_that_do_not_fit_are_refused(lists, truth, history, message):
    with pytest.raises(EvaluationError, match=message):
        evaluate(lists, truth, CATALOGUE, history, ks=(1, 2), headline="recall@2")


def test_the_same_input_gives_the_same_figures(evaluation):
    again = evaluate(LISTS, TRUTH, CATALOGUE, HISTORY, ks=(1, 2), headline="recall@2")
    for metric in ("recall@1", "recall@2", "ndcg@2", "novelty@2"):
        assert again.intervals["release"][metric] == evaluation.intervals["release"][metric]


def test_further_slices_hold_the_users_and_wishes_they_are_given():
    # True pairs in order: a-0, b-1, b-2, c-0, c-4.
    found = evaluate(
        LISTS,
        TRUTH,
        CATALOGUE,
        HISTORY,
        ks=(1, 2),
        headline="recall@2",
        more_users={"history:10+": np.array([False, True, True, True])},
        more_pairs={"event:cart": np.array([False, True, True, True, False])},
    ).slice_intervals
    # Users b (2 of 2) and c (1 of 2); d wishes for nothing.
    assert found["release"]["history:10+"].users == 2
    assert found["release"]["history:10+"].mean == pytest.approx(0.75)
    # Carts: b found both, popularity one of them; c's item 0 is not in the release's list.
    assert found["release"]["event:cart"].users == 2
    assert found["release"]["event:cart"].mean == pytest.approx((1 + 0) / 2)
    assert found["popularity"]["event:cart"].mean == pytest.approx((0.5 + 1) / 2)
