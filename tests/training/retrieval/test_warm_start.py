"""Warm start: whose weights may be used, which fit, and that rows go where their names are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import TrainingError
from pipelines.evaluation.split import TimeSplit
from pipelines.lake import SCHEMAS, open_lake
from pipelines.training import tasks
from pipelines.training.baselines.fit_data import FitData, type_weights
from pipelines.training.baselines.item_knn import nearest_items
from pipelines.training.baselines.sequence_rules import followers
from pipelines.training.config import TrainingConfig
from pipelines.training.data.feast_training_set import KEPT_WEIGHTS, TrainingSet
from pipelines.training.retrieval.checkpoint import Checkpoint, CheckpointMetadata
from pipelines.training.retrieval.inference import Encoders
from pipelines.training.retrieval.item_tower import ItemContent, content_names
from pipelines.training.retrieval.named_weights import NamedWeights, named_tables
from pipelines.training.retrieval.packed_sequences import PackedSequences
from pipelines.training.retrieval.train import begin
from pipelines.training.retrieval.warm_start import incompatibilities, leakage_reasons
from pipelines.training.retrieval.weight_transfer import build_weights, load_matching_weights
from serving.bundle import Bundle
from tests.training.conftest import AS_OF, SMALL
from tests.training.test_tasks import copied_home, featured

Told = dict[str, Any]


def table(names: list[str], most: dict[str, int] | None = None) -> NamedWeights:
    """A table whose row r is (-r, -r)."""
    rows = -np.arange(float(len(names)), dtype=np.float32)[:, None].repeat(2, 1)
    return NamedWeights(SimpleNamespace(numpy=rows.copy), np.array(names, str), most or {})


OLD_NAMES = np.array(["", "apple", "bread"], str)
OLD_ROWS = np.array([[9, 9], [1, 2], [3, 4]], np.float32)


def test_rows_go_where_their_names_are_and_new_ones_stay_as_they_were_made():
    grown = table(["", "bread", "cucumber", "apple"])
    assert grown.carried(OLD_ROWS, OLD_NAMES).tolist() == [[9, 9], [3, 4], [-2, -2], [1, 2]]
    assert grown.lost(OLD_NAMES).tolist() == []


def test_a_vocabulary_that_shrank_has_lost_names():
    shrunk = table(["", "cucumber", "bread"])
    assert shrunk.lost(OLD_NAMES).tolist() == ["apple"]
    assert shrunk.carried(OLD_ROWS, OLD_NAMES).tolist() == [[9, 9], [-1, -1], [3, 4]]


def test_in_a_full_vocabulary_the_rarest_give_way_and_are_not_lost():
    assert table(["", "cucumber", "bread"], {"": 2}).lost(OLD_NAMES).tolist() == []
    assert table(["", "cucumber", "bread"], {"": 3}).lost(OLD_NAMES).tolist() == ["apple"]
    # Only the kind that is full may lose: words are, brands are not.
    old = np.array(["", "brand A", "word x", "word y"], str)
    assert table(["", "word y", "word z"], {"word ": 2}).lost(old).tolist() == ["brand A"]


def test_every_code_of_an_items_content_has_its_name():
    catalogue = pa.table(
        {
            "item_id": ["1", "2", "3"],
            "title": ["Red tea", "Tea pot", "Zither"],
            "category": ["Food > Tea", "Food", None],
            "brand": ["Zeta", "Acme", None],
            "attributes": pa.array([["b", "a"], ["a"], None], pa.list_(pa.string())),
        }
    )
    # Codes of categories and brands are places among the distinct texts, in the order of the alphabet.
    codes = np.array([[1, 1, 1, 0, 2], [0, 1, 0, 0, 1], [2, 0, 0, 0, 0]], np.int32)
    content = ItemContent.of(codes, catalogue, np.array([1.0, np.nan, 9.0]), *np.zeros((2, 3, 0), np.int32))
    names = content_names(catalogue, int(content.bags.max()))
    told = [[str(names[code]) for code in bag if code] for bag in content.bags]
    assert told == [
        [
            "category_1 Food",
            "category_2 Food > Tea",
            "brand Zeta",
            "price 1 of 20",
            "attribute a",
            "word tea",
        ],
        ["category_1 Food", "brand Acme", "attribute a", "word tea"],
        ["price 20 of 20"],
    ]


def split(as_of: datetime, horizon_days: float = 14) -> TimeSplit:
    """Windows of a year's shop: retrieval ends 63 days before `as_of`, the test begins 14 before."""
    return TimeSplit.plan(datetime(2023, 1, 1, tzinfo=UTC), as_of, horizon_days)


