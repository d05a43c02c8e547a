"""A champion measured on equal terms: its own models, the candidate's counts."""

from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.release.champion import learned_before, with_item_state_of
from pipelines.release.evaluate import in_indices_of
from serving.bundle import Bundle, write_array, write_items
from tests.serving.tiny_bundle import (
    APPLE,
    BANANA,
    BREAD,
    BUTTER,
    CHEESE,
    LAMP,
    ROLL,
    SPEC,
    items,
    write_tiny_bundle,
)

TEST_FROM = datetime(2024, 4, 17, tzinfo=UTC)


@pytest.fixture
def champion(tmp_path) -> Bundle:
    return Bundle.open(write_tiny_bundle(tmp_path / "champion"))


@pytest.fixture
def candidate(tmp_path) -> Bundle:
    """The same shop a week later: items in reverse order, the banana gone, other counts."""
    directory = write_tiny_bundle(tmp_path / "candidate")
    order = np.arange(8)[::-1][:7]  # lamp, cheese, butter, roll, bread, pear, apple
    write_items(directory, items().take(order))
    for name in ("item_vectors", "item_codes"):
        write_array(directory, name, np.load(directory / f"{name}.npy")[order])
    write_array(directory, "item_features", np.arange(14.0).reshape(7, 2))
    write_array(directory, "popularity", np.array([10.0, 20, 30, 40, 50, 60, 70]))
    neighbours = np.full((7, 2), -1)
    neighbours[4] = (0, 3)  # bread: lamp, roll
    neighbours[6, 0] = 5  # apple: pear
    write_array(directory, "neighbours", neighbours)
    write_array(directory, "neighbour_scores", np.where(neighbours >= 0, [0.9, 0.4], 0))
    write_array(directory, "complements", np.full((7, 2), -1))
    write_array(directory, "complement_scores", np.zeros((7, 2)))
    followers = np.full((7, 1), -1)
    followers[4] = 2  # bread: butter
    write_array(directory, "followers", followers)
    write_array(directory, "follower_scores", np.where(followers >= 0, 5.0, 0))
    lookalikes = np.full((7, 3), -1)
    lookalikes[3] = (0, 1, 4)  # roll: lamp, cheese, bread
    write_array(directory, "lookalikes", lookalikes)
    write_array(directory, "lookalike_scores", np.where(lookalikes >= 0, [0.7, 0.6, 0.5], 0))
    return Bundle.open(directory)


def test_counts_come_from_the_candidate_item_by_item(champion, candidate, tmp_path):
    moved = with_item_state_of(champion, candidate, tmp_path / "moved")
    assert moved.items["item_id"].to_pylist() == champion.items["item_id"].to_pylist()
    # banana is gone; apple 70, pear 60, bread 50, roll 40, butter 30, cheese 20, lamp 10
    assert moved.popularity.tolist() == [0, 70, 60, 50, 40, 30, 20, 10]
    assert np.isnan(moved.item_features[BANANA]).all()
    assert moved.item_features[APPLE].tolist() == [12, 13]
    assert moved.item_features[LAMP].tolist() == [0, 1]


def test_neighbours_are_told_in_the_champions_own_indices(champion, candidate, tmp_path):
    moved = with_item_state_of(champion, candidate, tmp_path / "moved")
    assert moved.neighbours[BREAD].tolist() == [LAMP, ROLL]
    assert moved.neighbour_scores[BREAD].tolist() == pytest.approx([0.9, 0.4])
    assert moved.neighbours[BANANA].tolist() == [-1, -1]
    assert (moved.complements == -1).all()
    assert moved.followers[BREAD].tolist() == [BUTTER]
    assert moved.follower_scores[BREAD].tolist() == [5]
    assert moved.lookalikes[ROLL].tolist() == [LAMP, CHEESE, BREAD]
    assert moved.lookalike_scores[ROLL].tolist() == pytest.approx([0.7, 0.6, 0.5])


def test_neighbours_that_the_champion_does_not_know_fall_out_and_the_others_move_up(
    champion, candidate, tmp_path
):
    # The champion as candidate of the other: bread's neighbours are roll; banana is unknown there.
    moved = with_item_state_of(candidate, champion, tmp_path / "moved")
    bread, butter = candidate.index_of("bread"), candidate.index_of("butter")
    # bread goes with butter .8 and banana .4; the candidate's bundle does not know bananas
    assert moved.complements[bread].tolist() == [butter, -1]
    assert moved.complement_scores[bread].tolist() == pytest.approx([0.8, 0])
    # apple's nearest is the banana .5, then the pear .25: the pear moves up
    assert moved.neighbours[candidate.index_of("apple")].tolist() == [candidate.index_of("pear"), -1]
    assert moved.neighbour_scores[candidate.index_of("apple")].tolist() == pytest.approx([0.25, 0])
    # after bread came butter 3; like the apple look banana .9 and pear .6, of which the banana is unknown
    assert moved.followers[bread].tolist() == [butter, -1]
    assert moved.follower_scores[bread].tolist() == [3, 0]
    assert moved.lookalikes[candidate.index_of("apple")].tolist() == [candidate.index_of("pear"), -1]
    assert moved.lookalike_scores[candidate.index_of("apple")].tolist() == pytest.approx([0.6, 0])


def test_what_was_learned_stays_the_champions_own(champion, candidate, tmp_path):
    moved = with_item_state_of(champion, candidate, tmp_path / "moved")
    assert np.array_equal(moved.item_vectors, champion.item_vectors)
    assert np.array_equal(moved.item_codes, champion.item_codes)
    assert moved.spec == SPEC


def test_the_champion_itself_is_not_touched(champion, candidate, tmp_path):
    before = champion.popularity.tolist()
    with_item_state_of(champion, candidate, tmp_path / "moved")
    assert Bundle.open(champion.directory).popularity.tolist() == before


def test_features_that_only_the_champion_knows_are_unknown(champion, candidate, tmp_path):
    renamed = candidate.directory / "spec.json"
    renamed.write_text(renamed.read_text().replace("price_level", "price_rank"))
    moved = with_item_state_of(champion, Bundle.open(candidate.directory), tmp_path / "moved")
    assert np.isnan(moved.item_features[:, 0]).all()
    assert moved.item_features[APPLE, 1] == 13


def test_lists_are_told_in_the_other_bundles_indices_and_close_up(champion, candidate):
    lists = np.array([[BANANA, APPLE, BREAD], [LAMP, BANANA, BUTTER], [BANANA, -1, -1]], np.int32)
    assert in_indices_of(lists, champion, candidate).tolist() == [[6, 4, -1], [0, 2, -1], [-1, -1, -1]]


@pytest.mark.parametrize(
    ("until", "comparable"),
    [
        (None, False),
        ("2024-04-17T00:00:00+00:00", True),
        ("2024-04-17T01:00:00+02:00", True),
        ("2024-04-17T00:00:01+00:00", False),
        ("2024-04-01T00:00:00+00:00", True),
    ],
)
def test_a_champion_that_may_have_learned_from_the_test_window_is_not_compared(until, comparable):
    assert learned_before(until, TEST_FROM) is comparable
