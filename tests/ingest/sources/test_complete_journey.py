"""The Complete Journey under the names of the contracts."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning.clean import clean
from pipelines.ingest.contracts import contract
from pipelines.ingest.enrich import complete
from pipelines.ingest.quarantine import screen
from pipelines.ingest.sources.complete_journey import CompleteJourney
from pipelines.ingest.sources.complete_journey_names import readable

LATEST = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return CompleteJourney()


@pytest.fixture(scope="module")
def tables(journey: CompleteJourney) -> dict[str, pl.DataFrame]:
    """Every table as it would enter the lake; of the purchases the first piece."""
    tables: dict[str, pl.DataFrame] = {}
    for batch in journey.read():
        good, bad, _ = screen(batch, clean(batch).rows, contract(batch.table, LATEST))
        assert bad is None
        tables[batch.table], _ = complete(batch.table, good, batch.source)
        if batch.table == "events":
            break
    return tables


def test_the_package_holds_what_the_demo_promises(journey: CompleteJourney, tables: dict[str, pl.DataFrame]):
    rows = pq.ParquetFile(journey._folder / "transactions.parquet").metadata.num_rows
    assert rows == 1_469_307
    assert tables["items"].height == 92_331
    assert tables["users"].height == 2_469
    assert tables["campaigns"].height == 27


def test_a_purchase_is_written_out(tables: dict[str, pl.DataFrame]):
    events = tables["events"]
    first = events.row(by_predicate=pl.col("event_id") == "cj-31198570047-900-9878513", named=True)
    assert first["user_id"] == "900"
    assert first["session_id"] == "31198570047"
    assert first["event_at"] == datetime(2017, 1, 1, 12, 10, 28, tzinfo=UTC)
    assert (first["quantity"], first["price"], first["discount"]) == (1.0, 0.99, 0.1)
    assert events["event_id"].n_unique() == events.height


def test_a_coupon_that_was_no_piece_has_no_price(tables: dict[str, pl.DataFrame]):
    none = tables["events"].filter(pl.col("quantity") == 0)
    assert none.height > 0
    assert none["price"].null_count() == none.height


def test_fuel_is_counted_in_gallons(tables: dict[str, pl.DataFrame]):
    fuel = tables["items"].filter(pl.col("category").str.contains("Gasoline"))["item_id"].implode()
    gallons = tables["events"].filter(pl.col("item_id").is_in(fuel) & (pl.col("quantity") > 0))
    assert 1 < gallons["quantity"].median() < 30
    assert 1 < gallons["price"].median() < 5


def test_every_product_has_a_title_of_its_own_and_a_category(tables: dict[str, pl.DataFrame]):
    items = tables["items"]
    assert items["title"].n_unique() == items.height
    assert items.filter(pl.col("category") == "").is_empty()
    ice = items.row(by_predicate=pl.col("item_id") == "25671", named=True)
    assert ice["title"].startswith("Ice - Crushed/Cubed, 22 lb")
    assert ice["category"] == "Grocery > Frozen Ice > Ice - Crushed/Cubed"
    assert ice["attributes"] == ["manufacturer:2", "size:22 lb"]


def test_varieties_are_not_numbered_in_the_order_of_their_ids(tables: dict[str, pl.DataFrame]):
    alike = tables["items"].filter(pl.col("title").str.contains(r"^Yogurt Multi-Packs, 16 oz \(variety"))
    numbers = alike.select(
        item=pl.col("item_id").cast(pl.Int64),
        variety=pl.col("title").str.extract(r"variety (\d+)").cast(pl.Int64),
    )
    assert numbers.height > 10
    correlation = numbers.select(pl.corr("item", "variety", method="spearman")).item()
    assert abs(correlation) < 0.5


def test_a_described_household_keeps_its_description(tables: dict[str, pl.DataFrame]):
    users = tables["users"]
    described = users.row(by_predicate=pl.col("user_id") == "1", named=True)
    assert described["age_band"] == "65+"
    assert "income:35-49K" in described["attributes"]
    assert "household_comp:2 Adults No Kids" in described["attributes"]
    assert users.filter(pl.col("attributes").list.len() == 0).height == 2_469 - 801


def test_everything_is_known_before_the_first_purchase(tables: dict[str, pl.DataFrame]):
    first = tables["events"]["event_at"].min()
    assert tables["items"]["updated_at"].max() < first
    assert tables["users"]["updated_at"].max() < first


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("FRZN ICE", "Frozen Ice"),
        ("DRUG GM", "Drugstore and General"),
        ("PWDR/CRYSTL DRNK MX", "Powder/Crystal Drink Mix"),
        ("APPLE JUICE & CIDER (50% AND U", "Apple Juice & Cider"),
        ("FISH OF THE DAY", "Fish of the Day"),
        ("WOMEN S SHOES", "Women's Shoes"),
        (None, None),
    ],
)
def test_names_are_written_out(written: str | None, name: str | None):
    assert readable(pl.Series([written], dtype=pl.String)).to_list() == [name]


def test_a_package_without_its_tables_says_what_to_do(tmp_path: Path, take_in: Callable[..., object]):
    with pytest.raises(IngestError, match=r"products\.parquet: expected a Parquet file.*extra `demo`"):
        list(CompleteJourney(tmp_path).read())


def test_the_package_says_what_it_leaves_out(journey: CompleteJourney):
    assert any("promotions" in name for name in journey.skipped())
    assert journey.positions(None) == []


def test_pieces_carry_their_rows_as_they_were(journey: CompleteJourney):
    batch = next(iter(journey.read()))
    assert isinstance(batch, Batch)
    assert batch.original.columns[0] == "product_id"
