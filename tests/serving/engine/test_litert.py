import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.bundle import Bundle, write_spec
from serving.engine.candidates.retrieve import Candidates, retrieve
from serving.engine.ranking import Encoder, Ranker, as_candidates, encoder_inputs, ranker_inputs
from serving.engine.user_batch import empty_user, user_batch
from serving.errors import BundleError
from tests.serving.tiny_bundle import BANANA, BREAD, BUTTER, CHEESE, LAMP, NOW, PEAR, SPEC, history

ROWS = [history(("banana", "purchase", 1), ("bread", "purchase", 2)), history(("butter", "view", 1)), {}]


@pytest.fixture
def users(graph_bundle: Bundle):
    return user_batch(graph_bundle, ROWS, [NOW] * 3)


@pytest.fixture
def directory(graph_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graph_directory, tmp_path / "bundle"))


def candidates_of(*rows: list[int]) -> Candidates:
    items = np.array(rows, np.int32)
    dots = np.where(items >= 0, 0.5, 0).astype(np.float32)
    sources = np.zeros((*items.shape, 4), np.float32)
    sources[:, 0, 1] = 1.0
    return Candidates(items, dots, sources, sources / 2)


def test_the_query_is_the_direction_of_the_history(graph_bundle: Bundle, users):
    queries = Encoder(graph_bundle).encode(users)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(queries, [[half, half, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], atol=1e-6)


def test_the_graphs_see_each_user_at_the_lengths_of_the_spec(graph_bundle: Bundle, users):
    short, long = (
        encoder_inputs(graph_bundle, users),
        ranker_inputs(graph_bundle, users, candidates_of([BREAD, -1])),
    )
    assert short["history_vectors"].shape == (3, 4, 4)
    assert short["history_types"].tolist() == [[3, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    # Banana and bread are the purest of their shelves; behind them, and of nobody, nothing is known.
    assert short["history_vectors"][0].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0] * 4, [0] * 4]
    assert (short["history_vectors"][2] == 0).all()
    assert long["history_codes"].shape == (3, 6, 4)
    assert long["history_codes"][0, :3].tolist() == [[1, 1, 1, 1], [4, 4, 1, 3], [0, 0, 0, 0]]
    assert long["source_scores"].tolist() == [[[0, 1, 0, 0], [0, 0, 0, 0]]]
    assert long["source_strengths"].tolist() == [[[0, 0.5, 0, 0], [0, 0, 0, 0]]]
    assert long["candidate_codes"].tolist() == [[[4, 4, 1, 3], [0, 0, 0, 0]]]
    np.testing.assert_array_equal(long["candidate_features"], [[[4, np.nan], [np.nan, np.nan]]])


def test_events_on_items_outside_the_release_leave_no_hole(graph_bundle: Bundle):
    known = [("banana", "purchase", 1), ("bread", "view", 3), ("butter", "cart", 4), ("roll", "view", 5)]
    others = [
        ("gone", "purchase", 0.5),
        known[0],
        ("gone", "view", 2),
        *known[1:3],
        ("gone", "view", 4),
        known[3],
    ]
    pure, mixed = (
        encoder_inputs(graph_bundle, user_batch(graph_bundle, [history(*events)], [NOW]))
        for events in (known, others)
    )
    # Six events are kept of the seven: the roll, the oldest, falls out of the user's history.
    assert pure["history_types"].tolist() == [[3, 1, 2, 1]]
    assert mixed["history_types"].tolist() == [[3, 1, 2, 0]]
    for name in ("history_vectors", "history_ages_s"):
        np.testing.assert_array_equal(mixed[name][:, :3], pure[name][:, :3])
        assert (mixed[name][:, 3] == 0).all()


def test_scores_are_those_of_the_graph_and_padding_is_last(graph_bundle: Bundle, users):
    # score = .5 + 2 * personal + .1 * price level; the lamp's price level is unknown and counts 0.
    found = Ranker(graph_bundle).rank(users.rows(slice(0, 1)), candidates_of([BREAD, LAMP, BUTTER, -1]))
    np.testing.assert_allclose(found.scores, [[0.5 + 2 + 0.4, 0.5, 0.5 + 0.25, -np.inf]], rtol=1e-6)
    np.testing.assert_allclose(found.outputs["purchase"][0, 1], 1 / (1 + np.exp(-0.5)), rtol=1e-5)
    assert found.outputs["purchase"].shape == (1, 4)


def test_fewer_or_more_items_than_the_graph_is_wide_score_the_same(graph_bundle: Bundle, users):
    ranker, user = Ranker(graph_bundle), users.rows(slice(0, 1))
    many = list(range(8)) * 3
    wide = ranker.rank(user, candidates_of(many)).scores
    assert wide.shape == (1, 24)
    narrow = ranker.rank(user, candidates_of(many[:8])).scores
    np.testing.assert_allclose(wide[0, 1:8], narrow[0, 1:8], rtol=1e-6)
    np.testing.assert_allclose(wide[0, 8:], np.tile([0.6, 0.7, 0.8, 0.9, 0.65, 0.75, 1.0, 0.5], 2), rtol=1e-5)


def test_users_together_score_as_each_alone(graph_bundle: Bundle, users):
    ranker, encoder = Ranker(graph_bundle), Encoder(graph_bundle)
    found = retrieve(graph_bundle, users, encoder.encode(users))
    together = ranker.rank(users, found).scores
    for row in range(3):
        one = np.array([row])
        alone = ranker.rank(users.rows(one), found.rows(one)).scores
        np.testing.assert_array_equal(alone[0], together[row])


def test_foreign_items_are_ranked_with_the_scores_that_they_have_among_the_offered(
    graph_bundle: Bundle, users
):
    queries = Encoder(graph_bundle).encode(users)
    offered = retrieve(graph_bundle, users, queries, limit=3)
    assert PEAR not in offered.items[1]
    placed = as_candidates(graph_bundle, np.array([[PEAR, BUTTER, -1]] * 3, np.int32), queries, offered)
    at = offered.items[1].tolist().index(BUTTER)
    np.testing.assert_array_equal(placed.source_scores[1, 1], offered.source_scores[1, at])
    np.testing.assert_array_equal(placed.source_strengths[1, 1], offered.source_strengths[1, at])
    assert placed.source_strengths[1, 1].tolist() == pytest.approx([1, 1, 0, 0.75])
    assert (placed.source_scores[1, [0, 2]] == 0).all()
    assert (placed.source_strengths[1, [0, 2]] == 0).all()
    np.testing.assert_allclose(placed.retrieval_scores[1], [0, 1, 0], atol=1e-6)


def test_threads_share_a_ranker_and_get_their_own_scores(graph_bundle: Bundle, users):
    ranker = Ranker(graph_bundle)
    lists = [candidates_of([item, BANANA]) for item in range(8)]
    expected = [ranker.rank(users.rows(slice(0, 1)), offered).scores.tolist() for offered in lists]
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(50):
            item = (number + turn) % 8
            if ranker.rank(users.rows(slice(0, 1)), lists[item]).scores.tolist() != expected[item]:
                wrong.append(item)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_a_missing_graph_is_named(tiny_bundle: Bundle):
    with pytest.raises(BundleError, match=r"query_encoder\.tflite"):
        Encoder(tiny_bundle)
    with pytest.raises(BundleError, match=r"ranker\.tflite"):
        Ranker(tiny_bundle)


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x1c\x00\x00\x00TFL3" + bytes(200)])
def test_a_file_that_is_no_graph_is_refused_by_name(directory: Path, content: bytes):
    (directory / "ranker.tflite").write_bytes(content)
    with pytest.raises(BundleError, match=r"ranker\.tflite"):
        Ranker(Bundle.open(directory))


def test_a_graph_of_other_shapes_is_refused_with_what_was_expected(directory: Path):
    write_spec(directory, replace(SPEC, history_length=5, candidates=9))
    bundle = Bundle.open(directory)
    with pytest.raises(BundleError, match=r"ranker\.tflite.*candidate_codes int32\[1, 9, 4\]"):
        Ranker(bundle)
    Encoder(bundle)


def test_a_graph_with_other_outputs_is_refused(directory: Path):
    write_spec(directory, replace(SPEC, ranker_outputs=("purchase", "view")))
    with pytest.raises(BundleError, match=r"ranker\.tflite.*view"):
        Ranker(Bundle.open(directory))


def test_a_graph_in_the_place_of_another_is_refused(directory: Path):
    shutil.copy(directory / "ranker.tflite", directory / "query_encoder.tflite")
    with pytest.raises(BundleError, match=r"query_encoder\.tflite"):
        Encoder(Bundle.open(directory))


def test_a_score_that_is_no_number_is_never_first(graph_bundle: Bundle):
    offered = candidates_of([CHEESE, BREAD])
    offered.retrieval_scores[0, 0] = np.nan
    scores = Ranker(graph_bundle).rank(empty_user(graph_bundle), offered).scores
    assert scores[0, 1] > scores[0, 0] > -np.inf
