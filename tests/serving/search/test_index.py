import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from serving.engine.filtering import Filters
from serving.errors import BundleError
from serving.search.bm25f import POSTINGS
from serving.search.index import TextIndex, build
from serving.search.normalization import cleaned
from tests.serving.tiny_bundle import APPLE, BANANA, BREAD, BUTTER, CHEESE, LAMP, PEAR, ROLL, items

ALL = Filters(in_stock_only=False)


def catalogue(**columns: list) -> pa.Table:
    size = len(columns["title"])
    return pa.table(
        {
            "item_id": [f"i{n}" for n in range(size)],
            "description": pa.nulls(size, pa.string()),
            "category": pa.nulls(size, pa.string()),
            "brand": pa.nulls(size, pa.string()),
            "price": pa.nulls(size, pa.float64()),
            "available": [True] * size,
            **columns,
        }
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("text")
    build(made, items())
    return made


@pytest.fixture(scope="module")
def index(directory: Path) -> TextIndex:
    return TextIndex.open(directory)


def found(index: TextIndex, *words: str, filters: Filters = ALL, needed: int | None = None) -> list[int]:
    return index.search([[word] for word in words], filters, 10, needed).items.tolist()


def test_a_word_is_found_in_any_of_its_forms(index: TextIndex):
    assert found(index, "apple") == found(index, "apples") == [APPLE]
    assert index.is_known("breads")
    assert not index.is_known("sofa")


def test_all_words_must_be_met_wherever_they_stand(index: TextIndex):
    assert found(index, "dark", "mill") == [BREAD]
    assert found(index, "dark", "lamp") == []
    assert set(found(index, "dark", "lamp", needed=1)) == {BREAD, LAMP}


def test_a_word_in_the_title_counts_more_than_one_in_the_description(tmp_path: Path):
    build(tmp_path, catalogue(title=["Soap", "Rose", "Tea"], description=["with rose", "plain", "with rose"]))
    hits = TextIndex.open(tmp_path).search([["rose"]], ALL, 10)
    assert hits.items[0] == 1
    assert hits.total == 3
    assert hits.scores[0] > hits.scores[1]


def test_what_an_attribute_says_is_found_below_titles(tmp_path: Path):
    build(
        tmp_path,
        catalogue(
            title=["Coat", "Blue tea", "Cup"],
            attributes=[["colour: dark blue"], [], ["wi fi: yes", "width: 30"]],
        ),
    )
    index = TextIndex.open(tmp_path)
    assert index.search([["blue"]], ALL, 10).items.tolist() == [1, 0]
    assert not index.is_known("yes")


def test_a_release_without_postings_keeps_the_order_of_its_index(tmp_path: Path):
    build(tmp_path, catalogue(title=["Soap", "Rose", "Tea"], description=["with rose", "plain", "with rose"]))
    (tmp_path / POSTINGS).unlink()
    hits = TextIndex.open(tmp_path).search([["rose"]], ALL, 10)
    assert hits.items[0] == 1
    assert hits.scores[0] > 2 * hits.scores[1]


def test_pages_beyond_what_fields_rank_follow_without_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.search.index.RANKED_BY_FIELDS", 2)
    build(tmp_path, catalogue(title=["tea", "tea cup", "tea cup red", "tea", "tea pot"]))
    index = TextIndex.open(tmp_path)
    whole = index.search([["tea"]], ALL, 5)
    assert sorted(whole.items.tolist()) == [0, 1, 2, 3, 4]
    assert index.search([["tea"]], ALL, 2).items.tolist() == whole.items[:2].tolist()
    assert (np.diff(whole.scores) <= 0).all()


def test_no_word_finds_everything_and_the_limit_leaves_the_total(index: TextIndex):
    hits = index.search([], ALL, 3)
    assert (len(hits.items), hits.total) == (3, 8)


def test_filters_hold_inside_the_index(index: TextIndex):
    good = "good"
    assert PEAR not in found(index, good, filters=Filters())
    assert set(found(index, good, filters=Filters(category="GROCERY>fresh>bakery"))) == {BREAD, ROLL}
    assert set(found(index, good, filters=Filters(brands=("mill", "ALPINE")))) == {
        BREAD,
        ROLL,
        BUTTER,
        CHEESE,
    }
    assert set(found(index, good, filters=Filters(min_price=2.5, max_price=4.0))) == {BREAD, BUTTER}
    assert LAMP not in found(index, good, filters=Filters(max_price=1e9))
    left = found(index, good, filters=Filters(exclude_ids=("banana", "bread")))
    assert not {BANANA, BREAD} & set(left)
    assert found(index, good, filters=Filters(min_price=float("nan"))) == []
    assert found(index, good, filters=Filters(min_price=3.0, max_price=1.0)) == []
    assert found(index, good, filters=Filters(category="Garage")) == []


def test_a_filter_does_not_change_the_order_of_what_is_left(index: TextIndex):
    free = index.search([["good"]], ALL, 10)
    held = index.search([["good"]], Filters(in_stock_only=True, min_price=0.0, category="Grocery"), 10)
    scores = dict(zip(free.items.tolist(), free.scores.tolist(), strict=True))
    for item, score in zip(held.items.tolist(), held.scores.tolist(), strict=True):
        assert score == pytest.approx(scores[item], rel=1e-5)


def test_facets_count_all_matches(index: TextIndex):
    counted = index.facets([["good"]], Filters(), [2.0, 4.0])
    assert counted["category"] == [{"value": "Grocery", "count": 6}, {"value": "Home", "count": 1}]
    assert counted["brand"] == [
        {"value": "Alpine", "count": 2},
        {"value": "Mill", "count": 2},
        {"value": "Sunny", "count": 2},
    ]
    # Banana 1, roll 1.5 | apple 2, butter 2.5 | bread 4, cheese 5; the lamp has no price.
    assert counted["price"] == [
        {"from": None, "to": 2.0, "count": 2},
        {"from": 2.0, "to": 4.0, "count": 2},
        {"from": 4.0, "to": None, "count": 2},
    ]


def test_facets_of_a_category_are_its_next_level(index: TextIndex):
    counted = index.facets([], Filters(category="grocery"), [])
    assert counted["category"] == [
        {"value": "Grocery > Fresh", "count": 4},
        {"value": "Grocery > Chilled", "count": 2},
    ]
    assert index.facets([], Filters(category="Home > Light"), [])["category"] == []


def test_beginnings_and_near_words_are_found(index: TextIndex):
    assert index.completions("gr") == ["grocery", "green"]
    assert PEAR in index.near_words("gren").tolist()
    assert index.near_words("xyzxyz").tolist() == []


def test_accents_case_and_east_asian_characters(tmp_path: Path):
    build(tmp_path, catalogue(title=["Crème BRÛLÉE", "新鲜牛奶", "牛肉"]))
    index = TextIndex.open(tmp_path)
    assert index.words("CREME") == index.words("crème") == ["creme"]
    assert found(index, "creme") == [0]
    assert found(index, *index.words("牛奶")) == [1]
    assert set(found(index, *index.words("牛"))) == {1, 2}


def test_what_is_typed_becomes_words_and_nothing_else(index: TextIndex):
    assert index.words('title:apple AND (-bread OR "x"~2)*') == [
        "title",
        "apple",
        "and",
        "bread",
        "or",
        "x",
        "2",
    ]
    assert index.words("\x00\ud800\u202e") == []
    assert len(index.words(" ".join(f"w{n}" for n in range(50)))) == 12
    assert index.words("apple apple APPLE") == ["apple"]


def test_text_is_cleaned_to_a_bounded_length():
    assert cleaned("a\x00b\n\tc \ud800") == "a b c"
    assert len(cleaned("x" * 10_000)) == 200
    assert cleaned("ﬁne") == "fine"


def test_the_same_catalogue_gives_the_same_order(tmp_path: Path, index: TextIndex):
    build(tmp_path, items())
    again = TextIndex.open(tmp_path).search([["good"]], ALL, 8)
    assert again.items.tolist() == index.search([["good"]], ALL, 8).items.tolist()


def test_building_again_replaces_the_index(tmp_path: Path):
    build(tmp_path, items())
    build(tmp_path, catalogue(title=["Only Tea"]))
    assert TextIndex.open(tmp_path).search([], ALL, 10).total == 1


def test_opening_leaves_the_release_as_it_was_and_needs_no_right_to_write(directory: Path, tmp_path: Path):
    copy = Path(shutil.copytree(directory, tmp_path / "bundle"))
    before = {path.name: path.read_bytes() for path in (copy / "text_index").iterdir()}
    assert not [name for name in before if name.endswith(".lock")]
    index = TextIndex.open(copy)
    assert found(index, "apple") == [APPLE]
    assert {path.name: path.read_bytes() for path in (copy / "text_index").iterdir()} == before
    shutil.rmtree(copy)
    assert found(index, "bread") == [BREAD], "an opened index lives on"


@pytest.mark.parametrize("spoil", ["missing", "empty", "garbage", "truncated"])
def test_a_directory_that_is_no_index_is_refused(directory: Path, tmp_path: Path, spoil: str):
    copy = Path(shutil.copytree(directory, tmp_path / "bundle")) / "text_index"
    if spoil == "missing":
        shutil.rmtree(copy)
    elif spoil == "empty":
        for path in copy.iterdir():
            path.unlink()
    elif spoil == "garbage":
        (copy / "meta.json").write_text("{}")
    else:
        for path in copy.glob("*.idx"):
            path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(BundleError, match="text_index"):
        TextIndex.open(copy.parent)


def test_an_index_can_be_read_by_two_processes_at_once(directory: Path, index: TextIndex):
    program = (
        "import sys; from pathlib import Path; from serving.search.index import TextIndex;"
        "from serving.engine.filtering import Filters;"
        f"print(TextIndex.open(Path({str(directory)!r})).search([['apple']], Filters(), 5).items.tolist())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"[{APPLE}]"
    assert found(index, "apple") == [APPLE]


def test_a_catalogue_without_optional_texts_is_searchable(tmp_path: Path):
    build(tmp_path, catalogue(title=["Tea", "Coffee"]))
    index = TextIndex.open(tmp_path)
    assert found(index, "tea") == [0]
    assert index.facets([], ALL, [1.0]) == {"category": [], "brand": [], "price": []}
    assert np.isfinite(index.search([["tea"]], ALL, 5).scores).all()


def test_an_id_or_part_number_is_found_with_any_punctuation(tmp_path: Path):
    items = catalogue(
        title=["Headphones WH-1000XM4", "Cable", "Headphones"],
        attributes=[None, ["sku:AB-12/3", "colour:red"], None],
    )
    build(tmp_path, items)
    index = TextIndex.open(tmp_path)

    def bearing(code: str) -> list[int]:
        return index.with_code(code, ALL, 10).items.tolist()

    assert bearing("wh1000xm4") == [0]
    assert bearing("ab123") == [1]
    assert bearing("i2") == [2]
    assert bearing("red") == bearing("headphones") == bearing("") == []
    assert index.with_code("i2", Filters(max_price=1.0), 10).total == 0


def test_titles_are_brought_to_the_form_of_queries(tmp_path: Path):
    build(
        tmp_path,
        catalogue(title=["Cafe\u0301 cre\u0300me", "Zero\u200bSugar Cola", "<i>\uff2dilk</i> &amp; Honey"]),
    )
    index = TextIndex.open(tmp_path)
    assert found(index, *index.words("CAFÉ CRÈME")) == [0]
    assert found(index, *index.words("zerosugar")) == [1]
    assert found(index, *index.words("milk honey")) == [2]
    assert found(index, "i") == found(index, "amp") == []


def test_a_quantity_is_one_word_in_catalogue_and_query(tmp_path: Path):
    build(tmp_path, catalogue(title=["HDMI cable 5m", "HDMI cable 15 m", "Cola 12 oz", "Cola 0,5 l"]))
    index = TextIndex.open(tmp_path)
    assert found(index, *index.words("cable 5 m")) == found(index, *index.words("5M cable")) == [0]
    assert found(index, *index.words("12oz")) == [2]
    assert found(index, *index.words("500 ml")) == [3]
