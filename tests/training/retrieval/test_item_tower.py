"""What the item encoder sees of an item, and the vector that it makes of it."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.training.config import RetrievalConfig
from pipelines.training.retrieval.item_tower import ItemContent, ItemEncoder

CATALOGUE = pa.table(
    {
        "title": ["Red tea", "Tea pot", "Zither"],
        "attributes": pa.array([["a", "b"], ["a"], None], pa.list_(pa.string())),
    }
)
CODES = np.array([[1, 1, 1, 0, 2], [0, 1, 2, 0, 1], [2, 0, 0, 0, 0]], np.int32)
"""Id, three levels of category, brand."""

NOBODY = np.zeros((2, 0), np.int32)
"""Of two items, none near either."""


def test_all_that_is_known_of_an_item_is_one_bag_of_codes():
    content = ItemContent.of(
        CODES,
        CATALOGUE,
        np.array([1.0, np.nan, 9.0]),
        neighbours=np.array([[2, 1], [0, -1], [-1, -1]]),
        related=np.array([[-1], [2], [0]]),
    )
    assert content.ids.tolist() == [1, 0, 2]
    # Codes by kind, each behind the one before: category 1 has one code, category 2 two (2, 3), brands two
    # (4, 5), price levels twenty (6 to 25, the lowest and the highest), attribute a is 26, the word tea 27.
    assert content.bags.tolist() == [[1, 2, 5, 6, 26, 27], [1, 3, 4, 26, 27, 0], [25, 0, 0, 0, 0, 0]]
    # Neighbours by their ids' codes: item 1 is too rare for one.
    assert content.neighbours.tolist() == [[2, 0], [1, 0], [0, 0]]
    assert content.related.tolist() == [[0], [2], [1]]


def test_an_item_of_which_nothing_is_known_has_an_empty_bag():
    content = ItemContent.of(
        np.zeros((2, 5), np.int32), pa.table({"title": ["x", "y"]}), np.full(2, np.nan), NOBODY, NOBODY
    )
    assert content.ids.tolist() == [0, 0]
    assert content.bags.tolist() == [[0], [0]]


@pytest.fixture
def encoder() -> ItemEncoder:
    """Five items of two codes, the last one next to the first and related to it.

    Content 1 and 2 point along the first two axes, ids along the next two.
    """
    content = ItemContent(
        np.array([1, 0, 0, 0, 2], np.int32),
        np.array([[1, 2], [1, 2], [1, 0], [0, 0], [0, 0]], np.int32),
        neighbours=np.array([[0, 0], [0, 0], [0, 0], [0, 0], [1, 0]], np.int32),
        related=np.array([[0], [0], [0], [0], [1]], np.int32),
    )
    made = ItemEncoder(content, RetrievalConfig(embedding_dim=8))
    axes = np.eye(8, dtype=np.float32)
    made.id_table.assign(np.stack([9 * axes[7], axes[2], 2 * axes[3]]))
    made.content_table.assign(np.stack([9 * axes[7], axes[0], axes[1]]))
    made.related_table.assign(np.stack([9 * axes[7], 3 * axes[4], 9 * axes[6]]))
    return made


def test_a_vector_is_the_ids_own_and_the_mean_of_its_contents_at_length_one(encoder: ItemEncoder):
    vectors = encoder(np.array([0, 1, 2], np.int32)).numpy()
    # (.5, .5, 1) has the length sqrt(1.5); without an id (.5, .5) has sqrt(.5).
    np.testing.assert_allclose(vectors[0, :3], np.array([0.5, 0.5, 1]) / 1.5**0.5, rtol=1e-6)
    np.testing.assert_allclose(vectors[1, :3], np.array([0.5, 0.5, 0]) / 0.5**0.5, rtol=1e-6)
    np.testing.assert_allclose(vectors[2, :3], [1, 0, 0], rtol=1e-6)
    assert (vectors[:, 3:] == 0).all(), "code 0 says nothing, whatever stands in its row"


def test_an_item_of_which_nothing_is_known_is_nowhere(encoder: ItemEncoder):
    assert (encoder(np.array([3], np.int32)).numpy() == 0).all()


def test_neighbours_own_vectors_and_what_related_items_tell_are_part_of_an_items(encoder: ItemEncoder):
    # Its neighbour's own (0, 0, 1, 0, 0), without that one's content, what its related
    # item has for that (0, 0, 0, 0, 3), and its own (0, 0, 0, 2, 0).
    vector = encoder(np.array([4], np.int32)).numpy()[0]
    np.testing.assert_allclose(vector[:5], np.array([0, 0, 1, 2, 3]) / 14**0.5, rtol=1e-6)


def test_items_come_in_any_shape(encoder: ItemEncoder):
    vectors = encoder(np.array([[0, 1, 2], [2, 1, 0]], np.int32)).numpy()
    assert vectors.shape == (2, 3, 8)
    np.testing.assert_array_equal(vectors[1, ::-1], vectors[0])
