import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.evaluation.calibration import OutcomeScores
from pipelines.evaluation.model_scores import Parity, Scores
from pipelines.release.gate import GatePolicy, decide

USERS = 400
EASE = np.random.default_rng(0).random(USERS) * 0.4


def outcome(calibration_error):
    return OutcomeScores(0.8, 0.8, 0.2, 0.05, calibration_error, 0.1, 1000, ())


def scores(name, shift=0.0, *, slices=None, coverage=0.3, calibration=0.01, parity=()):
    noise = np.random.default_rng(sum(name.encode())).normal(0, 0.02, USERS)
    return Scores(
        name=name,
        headline="ndcg@10",
        per_user={"ndcg@10": EASE + shift + noise - noise.mean()},
        totals={"reachable_coverage@10": coverage},
        slices=slices or {},
        outcomes={} if calibration is None else {"purchase": outcome(calibration)},
        parity=parity,
    )


BASELINES = {"popularity": scores("popularity", 0.0), "personal_frequency": scores("personal_frequency", 0.1)}
GOOD = scores("release", 0.15)


def failed(decision):
    return [check.name for check in decision.checks if not check.passed]


def test_a_release_above_every_baseline_passes_and_says_why():
    decision = decide(GOOD, None, BASELINES)
    assert decision.passed
    assert failed(decision) == []
    gain = "difference +0.0500 ["
    assert any(
        "above personal_frequency, the best of 2 baselines" in r and gain in r for r in decision.reasons
    )


def test_a_release_below_the_best_baseline_is_refused_with_both_figures():
    decision = decide(scores("release", 0.05), None, BASELINES)
    assert not decision.passed
    assert failed(decision) == ["beats_best_baseline"]
    mean = EASE.mean()
    assert len(decision.reasons) == 1
    assert f"received {mean + 0.05:.4f} against {mean + 0.1:.4f}" in decision.reasons[0]


def test_the_release_is_told_beside_every_baseline_and_those_left_out_are_named():
    decision = decide(GOOD, None, BASELINES, skipped={"ease": "90,000 items have events"})
    told = next(check for check in decision.checks if check.name == "beats_best_baseline").received
    # The shifts are .15, .1 and 0: the best one first, then the others with their own intervals.
    first, others, missing = told.split("; ")
    assert "difference +0.0500 [" in first
    assert others.startswith(f"beside the others: popularity {EASE.mean():.4f}, +0.1500 [+0.1")
    assert missing == "ease was not measured: 90,000 items have events"


def test_a_baseline_that_was_left_out_is_no_baseline():
    decision = decide(GOOD, None, {}, skipped={"ease": "no time"})
    assert failed(decision) == ["beats_best_baseline"]
    assert "received none; ease was not measured: no time" in decision.reasons[0]


def test_a_champion_that_could_not_be_compared_is_told_and_decides_nothing():
    decision = decide(GOOD, None, BASELINES, uncompared="version 3, not compared: it has seen the window")
    assert decision.passed
    assert any("version 3, not compared" in reason for reason in decision.reasons)
    assert not any("version 3" in r for r in decide(GOOD, GOOD, BASELINES, uncompared="version 3").reasons)


def test_a_gain_that_may_be_chance_is_refused():
    values = EASE + 0.1 + 0.002 + np.random.default_rng(1).normal(0, 0.2, USERS)
    lucky = Scores("release", "ndcg@10", {"ndcg@10": values}, {"reachable_coverage@10": 1}, {}, GOOD.outcomes)
    decision = decide(lucky, None, BASELINES)
    assert failed(decision) == ["beats_best_baseline"]


def test_no_baseline_means_no_proof():
    decision = decide(GOOD, None, {})
    assert failed(decision) == ["beats_best_baseline"]
    assert "at least one baseline" in decision.reasons[0]


def test_too_few_users_prove_nothing():
    few = np.where(np.arange(USERS) < 19, GOOD.headline_values, np.nan)
    release = Scores("release", "ndcg@10", {"ndcg@10": few}, GOOD.totals, {}, GOOD.outcomes)
    assert "rests_on_enough_users" in failed(decide(release, None, BASELINES))
    assert "rests_on_enough_users" not in failed(decide(release, None, BASELINES, GatePolicy(least_users=19)))


def test_a_release_within_the_tolerance_of_the_champion_passes():
    # Means: EASE + .15 is about .35; two hundredths of that are .007.
    assert decide(GOOD, scores("champion", 0.156), BASELINES).passed


def test_a_release_beyond_the_tolerance_below_the_champion_is_refused():
    decision = decide(GOOD, scores("champion", 0.16), BASELINES)
    assert failed(decision) == ["is_not_worse_than_champion"]
    assert "at most 2% below the champion's" in decision.reasons[0]


def slice_of(users, value, spread=0.01):
    values = np.full(USERS, np.nan)
    values[:users] = value + np.random.default_rng(users).normal(0, spread, users)
    return values


