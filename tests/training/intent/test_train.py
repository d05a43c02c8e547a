"""Training intent on sessions of which the rule is known, and the written graph against the trained one."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import TrainingError
from pipelines.training.config import IntentConfig
from pipelines.training.intent import export_intent, intent_examples, train_intent
from serving.bundle import Bundle, Spec, write_array, write_items, write_spec
from serving.engine import UserBatch
from serving.engine.intent import IntentModel, IntentSpec, ItemGroups, event_roles
from serving.engine.intent.inputs import CART, PURCHASE, VIEW
from serving.errors import BundleError
from tests.training.intent.drawn_sessions import TYPES, drawn_sessions

N = 12
CATEGORIES = pa.array(["Tents", "Tents", "Ropes", "Ropes > Thin", None, "Tents"])
PRICES = pa.array([10.0, 20.0, 30.0, 40.0, 50.0, None])
CONFIG = IntentConfig(epochs=4, batch_size=128)


@pytest.fixture(scope="module")
def groups():
    return ItemGroups.fit(CATEGORIES, PRICES)


@pytest.fixture(scope="module")
def examples(groups):
    roles = event_roles(TYPES, ["purchase"])
    return intent_examples(drawn_sessions(), roles, groups.codes(CATEGORIES, PRICES), groups.sizes, N)


@pytest.fixture(scope="module")
def trained(examples, groups):
    return train_intent(examples, groups.sizes, CONFIG)


def test_probabilities_are_those_of_the_rule(trained, groups):
    roles = event_roles(TYPES, ["purchase"])
    fresh = intent_examples(drawn_sessions(seed=7), roles, groups.codes(CATEGORIES, PRICES), groups.sizes, N)
    told = trained.purchase_probabilities(fresh)
    assert told[fresh.role == CART].mean() == pytest.approx(0.8, abs=0.06)
    assert told[fresh.role == VIEW].mean() == pytest.approx(0.4, abs=0.06)
    assert told[fresh.role == PURCHASE].mean() < 0.1
    assert trained.metrics["auc"] > 0.6
    assert trained.about_to_buy_from == 0.5


def test_what_cannot_be_learned_is_refused_with_the_counts(examples, groups):
    with pytest.raises(TrainingError, match="received 0 and"):
        train_intent(examples.rows(examples.purchase == 0), groups.sizes, CONFIG)


def bundle(directory, history_length=N):
    write_items(
        directory,
        pa.table({"item_id": [*"abcdef"], "title": [*"ABCDEF"], "category": CATEGORIES, "price": PRICES}),
    )
    spec = Spec(
        history_length=history_length,
        history_length_retrieval=4,
        candidates=4,
        event_types=TYPES,
        code_columns=("item",),
    )
    write_spec(directory, spec)
    for name in ("item_vectors", "popularity", "neighbour_scores", "complement_scores", "follower_scores"):
        write_array(directory, name, np.ones((6, 1) if name != "popularity" else 6, np.float32))
    write_array(directory, "lookalike_scores", np.ones((6, 1), np.float32))
    for name in ("neighbours", "complements", "followers", "lookalikes"):
        write_array(directory, name, np.zeros((6, 1), np.int32))
    write_array(directory, "item_codes", np.ones((6, 1), np.int32))
    write_array(directory, "item_features", np.zeros((6, 0), np.float32))
    return Bundle.open(directory)


def user(*events, waited=0.0):
    """Events of item index, type code and age, newest first."""
    items, types, ages = (
        np.full((1, N), -1, np.int32),
        np.zeros((1, N), np.int32),
        np.zeros((1, N), np.float32),
    )
    for place, (item, kind, age) in enumerate(events):
        items[0, place], types[0, place], ages[0, place] = item, kind, age + waited
    return UserBatch(items, types, ages, np.zeros((1, 0), np.float32), np.zeros((1, 0), np.int32))


def test_serving_estimates_what_training_learned(trained, examples, groups, tmp_path):
    opened = bundle(tmp_path)
    parity = export_intent(trained, tmp_path, groups, N, examples)
    assert parity.largest_difference < 1e-4
    model = IntentModel(opened)
    carted = model.of(user((2, 1, 0), (2, 3, 40), (3, 3, 70)), 1e6)
    looked = model.of(user((2, 3, 0), (3, 3, 30)), 1e6)
    assert carted is not None
    assert looked is not None
    assert carted.purchase_probability > 0.6 > looked.purchase_probability
    assert (carted.stage, looked.stage) == ("about_to_buy", "comparing")
    assert carted.category == "Ropes"
    assert (carted.price_from, carted.price_to) != (None, None)


def test_no_session_runs_after_half_an_hour_or_without_events(trained, examples, groups, tmp_path):
    opened = bundle(tmp_path)
    export_intent(trained, tmp_path, groups, N, examples)
    model = IntentModel(opened)
    assert model.of(user(), 1e6) is None
    assert model.of(user((2, 1, 0), waited=1_801), 1e6) is None
    assert model.of(user((2, 1, 0), waited=1_799), 1e6) is not None


def test_a_graph_for_other_histories_is_refused(trained, examples, groups, tmp_path):
    opened = bundle(tmp_path, history_length=N - 1)
    export_intent(trained, tmp_path, groups, N, examples)
    with pytest.raises(BundleError, match="expected a history_length of at most 11"):
        IntentModel(opened)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"categories": [1]},
        {"price_edges": [3.0, 2.0]},
        {"about_to_buy_from": 1.5},
        {"history_length": 0},
        {"price_edges": None},
    ],
)
def test_a_spec_that_cannot_be_is_refused(change):
    sound = IntentSpec(ItemGroups(("Tents",), (2.0, 3.0)), 0.5, N).to_json()
    assert IntentSpec.from_json(sound).groups.categories == ("Tents",)
    with pytest.raises(BundleError, match=r"intent\.json: expected"):
        IntentSpec.from_json({**sound, **change})
