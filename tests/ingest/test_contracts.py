"""Each contract lets good rows through and says of each bad one what is wrong with it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.batch import Batch
from pipelines.ingest.cleaning import Notation
from pipelines.ingest.cleaning.clean import clean
from pipelines.ingest.columns import TABLES
from pipelines.ingest.contracts import CAMPAIGN_CONTRACTS, PROBLEM, ROW, contract, reason
from pipelines.ingest.quarantine import screen
from pipelines.lake import SCHEMAS

LATEST = datetime(2024, 6, 1, tzinfo=UTC)
GOOD_EVENT = {"event_at": "2024-05-01", "user_id": "u", "event_type": "view", "item_id": "i"}
GOOD_ITEM = {"item_id": "i"}
GOOD_USER = {"user_id": "u"}


def reasons(table: str, row: dict[str, Any]) -> list[str]:
    frame = pl.DataFrame([row], infer_schema_length=None)
    batch = Batch(table, "test", frame, frame)
    _, bad, _ = screen(batch, clean(batch).rows, contract(table, LATEST))
    return [] if bad is None else bad["reason"].to_list()


@pytest.mark.parametrize(
    ("table", "row"), [("events", GOOD_EVENT), ("items", GOOD_ITEM), ("users", GOOD_USER)]
)
def test_a_good_row_passes(table: str, row: dict[str, Any]):
    assert reasons(table, row) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"event_at": None}, "event_at is missing"),
        ({"event_at": "1970-01-01"}, "event_at lies before 1990"),
        ({"event_at": "2024-06-02"}, "event_at lies in the future"),
        (
            {"event_at": "soon"},
            "event_at is no time that can be read (ISO-8601, a number since 1970, or by `day_first` or "
            "`date_format` in a mapping)",
        ),
        ({"price": 2e9}, "price is above 1,000,000,000"),
        ({"price": float("inf")}, "price is above 1,000,000,000; price is no finite number"),
        ({"user_id": "4.00638E+12"}, "user_id was rounded by a spreadsheet, export it as text"),
        ({"user_id": "é" * 257}, "user_id is not 1 to 256 characters without control characters"),
        (
            {"price": "1.299"},
            "price is ambiguous: its mark may group thousands; say in a mapping which one it is "
            '(`decimal: ","`)',
        ),
        ({"event_type": "rating", "rating": "many"}, "rating is no number"),
        ({"user_id": ""}, "user_id is missing"),
        ({"user_id": "a\tb"}, "user_id is not 1 to 256 characters without control characters"),
        ({"user_id": "x" * 257}, "user_id is not 1 to 256 characters without control characters"),
        ({"item_id": None}, "item_id is missing in an event that is no search"),
        ({"event_type": None}, "event_type is missing"),
        ({"event_type": "dance"}, "event_type is not known to the contract"),
        ({"price": -0.01}, "price is negative"),
        ({"quantity": -1}, "quantity is negative"),
        ({"rating": 101}, "rating is above 100"),
        ({"user_id": None, "price": -1}, "user_id is missing; price is negative"),
    ],
)
def test_a_bad_event_is_set_aside_with_its_reason(change: dict[str, Any], why: str):
    assert reasons("events", GOOD_EVENT | change) == [why]


def test_a_search_needs_no_item():
    assert reasons("events", GOOD_EVENT | {"event_type": "search", "item_id": None}) == []


@pytest.mark.parametrize(
    ("table", "row", "why"),
    [
        ("items", {"item_id": None, "title": "x"}, "item_id is missing"),
        ("items", GOOD_ITEM | {"price": -1}, "price is negative"),
        ("items", GOOD_ITEM | {"updated_at": "2024-07-01"}, "updated_at lies in the future"),
        ("users", {"user_id": None, "gender": "F"}, "user_id is missing"),
        (
            "campaigns",
            {"campaign_id": 1, "starts_on": "2024-02-01", "ends_on": "2024-01-01"},
            "ends_on lies before starts_on",
        ),
    ],
)
def test_a_bad_row_of_another_table_is_set_aside_with_its_reason(table: str, row: dict[str, Any], why: str):
    assert reasons(table, row) == [why]


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("events", GOOD_EVENT | {"price": "a lot"}, "price"),
        ("events", GOOD_EVENT | {"quantity": "some"}, "quantity"),
        ("events", GOOD_EVENT | {"position": 1.5}, "position"),
        ("events", GOOD_EVENT | {"rating": "many"}, "rating"),
        ("events", GOOD_EVENT | {"session_id": "a\tb"}, "session_id"),
        ("events", GOOD_EVENT | {"event_id": "4.00638E+12"}, "event_id"),
        ("items", GOOD_ITEM | {"price": "a lot"}, "price"),
        ("items", GOOD_ITEM | {"updated_at": "soon"}, "updated_at"),
        ("items", GOOD_ITEM | {"available": "perhaps"}, "available"),
        ("users", GOOD_USER | {"age_band": 200}, "age_band"),
        ("users", GOOD_USER | {"signup_at": "2025-01-01"}, "signup_at"),
    ],
)
def test_an_optional_value_that_cannot_be_used_is_missing_and_its_row_is_kept(
    table: str, row: dict[str, Any], column: str
):
    frame = pl.DataFrame([{**row, "_row": 1}, {**row, column: None, "_row": 2}], strict=False)
    batch = Batch(table, "test", frame, frame)
    cleaned = clean(batch)
    good, bad, lost = screen(batch, cleaned.rows, contract(table, LATEST))
    assert bad is None
    assert good[column].to_list() == [None, None]
    assert good["user_id" if table == "users" else "item_id"].null_count() == 0
    assert cleaned.unreadable + lost == {f"{table}.{column}": 1}
    assert cleaned.present[f"{table}.{column}"] == 1


def test_a_consent_that_cannot_be_read_is_none_was_given():
    frame = pl.DataFrame([{"user_id": 1, "consent": "perhaps"}])
    assert clean(Batch("users", "test", frame, frame)).rows["consent"].to_list() == [False]


def test_events_of_a_type_that_the_mapping_leaves_out_are_counted_and_gone():
    frame = pl.DataFrame(
        [GOOD_EVENT | {"event_type": kind} for kind in ("Page_View", "view_item", "page_view")]
    )
    notation = Notation(event_types={"page_view": None})
    cleaned = clean(Batch("events", "test", frame, frame, notation=notation))
    assert cleaned.rows["event_type"].to_list() == ["view"]
    assert cleaned.left_out == {"page_view": 2}


def test_the_quarantine_shows_the_row_as_it_was_received():
    row = GOOD_EVENT | {"price": "-1.50", "nobody asked": "for this"}
    frame = pl.DataFrame([row])
    batch = Batch("events", "shop.csv", frame.drop("nobody asked"), frame)
    _, bad, _ = screen(batch, clean(batch).rows, contract("events", LATEST))
    assert bad is not None
    assert bad["source"].to_list() == ["shop.csv"]
    assert bad["content"].to_list() == [
        '{"event_at":"2024-05-01","user_id":"u","event_type":"view","item_id":"i","price":"-1.50",'
        '"nobody asked":"for this"}'
    ]


def test_a_shop_can_have_an_event_type_of_its_own():
    frame = pl.DataFrame([GOOD_EVENT | {"event_type": "Wish"}])
    batch = Batch("events", "test", frame, frame, notation=Notation(event_types={"wish": "wishlist"}))
    rows = clean(batch).rows
    good, _, _ = screen(batch, rows, contract("events", LATEST, ["view", "wishlist"]))
    assert good["event_type"].to_list() == ["wishlist"]


@pytest.mark.parametrize("table", TABLES)
def test_a_contract_covers_every_column_that_is_looked_for(table: str):
    columns = set(contract(table, LATEST).column_names()) - {ROW, PROBLEM}
    assert columns == {column.name for column in TABLES[table]}
    assert columns | {"event_on"} >= set(SCHEMAS[table].names)


@pytest.mark.parametrize("table", ["events", "items", "users", *CAMPAIGN_CONTRACTS])
def test_every_rule_has_a_sentence(table: str):
    frame = pl.DataFrame([{column.name: None for column in TABLES[table]}])
    rows = clean(Batch(table, "test", frame, frame)).rows
    failure = contract(table, LATEST).filter(rows)[1]
    rules = [name for name in failure.details().columns if name not in rows.columns]
    assert rules
    assert not [rule for rule in rules if "breaks the rule" in reason(rule) and rule != f"{PROBLEM}|check"]


def test_cleaning_counts_what_it_changes():
    frame = pl.DataFrame(
        [
            {"item_id": 1, "category": " Shoes >Men> ", "title": " Sandal ", "price": "1,50"},
            {"item_id": 2, "category": "Shoes > Men", "title": "Boot", "price": "2"},
        ]
    )
    cleaned = clean(Batch("items", "test", frame, frame, Counter({"given": 2})))
    assert cleaned.rows["category"].to_list() == ["Shoes > Men", "Shoes > Men"]
    assert cleaned.rows["title"].to_list() == ["Sandal", "Boot"]
    assert cleaned.steps == {
        "items: given": 2,
        "items.category: texts trimmed": 1,
        "items.category: category paths trimmed": 1,
        "items.title: texts trimmed": 1,
        "items.price: numbers with separators read": 1,
    }


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under 18"),
        (17, "under 18"),
        (18, "18-24"),
        ("24", "18-24"),
        (25, "25-34"),
        (64, "55-64"),
        (65, "65+"),
    ],
)
def test_ages_become_bands(age: object, band: str):
    frame = pl.DataFrame([{"user_id": 1, "age_band": age}])
    assert clean(Batch("users", "test", frame, frame)).rows["age_band"].to_list() == [band]


def test_a_band_of_the_shop_stays_as_it_is():
    frame = pl.DataFrame([{"user_id": 1, "age_band": "45-54"}])
    assert clean(Batch("users", "test", frame, frame)).rows["age_band"].to_list() == ["45-54"]