def kept_of(windows: TimeSplit) -> Checkpoint:
    facts = CheckpointMetadata(
        as_of=windows.as_of,
        learned_until=windows.retrieval_until,
        chosen_until=windows.validation.ends_at,
        settings={},
        user_features=(),
    )
    return Checkpoint(facts, {}, [])


NOW = datetime(2024, 1, 1, tzinfo=UTC)


def test_weights_of_an_earlier_release_may_be_used():
    assert leakage_reasons(kept_of(split(NOW - timedelta(days=1))), split(NOW)) == []


def test_weights_of_the_same_or_a_later_release_may_not_be_used():
    [same] = leakage_reasons(kept_of(split(NOW)), split(NOW))
    assert "its as_of is 2024-01-01" in same
    assert len(leakage_reasons(kept_of(split(NOW + timedelta(days=1))), split(NOW))) == 3


def test_weights_that_learned_from_the_labels_of_the_ranking_stage_may_not_be_used():
    # A week's horizon ends an earlier release's learning 31.5 days before its end: 24 days later than ours.
    [reason] = leakage_reasons(kept_of(split(NOW - timedelta(days=7), horizon_days=7)), split(NOW))
    assert "it learned until 2023-11-23 12:00" in reason
    assert "ranking requests begin at 2023-10-30" in reason


def test_weights_that_were_chosen_by_events_of_the_test_window_may_not_be_used():
    # With one day's horizon the earlier release looked at events until two days before the end.
    early = kept_of(split(NOW - timedelta(days=1), horizon_days=1))
    learned = early.facts.model_copy(update={"learned_until": datetime(2023, 6, 1, tzinfo=UTC)})
    [reason] = leakage_reasons(replace(early, facts=learned), split(NOW))
    assert "it was chosen by events until 2023-12-30" in reason
    assert "test begins at 2023-12-18" in reason