def test_a_large_slice_that_is_lost_is_named():
    release = scores(
        "release", 0.15, slices={"user:light": slice_of(200, 0.4), "item:tail": slice_of(150, 0.2)}
    )
    champion = scores(
        "champion", 0.15, slices={"user:light": slice_of(200, 0.4), "item:tail": slice_of(150, 0.3)}
    )
    decision = decide(release, champion, BASELINES)
    assert failed(decision) == ["loses_no_large_slice"]
    assert "item:tail (150 users)" in decision.reasons[0]
    lost, kept = decision.reasons[0].partition("received ")[2].split("; ")
    assert "(150 users) 0.2990, difference -0.1000 [" in lost
    assert kept.startswith("not lost: user:light (200 users) ")


def test_a_small_slice_decides_nothing():
    release = scores("release", 0.15, slices={"user:new": slice_of(99, 0.1)})
    champion = scores("champion", 0.15, slices={"user:new": slice_of(99, 0.4)})
    decision = decide(release, champion, BASELINES)
    assert decision.passed
    assert any(
        "none of 0 slices compared; too few users to say: user:new (99)" in r for r in decision.reasons
    )
    assert not decide(release, champion, BASELINES, GatePolicy(large_slice_users=99)).passed


def test_a_loss_in_a_slice_within_the_tolerance_or_within_chance_passes():
    release = scores("release", 0.15, slices={"a": slice_of(200, 0.385), "b": slice_of(300, 0.3)})
    noisy = np.full(USERS, np.nan)
    noisy[:300] = 0.33 + np.random.default_rng(5).normal(0, 0.9, 300)
    noisy += 0.33 - np.nanmean(noisy)
    champion = scores("champion", 0.15, slices={"a": slice_of(200, 0.4), "b": noisy})
    decision = decide(release, champion, BASELINES)
    assert decision.passed
    told = next(check for check in decision.checks if check.name == "loses_no_large_slice").received
    assert told.startswith("none of 2 slices compared; a (200 users) ")
    assert ", b (300 users) 0.3300, difference -0.0" in told


def test_promises_that_do_not_come_true_are_refused():
    decision = decide(scores("release", 0.15, calibration=0.03), None, BASELINES)
    assert failed(decision) == ["is_calibrated"]
    assert "purchase 0.0300" in decision.reasons[0]


def test_calibration_that_was_not_measured_is_refused_unless_nobody_asks():
    release = scores("release", 0.15, calibration=None)
    assert failed(decide(release, None, BASELINES)) == ["is_calibrated"]
    assert decide(release, None, BASELINES, GatePolicy(greatest_calibration_error=None)).passed


def test_a_release_that_shows_everybody_the_same_is_refused():
    decision = decide(scores("release", 0.15, coverage=0.01), None, BASELINES)
    assert failed(decision) == ["covers_enough_of_the_catalogue"]


def test_an_exported_graph_that_ranks_otherwise_is_refused_by_name():
    parity = (Parity("query_encoder", 0.999, 1e-4), Parity("ranker", 0.8, 0.2))
    decision = decide(scores("release", 0.15, parity=parity), None, BASELINES)
    assert failed(decision) == ["exported_graphs_agree_with_the_trained"]
    assert "ranker 80.00%" in decision.reasons[0]
    assert decide(scores("release", 0.15, parity=parity[:1]), None, BASELINES).passed


def test_a_model_that_is_not_a_number_never_passes():
    empty = Scores("release", "ndcg@10", {"ndcg@10": np.full(USERS, np.nan)}, GOOD.totals, {}, GOOD.outcomes)
    assert not decide(empty, None, BASELINES).passed
    assert not decide(GOOD, None, {"popularity": empty}).passed


def test_every_failure_is_told_at_once():
    bad = scores("release", -0.1, coverage=0.0, calibration=0.5)
    decision = decide(bad, scores("champion", 0.2), BASELINES)
    assert len(decision.reasons) == 4
    assert all("expected" in reason and "received" in reason for reason in decision.reasons)


def test_the_same_input_gives_the_same_verdict():
    assert decide(GOOD, BASELINES["popularity"], BASELINES) == decide(
        GOOD, BASELINES["popularity"], BASELINES
    )


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.3))
def test_a_better_release_never_fails_where_a_worse_one_passed(shift, more):
    if decide(scores("release", shift), None, BASELINES).passed:
        assert decide(scores("release", shift + more), None, BASELINES).passed


def test_a_misspelt_policy_is_refused():
    with pytest.raises(ValidationError, match="least_user"):
        GatePolicy(least_user=3)


def test_every_field_of_the_policy_has_its_sentence():
    from inspect import getsource

    source = getsource(GatePolicy)
    for name in GatePolicy.model_fields:
        _, _, after = source.partition(f"\n    {name}: ")
        assert after.split("\n", 2)[1].lstrip().startswith('"""'), name
