"""Retraining from the lake to graphs, on the tiny shop and on shops that lack things."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import TrainingError, WrongUsageError
from pipelines.features import store
from pipelines.features.build import build_features
from pipelines.lake import SCHEMAS, Lake, open_lake
from pipelines.settings import Settings
from pipelines.training import tasks
from pipelines.training.baselines import field_lists
from pipelines.training.config import TrainingConfig
from pipelines.training.data.feast_training_set import TEST, TrainingSet, training_directory
from serving.bundle import Bundle
from serving.engine.candidates.retrieve import retrieve
from serving.engine.intent import IntentModel
from serving.engine.ranking import Encoder, Ranker
from serving.engine.recommender import RecommendationRequest, Recommender
from serving.explanations import recommend
from tests.training.conftest import AS_OF, SMALL

Told = dict[str, Any]


def copied_home(settings: Settings, home: Path) -> Settings:
    """A new home with the tables of another one's shop."""
    copy = Settings(home=home)
    source, target = open_lake(settings), open_lake(copy)
    for table in ("events", "items", "users"):
        target.append(table, source.read(table).select(SCHEMAS[table].names).cast(SCHEMAS[table]))
    return copy


def featured(settings: Settings, as_of: datetime) -> Settings:
    """The settings, once features are built and applied."""
    build_features(open_lake(settings), as_of)
    store.apply(settings)
    return settings


def test_the_training_set_tells_what_it_holds(training_set_told: tuple[Path, Told]):
    workdir, told = training_set_told
    material = TrainingSet.open(workdir)
    assert json.loads(json.dumps(told)) == told
    assert told["items"] == len(material.item_ids) == 80
    assert material.target_types == ("purchase",)
    assert material.event_types == ("cart", "purchase", "view")
    assert material.split.as_of == AS_OF
    assert material.requests("test").users.history_items.shape == (len(material.requests("test").rows), 96)
    assert not any(path.is_relative_to(workdir) for path in material.directory.iterdir())


def test_nothing_in_the_training_set_is_of_the_future(featured_home: Settings, tmp_path: Path):
    """Events, items and users from `as_of` on are changed: not one file of the training set may differ."""
    changed = copied_home(featured_home, tmp_path / "home")
    lake = open_lake(changed)
    events = lake.read("events").to_pylist()
    future = [dict(row, event_at=row["event_at"] + timedelta(days=200)) for row in events[:500]]
    for number, row in enumerate(future):
        row.update(event_id=f"future-{number}", event_on=row["event_at"].date(), item_id="i00")
    lake.append("events", pa.Table.from_pylist(future, SCHEMAS["events"]))
    items = lake.read("items").to_pylist()
    later = [dict(row, title="later", price=999.0, updated_at=AS_OF + timedelta(days=1)) for row in items]
    lake.append("items", pa.Table.from_pylist(later, SCHEMAS["items"]))
    # Both as they were built: training brings counts to a later instant.
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    tasks.build_training_set(AS_OF, ours, featured_home, SMALL)
    tasks.build_training_set(AS_OF, theirs, featured(changed, AS_OF), SMALL)
    for folder in (Path, training_directory):
        left, right = folder(ours), folder(theirs)
        names = {path.name for path in right.iterdir()}
        compared = [name for name in names if name.endswith((".npy", ".npz"))]
        assert compared
        for name in compared:
            assert_same_arrays(left / name, right / name)


def assert_same_arrays(left: Path, right: Path) -> None:
    """Fail where two files of arrays differ in a bit."""
    ours, theirs = (np.load(path, allow_pickle=False) for path in (left, right))
    if isinstance(ours, np.ndarray):
        np.testing.assert_array_equal(ours, theirs, err_msg=left.name)
        return
    assert ours.files == theirs.files
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=f"{left.name} {name}")


def test_ranking_labels_lie_behind_what_retrieval_saw(training_set_told: tuple[Path, Told]):
    material = TrainingSet.open(training_set_told[0])
    split = material.split
    assert min(material.instants[name] for name in material.ranking_names) == split.retrieval_until
    for name in material.ranking_names:
        window = split.labels_of(material.instants[name])
        assert split.retrieval_until <= window.starts_at
        assert window.ends_at <= split.validation_from < split.test_from
        assert material.requests(name).users.history_ages_s.min() >= 0


