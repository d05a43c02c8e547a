from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.judged_search.rankings import RANKINGS
from pipelines.backtest.run import run_backtest
from pipelines.errors import WrongUsageError
from pipelines.runtime import Console

ITEMS = {
    "item_id": ["case", "laptop", "mouse", "tea"],
    "title": ["Laptop case, black", "Laptop 15 inch", "Mouse", "Green tea"],
    "description": ["For a laptop", None, "Works with every laptop", "500 ml"],
    "attributes": [["colour: black"], ["battery: yes"], [], None],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "home"))
    pq.write_table(pa.table(ITEMS), tmp_path / "items.parquet")
    judgments = {
        "search_query": ["laptop case", "laptop case", "mouse", "spaceship"],
        "item_id": ["case", "laptop", "mouse", "tea"],
        "relevance": [3, 1, 3, 0],
    }
    pq.write_table(pa.table(judgments), tmp_path / "judgments.parquet")
    return tmp_path


@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_a_ranking_puts_the_item_with_both_words_in_its_title_first(name):
    scores = RANKINGS[name](pa.table(ITEMS))("laptop CASES")
    assert scores.argmax() == 0
    assert scores[3] == 0


def test_bm25_on_the_title_knows_the_title_alone():
    scores = RANKINGS["bm25_title"](pa.table(ITEMS))("500ml works black")
    assert (scores > 0).tolist() == [True, False, False, False]
    assert (RANKINGS["aisle"](pa.table(ITEMS))("500ml works black") > 0).tolist() == [True, False, True, True]


def test_the_document_holds_what_was_worked_out_by_hand(folder):
    config = BacktestConfig(protocol="search", models=tuple(RANKINGS))
    document = run_backtest(folder, config, console=Console(quiet=True))
    assert document["dataset"] == {"items": 4, "queries": 3, "judgments": 4}
    assert document["model"]["ndcg@10"] == 1.0
    # The mouse's title has one word: on the title alone it is found as well.
    assert document["baselines"]["bm25_title"]["recall@100"] == 1.0
    assert document["differences"]["bm25_all_fields"]["mrr"] == {"mean": 0.0, "ci95": [0.0, 0.0]}
    assert document["counts"]["queries_without_a_relevant_item"] == 1
    assert document["counts"]["queries_without_results"]["aisle"] == 1
    assert "3 judged search queries over 4 items" in Path(document["report"]).read_text("utf-8")


def test_there_is_no_cutoff_to_probe(folder):
    config = BacktestConfig(protocol="search", models=("aisle",))
    with pytest.raises(WrongUsageError, match="--probe-leaks is of protocols with a cutoff"):
        run_backtest(folder, config, console=Console(quiet=True), probing=True)
