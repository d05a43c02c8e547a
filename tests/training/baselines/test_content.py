import numpy as np
import pyarrow as pa
import pytest

from pipelines.training.baselines.content import Content, similar_items
from pipelines.training.baselines.fit_data import FitData
from pipelines.training.baselines.text_terms import describing_columns, term_vectors
from tests.training.baselines.small_field import ONE_TYPE, asking, catalogue, interactions

HATS_AND_SHOES = pa.table(
    {"item_id": ["a", "b", "c", "d"], "title": ["Red shoe", "red HAT!", "blue  shoe", None]}
)
# Of four items, red and shoe are on two each, hat and blue on one each.
COMMON, RARE = np.log(4 / 2), np.log(4)
RED_OF_HAT = COMMON / np.hypot(COMMON, RARE)


def content(items: pa.Table, **settings: float) -> Content:
    return Content.fit(FitData(interactions(), 0, items, ONE_TYPE), **settings)


def test_items_are_alike_by_the_cosine_of_their_rare_words():
    vectors = term_vectors(HATS_AND_SHOES)
    near = 0.5**0.5 * RED_OF_HAT
    np.testing.assert_allclose((vectors @ vectors.T).toarray()[0], [1, near, near, 0], rtol=1e-6)


def test_newer_events_of_the_asking_user_count_more():
    scores = content(HATS_AND_SHOES, place_decay=0.5).scores(asking([1, 2], [3], []))
    # The hat counts half: the red shoe has 0.5 from it and 1 from the blue shoe.
    assert scores[0, 0] == pytest.approx(1.5 * 0.5**0.5 * RED_OF_HAT, rel=1e-6)
    assert scores[1:].max() == 0


def test_words_of_many_items_say_nothing():
    items = pa.table({"item_id": list("abcdefghijk"), "title": ["the x", "the x"] + ["the"] * 9})
    vectors = term_vectors(items, most_common=0.2)
    assert (vectors @ vectors.T).toarray()[0, :3].tolist() == pytest.approx([1, 1, 0])


def test_category_levels_are_terms_with_the_levels_above_them():
    items = pa.table({"item_id": list("abcdef"), "category": ["A > X", "A > X", "B > X", "B", "C", None]})
    alike = (lambda vectors: (vectors @ vectors.T).toarray())(term_vectors(items, most_common=1.0))
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] == 0
    # B > X has level B (two of six items) and level B > X (one of six).
    assert alike[2, 3] == pytest.approx(np.log(3) / np.hypot(np.log(3), np.log(6)))


def test_every_column_has_equal_say():
    items = pa.table(
        {
            "item_id": list("abcd"),
            "brand": ["Acme", "Acme", "Bolt", "Cool"],
            "attributes": [["color:red", "size:1"], ["color:blue"], ["color:red", "size:1"], []],
        }
    )
    alike = (lambda vectors: (vectors @ vectors.T).toarray())(term_vectors(items))
    # Item a shares its brand with b, and all attributes with c.
    assert alike[0].tolist() == pytest.approx([1, 0.5, 0.5, 0])


def test_items_that_were_never_described_tell_nothing():
    bare = pa.table({"item_id": ["a", "b"], "title": ["a", "b"], "brand": ["", ""]})
    assert describing_columns(bare) == []
    assert describing_columns(HATS_AND_SHOES) == ["title"]
    assert describing_columns(catalogue(3)) == []
    assert content(bare).scores(asking([0])).tolist() == [[0, 0]]


def test_columns_without_any_value_are_passed_over():
    items = pa.table(
        {
            "item_id": ["a", "b"],
            "title": pa.nulls(2),
            "attributes": pa.array([None, []], pa.list_(pa.string())),
        }
    )
    assert describing_columns(items) == []


def test_a_release_ships_the_items_most_alike(monkeypatch: pytest.MonkeyPatch):
    near = similar_items(HATS_AND_SHOES, neighbours=2)
    assert sorted(near.items[0].tolist()) == [1, 2]
    assert near.items[1:].tolist() == [[0, -1], [0, -1], [-1, -1]]
    assert near.scores[1, 0] == pytest.approx(0.5**0.5 * RED_OF_HAT)
    monkeypatch.setattr("pipelines.training.baselines.content.PAIR_BATCH_SIZE", 4)
    assert similar_items(HATS_AND_SHOES, neighbours=2).items.tolist() == near.items.tolist()


def test_more_pairs_are_looked_at_where_there_are_more_items(monkeypatch: pytest.MonkeyPatch):
    near = similar_items(HATS_AND_SHOES, neighbours=2)
    monkeypatch.setattr("pipelines.training.baselines.content.MOST_PAIRS", 0)
    assert similar_items(HATS_AND_SHOES, neighbours=2).items.tolist() == near.items.tolist()
    monkeypatch.setattr("pipelines.training.baselines.content.PAIRS_OF_ITEM", 0)
    assert (similar_items(HATS_AND_SHOES, neighbours=2).items == -1).all()