def test_a_release_comes_out_that_recommends(trained: tuple[Path, Told, Told]):
    workdir, retrieval, ranking = trained
    bundle = Bundle.open(workdir)
    requests = TrainingSet.open(workdir).requests("test")
    lists = recommend(Recommender(bundle), requests.users, RecommendationRequest(surface="home", k=10))
    assert all(len({one.item_id for one in each}) == 10 for each in lists)
    assert bundle.spec.ranker_outputs == ("purchase", "cart", "view")
    np.testing.assert_allclose(np.linalg.norm(bundle.item_vectors, axis=1), 1, rtol=1e-5)
    assert 0 < retrieval["recall_at_100"] <= 1
    assert len(retrieval["curve"]["loss"]) == len(retrieval["curve"]["validation_ndcg_at_100"])
    assert ranking["auc"] > 0.7
    assert ranking["calibration_error"] < 0.05


def test_the_release_beats_popularity_on_what_it_has_not_seen(trained: tuple[Path, Told, Told]):
    workdir = trained[0]
    material = TrainingSet.open(workdir)
    bundle, requests = Bundle.open(workdir), material.requests("test")
    offered = retrieve(bundle, requests.users, Encoder(bundle).encode(requests.users))
    scores = Ranker(bundle).rank(requests.users, offered).scores
    best = np.take_along_axis(offered.items, np.argsort(-scores, axis=1)[:, :10], 1)
    user_ids = material.user_ids.take(pa.array(requests.rows)).to_pylist()
    popular = field_lists(workdir, material.split.test_from, user_ids).lists["popularity"]
    taken = material.labels(TEST, material.target_types)
    hits = [
        np.isin(requests.rows[:, None] * np.int64(bundle.n_items) + items, taken).mean()
        for items in (best, popular)
    ]
    assert hits[0] > 1.5 * hits[1]


def test_the_flatbuffers_answer_as_the_trained_graphs_did(trained: tuple[Path, Told, Told]):
    _, retrieval, ranking = trained
    for told in (retrieval["parity"], ranking["parity"]):
        assert told["overlap"] >= 0.97
        assert told["largest_difference"] < 0.2


def test_probabilities_are_probabilities_and_padding_moves_no_score(trained: tuple[Path, Told, Told]):
    workdir = trained[0]
    bundle = Bundle.open(workdir)
    users = TrainingSet.open(workdir).requests("test").users.rows(slice(0, 5))
    offered = retrieve(bundle, users, Encoder(bundle).encode(users))
    whole = Ranker(bundle).rank(users, offered)
    listed = offered.items >= 0
    for values in whole.outputs.values():
        assert ((values[listed] >= 0) & (values[listed] <= 1)).all()
    parts = {entry.name: getattr(offered, entry.name)[:, :7] for entry in fields(offered)}
    few = Ranker(bundle).rank(users, type(offered)(**parts))
    np.testing.assert_allclose(few.scores, whole.scores[:, :7], rtol=1e-4, atol=1e-5)


def test_the_item_state_is_that_of_its_instant(trained: tuple[Path, Told, Told]):
    workdir = trained[0]
    material = TrainingSet.open(workdir)
    before = Bundle.open(workdir).popularity.copy()
    tasks.write_item_state(workdir, AS_OF.isoformat())
    after = Bundle.open(workdir).popularity.copy()
    tasks.write_item_state(workdir, material.split.test_from)
    np.testing.assert_array_equal(Bundle.open(workdir).popularity, before)
    assert not np.array_equal(before, after)
    with pytest.raises(TrainingError, match="expected one of the instants"):
        tasks.write_item_state(workdir, AS_OF + timedelta(days=1))


def test_users_never_met_get_the_popular_items(trained: tuple[Path, Told, Told]):
    workdir = trained[0]
    at = TrainingSet.open(workdir).split.test_from
    lists = field_lists(workdir, at, ["nobody", "u00"], k=5).lists
    assert (lists["personal_frequency"][0] == lists["popularity"][0]).all()
    assert (lists["personal_frequency"][1] != lists["popularity"][1]).any()


