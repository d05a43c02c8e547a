import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.backtest.judged_search.judgments import fold_of, read_judged
from pipelines.errors import BacktestError


def write(folder, judgments):
    pq.write_table(pa.table({"item_id": ["a", "b"], "title": ["A", "B"]}), folder / "items.parquet")
    pq.write_table(pa.table(judgments), folder / "judgments.parquet")
    return folder


def test_judgments_are_gathered_by_search_query_and_those_of_unknown_items_counted(tmp_path):
    judged = read_judged(
        write(
            tmp_path,
            {
                "search_query": ["tea", "cup", "tea", "tea"],
                "item_id": ["b", "a", "a", "gone"],
                "relevance": [1, 0, 1, 1],
                "fold": [1, 2, 1, 1],
            },
        )
    )
    by_text = {query.text: query for query in judged.queries}
    assert by_text["tea"].items.tolist() == [1, 0]
    assert by_text["tea"].fold == "1"
    assert by_text["cup"].grades.tolist() == [0.0]
    assert judged.judged_elsewhere == 1
    assert judged.relevant_from == 0.5


def test_a_search_query_in_two_folds_is_refused(tmp_path):
    folder = write(
        tmp_path,
        {"search_query": ["tea", "tea"], "item_id": ["a", "b"], "relevance": [1, 1], "fold": [1, 2]},
    )
    with pytest.raises(BacktestError, match="one fold for each search_query, received 2 for 'tea'"):
        read_judged(folder)


def test_judgments_of_another_catalogue_are_refused(tmp_path):
    folder = write(tmp_path, {"search_query": ["tea"], "item_id": ["x"], "relevance": [1]})
    with pytest.raises(BacktestError, match="judgments of items of"):
        read_judged(folder)


def test_search_queries_that_differ_by_blanks_case_or_a_plural_share_a_fold():
    assert fold_of("Smart Watch") == fold_of("smartwatches".replace("es", "")) == fold_of("smart-watchs")
    assert len({fold_of(f"query {number}") for number in range(100)}) == 5
