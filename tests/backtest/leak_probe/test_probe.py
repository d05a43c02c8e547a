"""The prober finds nothing in what is honest, and every leak that is planted."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.data.known import known_shop
from pipelines.backtest.leak_probe.perturb import PERTURBATIONS
from pipelines.backtest.leak_probe.probe import probe
from pipelines.backtest.models.baselines import digest_baselines
from pipelines.backtest.protocols import registry
from pipelines.backtest.run import refuse_leaks
from pipelines.errors import BacktestError
from pipelines.evaluation import positions
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.popularity import Popularity
from tests.backtest.folders import drawn_folder

PROTOCOLS = ("leave-one-out", "temporal", "explicit")
MODELS = ("popularity", "sequence_rules")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return read_dataset(drawn_folder(tmp_path_factory.mktemp("drawn"), with_test=True), with_test=True)


def config(protocol):
    return BacktestConfig(protocol=protocol, models=MODELS)


def fitted(prepared):
    return digest_baselines(prepared.trial, prepared.test, MODELS, 10)


def nothing(prepared):
    return {}


def probed(dataset, protocol, *, plant=None, answer=nothing):
    """Probe a protocol into which `plant(dataset, cut, prepared)` may have put a leak."""
    asked = config(protocol)

    def prepare(data, cut):
        prepared = registry.prepare(data, cut, asked)
        return prepared if plant is None else plant(data, cut, prepared)

    return probe(dataset, registry.find_cut(dataset, asked), prepare, answer)


def leaking(found):
    return {leak.where for leak in found.leaks}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_leaks_and_every_array_candidate_and_score_is_compared(dataset, protocol):
    found = probed(dataset, protocol, answer=fitted)
    assert found.differences == ()
    # Of each stage 6 + 6 + 2 parts beside the 6 of learning; two answers of each model.
    assert found.compared > 40
    refuse_leaks(found)


def test_every_kind_of_perturbation_is_tried(dataset):
    assert list(PERTURBATIONS) == ["unchanged", "shuffled", "replaced", "deleted"]
    asked = config("temporal")
    cut = registry.find_cut(dataset, asked)
    later = ~cut.known
    for name, perturb in PERTURBATIONS.items():
        changed, changed_cut = perturb(dataset, cut, np.random.default_rng(0))
        before = changed.events.filter(pa.array(changed_cut.known))
        assert before.equals(dataset.events.filter(pa.array(cut.known))), name
        after = changed.events.filter(pa.array(~changed_cut.known))
        assert after.equals(dataset.events.filter(pa.array(later))) == (name == "unchanged"), name


def test_perturbed_events_hold_new_users_items_types_and_times(dataset):
    cut = registry.find_cut(dataset, config("temporal"))
    changed, _ = PERTURBATIONS["replaced"](dataset, cut, np.random.default_rng(0))
    after = changed.events.filter(pa.array(~cut.known))
    for column in ("user_id", "item_id", "event_type"):
        assert pc.any(pc.starts_with(after[column], "~unheard-of")).as_py(), column
    before = dataset.events.filter(pa.array(~cut.known))
    assert pc.all(pc.greater_equal(after["event_at"], before["event_at"])).as_py()


def vocabulary_from_test(data, cut, prepared):
    """Numbers the items of all events."""
    whole = known_shop(data, np.ones(data.events.num_rows, bool))
    return replace(prepared, trial=replace(prepared.trial, catalogue=whole.catalogue))


def users_from_test(data, cut, prepared):
    """Numbers the users of all events."""
    n_users = pc.count_distinct(data.events["user_id"]).as_py()
    return replace(prepared, trial=replace(prepared.trial, n_users=n_users))


def normaliser_of_all(data, cut, prepared):
    """Shifts all times by the mean of all events' times."""
    mean = int(data.events["event_at"].cast(pa.int64()).to_numpy().mean() // 1_000_000)
    learning = prepared.trial.learning
    shifted = replace(learning, times=learning.times - mean)
    return replace(prepared, trial=replace(prepared.trial, learning=shifted))


def popularity_of_all_time(data, cut, prepared):
    """Counts, for the test, what everybody did afterwards."""
    items = positions(data.events["item_id"], prepared.trial.catalogue["item_id"].combine_chunks())
    known = prepared.test.known
    listed = items[items >= 0].astype(np.int32)
    counted = replace(
        known,
        users=np.zeros(len(listed), np.int32),
        items=listed,
        types=np.ones(len(listed), np.int32),
        times=np.zeros(len(listed), np.int64),
        baskets=np.zeros(len(listed), np.int64),
        ratings=np.zeros(len(listed), np.float32),
    )
    return replace(prepared, test=replace(prepared.test, known=counted))


def peeking_feature(data, cut, prepared):
    """Describes each item by how often it is wished for in the answers."""
    truth, trial = prepared.answers.truth, prepared.trial
    listed = truth.items[truth.items < truth.n_items]
    counts = np.bincount(listed, minlength=truth.n_items).astype(float)
    catalogue = trial.catalogue.set_column(
        trial.catalogue.column_names.index("price"), "price", pa.array(counts)
    )
    return replace(prepared, trial=replace(trial, catalogue=catalogue))


def request_at_the_answer(data, cut, prepared):
    """Asks when the answer came, which only the answer tells."""
    last = data.events["event_at"].cast(pa.int64()).to_numpy().max() // 1_000_000
    histories = prepared.test.histories
    later = replace(histories, at_s=np.full(len(histories), last))
    return replace(prepared, test=replace(prepared.test, histories=later))


EVENTS_ONLY = {
    "vocabulary from test": (vocabulary_from_test, "trial.catalogue"),
    "users from test": (users_from_test, "trial.n_users"),
    "normaliser of all": (normaliser_of_all, "trial.learning.times"),
    "popularity of all time": (popularity_of_all_time, "test.known.items"),
    "request at the answer": (request_at_the_answer, "test.histories.at_s"),
}


@pytest.mark.parametrize("leak", EVENTS_ONLY)
def test_a_planted_leak_is_named_under_cutoffs_in_time(dataset, leak):
    plant, where = EVENTS_ONLY[leak]
    assert where in leaking(probed(dataset, "temporal", plant=plant))


@pytest.mark.parametrize("leak", ["vocabulary from test", "normaliser of all", "popularity of all time"])
def test_a_planted_leak_is_named_in_leave_one_out(dataset, leak):
    plant, where = EVENTS_ONLY[leak]
    assert where in leaking(probed(dataset, "leave-one-out", plant=plant))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_feature_that_peeks_at_the_answers_is_named(dataset, protocol):
    found = probed(dataset, protocol, plant=peeking_feature)
    assert leaking(found) == {"trial.catalogue"}
    with pytest.raises(BacktestError, match=r"trial\.catalogue \(replaced\)"):
        refuse_leaks(found)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_that_is_fitted_on_the_answers_is_named_by_its_scores(dataset, protocol):
    def cheating(prepared):
        known = FitData.of(prepared.trial)
        truth = prepared.answers.truth
        counts = np.bincount(truth.items[truth.items < truth.n_items], minlength=truth.n_items)
        model = Popularity(Popularity.fit(known).values + counts)
        return {"cheating": {"scores": model.scores(prepared.test.histories)}, **fitted(prepared)}

    assert leaking(probed(dataset, protocol, answer=cheating)) == {"cheating.scores"}


def test_a_model_that_answers_differently_each_time_is_told_apart_from_a_leak(dataset):
    draws = np.random.default_rng(1)
    found = probed(dataset, "temporal", answer=lambda prepared: {"moody": draws.random(3)})
    assert found.leaks == ()
    assert found.unrepeatable == ("moody",)
    with pytest.raises(BacktestError, match="received others in moody"):
        refuse_leaks(found)


def test_a_probe_that_could_show_nothing_is_refused(dataset):
    def same_answers(data, cut, prepared):
        return replace(prepared, answers=None)

    with pytest.raises(BacktestError, match="the probe would see no leak"):
        probed(dataset, "temporal", plant=same_answers)