def test_another_as_of_than_the_training_sets_is_refused(training_set_told: tuple[Path, Told]):
    with pytest.raises(WrongUsageError, match="expected as_of 2024-04-25"):
        tasks.train_retrieval(AS_OF - timedelta(days=1), training_set_told[0])
    with pytest.raises(WrongUsageError, match="ISO 8601"):
        tasks.train_ranking("yesterday", training_set_told[0])
    with pytest.raises(TrainingError, match="build it first"):
        tasks.train_retrieval(AS_OF, training_set_told[0] / "elsewhere")


def test_features_must_have_been_built_for_as_of(featured_home: Settings, tmp_path: Path):
    with pytest.raises(TrainingError, match="run `aisle features build`"):
        tasks.build_training_set(AS_OF + timedelta(days=1), tmp_path / "bundle", featured_home, SMALL)


def test_a_misspelt_choice_is_refused_and_a_short_budget_trains_less():
    with pytest.raises(WrongUsageError, match="epoch"):
        TrainingConfig.of({"ranking": {"epoch": 3}})
    short, full = TrainingConfig.of(None, budget="short"), TrainingConfig.of(None)
    assert short.retrieval.max_steps < full.retrieval.max_steps
    assert short.ranking.users_per_request < full.ranking.users_per_request


def test_a_shop_of_views_and_ratings_alone_trains_too(tmp_path: Path):
    """No purchases, no users, no described items, 30 users, three weeks."""
    rng, start = np.random.default_rng(0), datetime(2024, 5, 1, tzinfo=UTC)
    rows = []
    for number in range(1_500):
        user, at = int(rng.integers(30)), start + timedelta(minutes=int(rng.integers(21 * 24 * 60)))
        kind = "rating" if rng.random() < 0.2 else "view"
        rows.append(
            {
                "event_id": f"e{number}",
                "event_at": at,
                "event_on": at.date(),
                "user_id": f"u{user}",
                "event_type": kind,
                "item_id": f"i{(user * 3 + int(rng.integers(8))) % 40}",
                "rating": float(rng.integers(1, 6)) if kind == "rating" else None,
                "source": "test",
            }
        )
    settings = Settings(home=tmp_path)
    lake: Lake = open_lake(settings)
    lake.append("events", pa.Table.from_pylist(rows, SCHEMAS["events"]))
    for table in ("items", "users"):
        lake.append(table, SCHEMAS[table].empty_table())
    as_of = start + timedelta(days=21)
    workdir = tmp_path / "work" / "bundle"
    told = tasks.build_training_set(as_of, workdir, featured(settings, as_of), SMALL)
    assert told["target_types"] == ["rating"]
    tasks.train_retrieval(as_of, workdir)
    ranking = tasks.train_ranking(as_of, workdir)
    assert ranking["tasks"] == ["rating", "view", "expected_rating"]
    bundle = Bundle.open(workdir)
    users = TrainingSet.open(workdir).requests("test").users
    assert (Recommender(bundle).rank_items(users, RecommendationRequest(k=5)).items >= 0).all()
    offered = retrieve(bundle, users, Encoder(bundle).encode(users))
    expected = Ranker(bundle).rank(users, offered).outputs["expected_rating"][offered.items >= 0]
    assert 2 < expected.mean() < 4


def test_the_release_estimates_the_intent_of_a_session(trained):
    workdir, _, ranking = trained
    assert ranking["intent"]["trained"], ranking["intent"]
    assert 0 <= ranking["intent_auc"] <= 1
    bundle = Bundle.open(workdir)
    users = TrainingSet.open(workdir).requests("test").users
    model = IntentModel(bundle)
    # A session runs at once after an event, and none half an hour later.
    row = int(np.flatnonzero(users.has_history)[0])
    user = users.rows(slice(row, row + 1))
    at_once = replace(user, history_ages_s=np.maximum(user.history_ages_s - user.history_ages_s[:, :1], 0))
    estimate = model.of(at_once, AS_OF.timestamp())
    assert estimate is not None
    assert 0 < estimate.purchase_probability < 1
    assert estimate.stage in ("browsing", "comparing", "about_to_buy")
    assert estimate.category in model.spec.groups.categories
    later = replace(at_once, history_ages_s=at_once.history_ages_s + 1_801)
    assert model.of(later, AS_OF.timestamp()) is None
