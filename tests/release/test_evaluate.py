"""A release is measured by the lists it would serve, at the start of the window, beside its baselines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluation.model_scores import Parity
from pipelines.evaluation.split import Window
from pipelines.release import offline_serving
from pipelines.release.evaluate import TestRequests, figures, measure
from pipelines.release.gate import GatePolicy
from pipelines.release.offline_serving import event_types_of, probability_tasks, served_lists, served_outcomes
from serving.bundle import Bundle
from serving.engine.candidates.retrieve import retrieve
from serving.engine.ranking import Encoder, Ranker
from serving.engine.recommender import RecommendationRequest, Recommender
from serving.engine.user_batch import user_batch
from serving.explanations import recommend
from tests.serving.tiny_bundle import BREAD, BUTTER, IDS, LAMP, write_tiny_bundle

AT = datetime(2024, 5, 1, tzinfo=UTC)
WINDOW = Window(starts_at=AT, ends_at=AT + timedelta(days=14))
USERS = 40
EASY = GatePolicy(greatest_calibration_error=None, least_coverage=0)


def days_before(days: float) -> int:
    return int((AT - timedelta(days=days)).timestamp())


def history(item: str) -> dict:
    """Somebody who bought the item every week."""
    times = [days_before(days) for days in (7, 14, 21, 28)]
    return {"item_ids": [item] * 4, "event_types": ["purchase"] * 4, "event_times": times}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return Bundle.open(write_tiny_bundle(tmp_path_factory.mktemp("measured") / "bundle"))


@pytest.fixture(scope="module")
def requests(bundle) -> TestRequests:
    rows = [history(("bread", "butter")[n % 2]) for n in range(USERS)]
    users = user_batch(bundle, rows, [AT.timestamp()] * USERS)
    ids = pa.array([f"u{n:02d}" for n in range(USERS)])
    return TestRequests(WINDOW, ids, users, ("purchase",))


def purchases(item_of_user, at: datetime = AT + timedelta(days=3)) -> pa.Table:
    """One purchase per user in the window, and the weekly ones before it."""
    rows = [
        (f"u{n:02d}", ("bread", "butter")[n % 2], "purchase", AT - timedelta(days=days))
        for n in range(USERS)
        for days in (7, 14, 21, 28)
    ]
    rows += [(f"u{n:02d}", item_of_user(n), "purchase", at) for n in range(USERS)]
    users, items, types, times = zip(*rows, strict=True)
    return pa.table(
        {
            "user_id": users,
            "item_id": items,
            "event_type": types,
            "event_at": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )


def each(*items: int) -> np.ndarray:
    """Lists of one item, padded: the first item for the first user, and so on, over and over."""
    lists = np.full((USERS, 20), -1, np.int32)
    lists[:, 0] = np.resize(items, USERS)
    return lists


def test_the_lists_are_those_that_shoppers_get(bundle, requests):
    lists = served_lists(bundle, requests.users, length=5)
    shown = recommend(Recommender(bundle), requests.users, RecommendationRequest("home", k=5))
    for row, answer in zip(lists, shown, strict=True):
        assert [IDS[item] for item in row if item >= 0] == [item.item_id for item in answer]


def test_the_size_of_the_chunks_changes_nothing(bundle, requests, monkeypatch):
    whole = served_lists(bundle, requests.users, length=6)
    monkeypatch.setattr(offline_serving, "USERS_AT_ONCE", 7)
    assert np.array_equal(served_lists(bundle, requests.users, length=6), whole)


def test_short_lists_are_padded_to_the_length_asked_for(bundle, requests):
    lists = served_lists(bundle, requests.users, length=100)
    assert lists.shape == (USERS, 100)
    # seven of the eight items are on offer
    assert ((lists >= 0).sum(axis=1) <= 7).all()
    assert (lists[:, 8:] == -1).all()


def test_a_release_that_finds_what_people_buy_again_passes_beside_a_baseline_that_does_not(bundle, requests):
    events = purchases(lambda n: ("bread", "butter")[n % 2])
    evaluation, decision = measure(bundle, requests, events, {"popularity": each(LAMP)}, policy=EASY)
    places = np.argmax(
        served_lists(bundle, requests.users) == np.array([BREAD, BUTTER] * 20)[:, None], axis=1
    )
    # one true item per user: NDCG is 1 / log2(place + 1), counted from 1
    by_hand = np.mean(1 / np.log2(places + 2))
    told = figures(evaluation, decision)
    assert told["release"]["ndcg_at_10"] == pytest.approx(by_hand)
    assert by_hand > 0.5
    assert told["release"]["recall_at_10"] == 1
    assert told["baselines"] == {"popularity": {"ndcg_at_10": 0}}
    assert told["gate"]["passed"] is True
    assert told["champion"] is None
    assert told["users"] == USERS


def test_a_release_that_does_not_beat_the_best_baseline_is_refused_with_its_name(bundle, requests):
    events = purchases(lambda n: ("bread", "butter")[n % 2])
    best = each(BREAD, BUTTER)
    _, decision = measure(
        bundle, requests, events, {"popularity": each(LAMP), "personal_frequency": best}, policy=EASY
    )
    assert decision.passed is False
    assert any("personal_frequency" in reason for reason in decision.reasons)


def test_what_happens_after_the_window_changes_nothing(bundle, requests):
    events = purchases(lambda n: "bread")
    later = purchases(lambda n: "lamp", at=WINDOW.ends_at)
    both = pa.concat_tables([events, later.slice(USERS * 4)])
    one, _ = measure(bundle, requests, events, {"popularity": each(LAMP)}, policy=EASY)
    other, _ = measure(bundle, requests, both, {"popularity": each(LAMP)}, policy=EASY)
    assert one.metrics("release") == pytest.approx(other.metrics("release"), nan_ok=True)
    assert one.metrics("popularity") == pytest.approx(other.metrics("popularity"), nan_ok=True)


def test_the_champion_is_compared_on_the_same_users(bundle, requests):
    events = purchases(lambda n: ("bread", "butter")[n % 2])
    perfect = each(BREAD, BUTTER)
    evaluation, decision = measure(
        bundle, requests, events, {"popularity": each(LAMP)}, champion=perfect, policy=EASY
    )
    told = figures(evaluation, decision)
    assert told["champion"] == pytest.approx(1)
    assert "champion" not in told["baselines"]
    names = [check.name for check in decision.checks]
    assert "is_not_worse_than_champion" in names


def test_graphs_that_depart_from_the_trained_ones_are_refused(bundle, requests):
    events = purchases(lambda n: ("bread", "butter")[n % 2])
    _, decision = measure(
        bundle,
        requests,
        events,
        {"popularity": each(LAMP)},
        parity=[Parity("ranker", 0.5, 3.0)],
        policy=EASY,
    )
    assert decision.passed is False


def test_without_a_ranker_there_are_no_probabilities(bundle, requests):
    assert served_outcomes(bundle, requests.users, {"purchase": None}) == {}


def test_an_expected_rating_is_no_probability(bundle):
    outputs = ("rating", "view_or_cart", "expected_rating")
    spec = replace(bundle.spec, event_types=("cart", "rating", "view"), ranker_outputs=outputs)
    assert probability_tasks(spec) == ["rating", "view_or_cart"]


@pytest.mark.parametrize(("task", "types"), [("purchase", ("purchase",)), ("view_or_cart", ("view", "cart"))])
def test_a_task_names_the_events_that_fulfil_it(task, types):
    assert event_types_of(task) == types


def test_probabilities_are_those_of_the_ranker_over_its_own_candidates(
    bundle_with_graphs, requests, monkeypatch
):
    bundle = Bundle.open(bundle_with_graphs)
    events = purchases(lambda n: "bread")
    monkeypatch.setattr(offline_serving, "USERS_AT_ONCE", 9)
    evaluation, _ = measure(bundle, requests, events, {"popularity": each(LAMP)}, policy=EASY)
    scores = evaluation.scores["release"].outcomes["purchase"]
    users = requests.users
    candidates = retrieve(bundle, users, Encoder(bundle).encode(users), allowed=np.arange(8) != 2)
    probabilities = Ranker(bundle).rank(users, candidates).outputs["purchase"]
    offered = candidates.items >= 0
    assert scores.count == offered.sum()
    # every user bought bread, so a prediction came true where the candidate item is bread
    happened = (candidates.items == BREAD)[offered]
    assert scores.base_rate == pytest.approx(happened.mean())
    assert scores.brier == pytest.approx(np.mean((probabilities[offered] - happened) ** 2), rel=1e-5)
