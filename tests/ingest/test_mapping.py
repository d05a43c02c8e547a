"""A shop's own names, zone, units and encoding, told in a small YAML file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import IngestError
from pipelines.ingest.mapping import load_mapping
from pipelines.ingest.report import IngestReport
from pipelines.lake import Lake

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]

MAPPING = """
timezone: Europe/Berlin
event_types: {gemerkt: wishlist}
tables:
  events:
    from: bestell*.csv
    columns: {event_at: zeit, user_id: kunde, item_id: artikel, price: cent}
    constants: {event_type: Gemerkt, surface: shop}
    scale: {price: 0.01}
  items:
    from: artikel.csv
    columns: {item_id: nr}
    attributes: [farbe, leer]
"""


def test_a_shop_is_read_under_its_own_names(take_in: TakeIn, lake: Lake, write: Write):
    mapping = write("../mapping.yaml", MAPPING)
    write("bestellungen-2024.csv", "zeit,kunde,artikel,cent\n2024-05-01 12:00:00,7,9,1999\n")
    folder = write("artikel.csv", "nr,farbe,leer\n9,rot,\n").parent
    write("other.csv", "a\n1\n")
    report = take_in(folder, mapping=mapping)
    (event,) = lake.read("events").to_pylist()
    assert event["event_at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (event["event_type"], event["surface"], event["price"]) == ("wishlist", "shop", 19.99)
    assert lake.read("items")["attributes"].to_pylist() == [["farbe:rot"]]
    assert report.cleaning["events.price: units changed, times 0.01"] == 1
    assert report.skipped == (str(folder / "other.csv"),)


def test_a_file_in_a_named_encoding_is_read(take_in: TakeIn, lake: Lake, write: Write):
    mapping = write("../mapping.yaml", "encoding: windows-1252\n")
    take_in(write("items.csv", "item_id,title\n1,Café €\n".encode("windows-1252")), mapping=mapping)
    assert lake.read("items")["title"].to_pylist() == ["Café €"]


def test_utf_16_is_read_where_it_is_named(take_in: TakeIn, lake: Lake, write: Write):
    mapping = write("../mapping.yaml", "encoding: utf-16\n")
    take_in(write("items.csv", "item_id,title\n1,Café\n2,b\n".encode("utf-16")), mapping=mapping)
    assert sorted(lake.read("items")["title"].to_pylist()) == ["Café", "b"]


def test_a_column_that_the_mapping_names_must_be_there(take_in: TakeIn, lake: Lake, write: Write):
    mapping = write("../mapping.yaml", "tables: {items: {columns: {item_id: sku}}}\n")
    with pytest.raises(
        IngestError, match=r"items\.csv: expected column sku for items\.item_id.*received id, title"
    ):
        take_in(write("items.csv", "id,title\n1,x\n"), mapping=mapping)
    assert lake.versions() == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tables: {orders: {}}", "expected one of events"),
        ("timezone: Mars/Olympus", "expected a zone such as Europe/Berlin, received Mars/Olympus"),
        ("encoding: klingon", "expected an encoding such as windows-1252, received klingon"),
        ("look_back_days: -1", "look_back_days"),
        ("zeitzone: UTC", "unknown key zeitzone; known are decimal"),
        ("tables: {items: {form: x}}", "unknown key tables.items.form; known are .*from"),
        ("tables: {items: {columns: {sku: x}}}", "tables.items.columns: unknown column sku; items has"),
        ("tables: {users: {full: true}}", "full: expected only for items"),
        ("decimal: ';'", "decimal"),
        ("date_format: '%H:%M'", "expected day, month and year in the signs of strptime"),
        ("date_format: '%d.%m.%Y %H'", "expected a format in the signs of strptime"),
        ("- a list", "expected a mapping"),
        ("{", "expected YAML"),
    ],
)
def test_a_mapping_that_cannot_be_right_says_where(write: Write, text: str, says: str):
    with pytest.raises(IngestError, match=says):
        load_mapping(write("mapping.yaml", text))


def test_what_is_said_for_a_table_counts_before_what_is_said_for_the_shop(write: Write):
    text = "decimal: ','\nday_first: true\ntables: {events: {decimal: '.'}, items: {category_separator: /}}"
    mapping = load_mapping(write("mapping.yaml", text))
    assert (mapping.notation("events").decimal, mapping.notation("items").decimal) == (".", ",")
    assert mapping.notation("events").day_first is True
    assert mapping.notation("items").category_separator == ("/",)


def test_the_first_column_that_has_a_value_counts(take_in: TakeIn, lake: Lake, write: Write):
    mapping = write("../mapping.yaml", "tables: {events: {columns: {user_id: [login, cookie, 3]}}}")
    header = "login,cookie,3,event_type,event_at,item_id\n"
    rows = "a,b,c,view,2024-05-01,i\nNULL,b,c,view,2024-05-01,i\n,,c,view,2024-05-01,i\n"
    take_in(write("events.csv", header + rows), mapping=mapping)
    assert sorted(lake.read("events")["user_id"].to_pylist()) == ["a", "b", "c"]
