"""JSON lines: nested objects, events of several items, and lines that are no objects."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import IngestError
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.report import IngestReport
from pipelines.ingest.sources import json_file
from pipelines.lake import Lake

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]

AT = "1714557600123456"


def lines(*objects: object) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


def test_an_analytics_export_is_read_without_a_mapping(take_in: TakeIn, lake: Lake, write: Write):
    event = {
        "event_date": "20240501",
        "event_timestamp": 1714557600123456,
        "event_name": "view_item",
        "user_id": None,
        "user_pseudo_id": "111.222",
        "items": [{"item_id": "SKU1", "price": 9.9}],
    }
    assert take_in(write("events.jsonl", json.dumps(event))).accepted == 1
    (stored,) = lake.read("events").to_pylist()
    assert (stored["user_id"], stored["item_id"], stored["event_type"]) == ("111.222", "SKU1", "view")
    assert stored["price"] == 9.9
    assert stored["event_at"] == datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)


def test_an_event_of_several_items_is_an_event_for_each(take_in: TakeIn, lake: Lake, write: Write):
    base = {"event_timestamp": AT, "event_name": "purchase", "user_id": 42}
    several = [{"item_id": "a", "quantity": 2}, {"item_id": "b", "price": 1.299}]
    report = take_in(
        write("events.jsonl", lines({**base, "event_id": "e1", "items": several}, {**base, "items": []}))
    )
    assert (report.rows_in, report.accepted, report.quarantined) == (3, 2, 1)
    found = sorted(
        (row["event_id"], row["item_id"], row["quantity"], row["price"])
        for row in lake.read("events").to_pylist()
    )
    assert found == [("e1", "a", 2.0, None), ("e1-2", "b", None, 1.299)]


def test_nested_values_and_lists_are_columns_that_a_mapping_can_name(
    take_in: TakeIn, lake: Lake, write: Write
):
    product = {"id": {"sku/x": 7.0}, "labels": ["red", "big"], "name": {"de": "Tasse"}, "stock": 3}
    told = {
        "columns": {
            "item_id": "id.sku/x",
            "title": "name.de",
            "attributes": "labels",
            "available": "stock",
        }
    }
    mapping = Mapping.model_validate({"tables": {"items": told}})
    take_in(write("items.ndjson.gz", gzip.compress(lines(product).encode())), mapping=mapping)
    (item,) = lake.read("items").to_pylist()
    assert (item["item_id"], item["title"], item["attributes"]) == ("7", "Tasse", ["red", "big"])
    assert item["available"] is True


def test_lines_that_are_no_objects_are_set_aside(take_in: TakeIn, lake: Lake, write: Write):
    report = take_in(write("users.jsonl", '{"user_id": "a"}\n[1]\nnot json\n\n{"user_id": "b"}'))
    assert (report.rows_in, report.accepted, report.quarantined) == (4, 2, 2)
    assert sorted(lake.read("quarantine")["content"].to_pylist()) == ['{"line":"[1]"}', '{"line":"not json"}']


def test_a_line_across_two_blocks_is_one_line(
    take_in: TakeIn, lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(json_file, "BYTES_AT_ONCE", 50)
    names = [f"user-{n}-é" for n in range(40)]
    assert take_in(write("users.jsonl", lines(*({"user_id": name} for name in names)))).accepted == 40
    assert sorted(lake.read("users")["user_id"].to_pylist()) == sorted(names)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b'{"user_id": "\xff"}\n', "wrong encoding, expected UTF-8, received byte 0xff"),
        (json.dumps({f"k{n}": n for n in range(2001)}).encode(), "received 2,001 different ones"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_error(take_in: TakeIn, write: Write, content: bytes, says: str):
    with pytest.raises(IngestError, match=rf"users\.jsonl: .*{says}"):
        take_in(write("users.jsonl", content))
