import math

import numpy as np
import pytest

from serving.errors import BundleError
from serving.search.bm25f import BM25F, POSTINGS

FIELDS = {"title": [["red", "tea"], ["tea"], ["cup"]], "category": [["tea"], [], ["tea", "tea", "cup"]]}


def test_a_word_scores_what_the_formula_gives_by_hand():
    index = BM25F.of_texts(FIELDS, {"title": 2.0, "category": 1.0}, saturation=0.5, length_normalisation=0.75)
    # Title lengths 2, 1, 1 (mean 4/3); category lengths 1, 0, 3 (mean of those that have one 2).
    rarity = math.log1p((3 - 3 + 0.5) / (3 + 0.5))
    first = 2 / (0.25 + 0.75 * 2 / (4 / 3)) + 1 / (0.25 + 0.75 * 1 / 2)
    second = 2 / (0.25 + 0.75 * 1 / (4 / 3))
    third = 2 * 1 / (0.25 + 0.75 * 3 / 2)
    expected = [rarity * tf * 1.5 / (tf + 0.5) for tf in (first, second, third)]
    assert index.scores([["tea"]], coordination=0.0) == pytest.approx(expected, rel=1e-5)


def test_words_of_a_group_stand_for_each_other_and_the_best_counts():
    index = BM25F.of_texts(FIELDS, {"title": 1.0})
    red, tea = index.scores([["red"]]), index.scores([["tea"]])
    assert index.scores([["red", "tea"]]) == pytest.approx(np.maximum(red, tea))


def test_an_item_with_every_word_gains_the_share_of_coordination():
    index = BM25F.of_texts(FIELDS, {"title": 1.0})
    plain = index.scores([["red"], ["tea"]], coordination=0.0)
    assert index.scores([["red"], ["tea"]], coordination=1.0) == pytest.approx(plain * [2.0, 1.5, 1.0])


def test_unknown_words_and_no_words_score_nothing():
    index = BM25F.of_texts(FIELDS, {"title": 1.0})
    assert not index.scores([["spaceship"]]).any()
    assert not index.scores([]).any()
    assert BM25F.of_texts({"title": []}, {"title": 1.0}).scores([["tea"]]).shape == (0,)
    assert not BM25F.of_texts({"title": [[], []]}, {"title": 1.0}).scores([["tea"]]).any()


def test_postings_are_the_same_once_written_and_read(tmp_path):
    index = BM25F.of_texts(FIELDS, {"title": 2.0, "category": 1.0})
    index.write(tmp_path)
    read = BM25F.read(tmp_path)
    for groups in ([["tea"]], [["red"], ["cup"]]):
        assert read.scores(groups).tolist() == index.scores(groups).tolist()


def test_a_release_without_postings_has_none_and_broken_ones_are_refused(tmp_path):
    assert BM25F.read(tmp_path) is None
    (tmp_path / POSTINGS).write_bytes(b"no parquet")
    with pytest.raises(BundleError, match="expected the postings"):
        BM25F.read(tmp_path)