def test_a_file_that_is_none_of_kept_weights_is_refused(tmp_path: Path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(TrainingError, match=r"expected the weights of a retrieval model in weights\.npz"):
        Checkpoint.open(path)
    np.savez(path, facts=np.array("{}"))
    with pytest.raises(TrainingError, match="as_of"):
        Checkpoint.open(path)
    np.savez(path, facts=np.array([object()]))
    with pytest.raises(TrainingError, match="pickle"):
        Checkpoint.open(path)


@pytest.fixture(scope="module")
def kept_path(trained: tuple[Path, Told, Told]) -> Path:
    return TrainingSet.open(trained[0]).directory / KEPT_WEIGHTS


def test_weights_lie_beside_the_bundle_and_not_in_it(trained: tuple[Path, Told, Told], kept_path: Path):
    assert trained[1]["weights"] == str(kept_path)
    assert trained[1]["warm_start"] == {"used": False, "reasons": ["no weights were given to go on from"]}
    assert not list(trained[0].glob("*weights*"))


def test_a_carried_model_without_a_step_is_the_one_that_was_released(
    trained: tuple[Path, Told, Told], kept_path: Path
):
    material = TrainingSet.open(trained[0])
    kept, bundle = Checkpoint.open(kept_path), Bundle.open(trained[0])
    assert incompatibilities(kept, material) == []
    # The release has counted its neighbours and followers anew since then.
    events = material.known(material.ranking_names[0])
    known = FitData(events, material.n_users, bundle.items, type_weights(material.event_types), 0)
    neighbours = nearest_items(events, material.n_users, bundle.n_items).items
    bundle = replace(bundle, neighbours=neighbours, followers=followers(known).items)
    tape = PackedSequences.of(material.learning)
    model = build_weights(
        *begin(
            replace(material, config=material.config.model_copy(update={"seed": 7})),
            bundle,
            tape,
            0,
            warm=True,
        )
    )
    fresh = Encoders(model).item_vectors(bundle.n_items)
    assert np.abs(fresh - bundle.item_vectors).max() > 0.1
    load_matching_weights(kept, 0, model, bundle, material.config.retrieval)
    encoders, users = Encoders(model), material.requests("validation").users
    np.testing.assert_allclose(encoders.item_vectors(bundle.n_items), bundle.item_vectors, atol=1e-6)
    again = Checkpoint.of([model], bundle, material.config.retrieval, material.split)
    for name, values in kept.members[0].items():
        np.testing.assert_array_equal(again.members[0][name], values, err_msg=name)
    assert len(encoders.query_vectors(bundle.item_vectors, bundle, users)) == len(users)


def test_a_training_of_a_grown_shop_begins_where_the_earlier_one_ended(
    trained: tuple[Path, Told, Told], kept_path: Path, featured_home: Any, tmp_path: Path
):
    later = AS_OF + timedelta(days=5)
    settings = copied_home(featured_home, tmp_path / "home")
    # An item that the earlier release did not know: the catalogue is in another order, and one row is new.
    lake = open_lake(settings)
    first = lake.read("events").sort_by("event_at").slice(0, 6).to_pylist()
    rows = [{**row, "event_id": f"new-{number}", "item_id": "i99"} for number, row in enumerate(first)]
    lake.append("events", pa.Table.from_pylist(rows, SCHEMAS["events"]))
    workdir = tmp_path / "work" / "bundle"
    tasks.build_training_set(later, workdir, featured(settings, later), SMALL)
    warm = tasks.train_retrieval(later, workdir, kept_path)
    assert warm["warm_start"] == {"used": True, "reasons": []}
    then, now = (set(Checkpoint.open(Path(path)).names["items"]) for path in (kept_path, warm["weights"]))
    assert "i99" in now - then
    assert not then - now
    # Its own weights are of no earlier release: training is anew.
    anew = tasks.train_retrieval(later, workdir, warm["weights"])
    assert anew["warm_start"]["used"] is False
    assert "its as_of is 2024-04-30" in anew["warm_start"]["reasons"][0]
    assert warm["curve"]["loss"][0] < anew["curve"]["loss"][0]
    material = TrainingSet.open(workdir)
    # The share of the steps: 60 at most and half of them.
    assert begin(material, Bundle.open(workdir), PackedSequences.of(material.learning), 0)[1].steps == 60
    assert (
        begin(material, Bundle.open(workdir), PackedSequences.of(material.learning), 0, warm=True)[1].steps
        == 30
    )


def test_what_does_not_fit_is_told_and_training_is_anew(trained: tuple[Path, Told, Told], kept_path: Path):
    material, kept = TrainingSet.open(trained[0]), Checkpoint.open(kept_path)

    def told(**settings: Any) -> list[str]:
        config = TrainingConfig.of({**SMALL, "retrieval": {**SMALL["retrieval"], **settings}})
        return incompatibilities(kept, replace(material, config=config))

    assert told(embedding_dim=32) == ["setting embedding_dim was 16 and is 32"]
    [reason] = told(ensemble_mixers=["gru"])
    assert reason == "setting ensemble_mixers was ['attention'] and is ['gru']"
    names = {**kept.names, "types": np.array(["", "cart", "purchase", "rating", "view"], str)}
    assert incompatibilities(replace(kept, names=names), material) == ["types lost 1: 'rating'"]
    facts = kept.facts.model_copy(update={"user_features": ("shoe_size",)})
    assert incompatibilities(replace(kept, facts=facts), material) == ["user features lost 1: 'shoe_size'"]
    fewer = [{name: values for name, values in kept.members[0].items() if name != "other/0"}]
    assert incompatibilities(replace(kept, members=fewer), material) == [
        "the model has layers of other shapes than it had"
    ]


def test_each_member_is_held_to_the_layers_of_its_own_kind(trained: tuple[Path, Told, Told]):
    small, bundle = TrainingSet.open(trained[0]), Bundle.open(trained[0])
    kinds = {**SMALL["retrieval"], "ensemble_mixers": ["attention", "convolution"]}
    material = replace(small, config=TrainingConfig.of({**SMALL, "retrieval": kinds}))
    tape, config = PackedSequences.of(material.learning), material.config.retrieval
    members = [build_weights(*begin(material, bundle, tape, place)) for place in range(2)]
    kept = Checkpoint.of(members, bundle, config, material.split)
    # They have other layers, or this would say nothing.
    shapes = [{name: values.shape for name, values in member.items()} for member in kept.members]
    assert shapes[0] != shapes[1]
    assert incompatibilities(kept, material) == []
    exchanged = replace(kept, members=kept.members[::-1])
    assert incompatibilities(exchanged, material) == ["the model has layers of other shapes than it had"]


def test_tables_name_every_row_once(trained: tuple[Path, Told, Told]):
    material, bundle = TrainingSet.open(trained[0]), Bundle.open(trained[0])
    config = material.config.retrieval
    model = build_weights(*begin(material, bundle, PackedSequences.of(material.learning), 0))
    tables = named_tables(model, bundle, config)
    assert {"items", "content", "types", "hidden", "profile gender"} <= set(tables)
    for name, one in tables.items():
        assert len(set(one.names.tolist())) == len(one.names) == one.weights.shape[0], name
    assert tables["types"].names.tolist() == ["", "cart", "purchase", "view"]
    code = int(bundle.item_codes[bundle.indices_of(["i00"])[0], 0])
    assert tables["items"].names[code] == "i00"
