"""Files of shops: what is read, what is set aside, and what is refused without touching the lake."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import IngestError
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.report import IngestReport
from pipelines.lake import Lake

HEADER = "event_id,event_at,user_id,event_type,item_id,price\n"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]


def test_the_tiny_shop_is_taken_in(take_in: TakeIn, lake: Lake, tiny_shop: Path):
    report = take_in(tiny_shop)
    events = pq.read_table(tiny_shop / "events.parquet")
    assert report.tables["events"].accepted == events.num_rows
    assert report.tables["items"].accepted == 80
    assert report.tables["users"].accepted == 60
    assert report.quarantined == 0
    last = max(events["event_at"].to_pylist())
    assert report.as_of == last.replace(microsecond=0, second=last.second + 1)
    assert sorted(lake.read("events")["event_id"].to_pylist()) == sorted(events["event_id"].to_pylist())


def test_a_byte_order_mark_is_no_part_of_a_name(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("events.csv", b"\xef\xbb\xbf" + f"{HEADER}e1,2024-05-01T12:00:00Z,u,view,i,\n".encode()))
    assert lake.read("events", ["event_id", "event_at"]).to_pylist() == [{"event_id": "e1", "event_at": NOON}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_separator_is_found_in_the_header(
    take_in: TakeIn, lake: Lake, write: Write, separator: str, line_end: str
):
    lines = ["item_id,title,price", '1,"Apples, red",2', "2,Pears,3"]
    if separator != ",":
        lines = ["item_id,title,price", "1,Apples,2", "2,Pears,3"]
    text = line_end.join(line.replace(",", separator) if separator != "," else line for line in lines)
    take_in(write("items.csv", text))
    rows = sorted(lake.read("items", ["item_id", "price"]).to_pylist(), key=lambda row: row["item_id"])
    assert rows == [{"item_id": "1", "price": 2.0}, {"item_id": "2", "price": 3.0}]


def test_a_file_with_semicolons_has_decimal_commas(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", "item_id;price\n1;1.234,50\n2;0,5\n"))
    assert sorted(lake.read("items")["price"].to_pylist()) == [0.5, 1234.5]


def test_a_value_may_hold_separators_quotes_and_line_ends(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", 'item_id,title\n1,"a, ""b""\nc"\n'))
    assert lake.read("items")["title"].to_pylist() == ['a, "b"\nc']


def test_lines_that_do_not_fit_the_header_are_set_aside(take_in: TakeIn, lake: Lake, write: Write):
    report = take_in(write("users.csv", "user_id,age,location\n1,20,north\n2,30\n3,40,south,extra\n"))
    assert report.tables["users"].model_dump() == {
        "rows_in": 3,
        "accepted": 1,
        "duplicates": 0,
        "quarantined": 2,
    }
    held = sorted(lake.read("quarantine")["content"].to_pylist())
    assert held == ['{"line":"2,30"}', '{"line":"3,40,south,extra"}']


def test_every_bad_value_is_set_aside_and_every_good_row_kept(take_in: TakeIn, lake: Lake, write: Write):
    report = take_in(
        write(
            "events.csv",
            f"{HEADER}good,2024-05-01T14:00:00+02:00,1,view,9,1\n"
            "negative,2024-05-01 10:00:00,2,view,9,-1\n"
            "future,2999-01-01,3,view,9,\n"
            "no time,soon,4,view,9,\n"
            "no user,2024-05-01,,view,9,\n"
            "unknown,2024-05-01,6,dance,9,\n"
            "no item,2024-05-01,7,view,,\n"
            "zero,0,8,view,9,\n"
            "a search,2024-05-01,8,search,,\n"
            "good,2024-05-01T12:00:00Z,1,view,9,1\n",
        )
    )
    assert report.rows_in == 10
    assert (report.accepted, report.duplicates, report.quarantined) == (2, 1, 7)
    assert sorted(lake.read("events")["event_id"].to_pylist()) == ["a search", "good"]
    assert lake.read("quarantine").num_rows == 7
    assert report.reasons["price is negative"] == 1


def test_a_shop_without_event_ids_gets_the_same_ones_each_time(take_in: TakeIn, lake: Lake, write: Write):
    file = write("events.csv", "timestamp,user_id,behavior_type,item_id\n2024-05-01,1,browse,9\n")
    assert take_in(file).accepted == 1
    first = lake.read("events").to_pylist()
    assert first[0]["event_type"] == "view"
    assert take_in(file).duplicates == 1
    assert lake.read("events").to_pylist() == first


def test_missing_columns_of_a_shop_get_defaults(take_in: TakeIn, lake: Lake, write: Write):
    take_in(
        write("items.csv", "item_id,category,brand\n1,Shoes > Men,Acme\n2,,\n"),
        write("users.csv", "user_id\n7\n"),
    )
    first, second = sorted(lake.read("items").to_pylist(), key=lambda row: row["item_id"])
    assert first == {
        "item_id": "1",
        "title": "Acme Men",
        "description": "",
        "category": "Shoes > Men",
        "brand": "Acme",
        "price": None,
        "attributes": [],
        "image_url": None,
        "available": True,
        "updated_at": datetime(1970, 1, 1, tzinfo=UTC),
    }
    assert second["title"] == "2"
    assert lake.read("users")["consent"].to_pylist() == [True]


def test_silence_is_no_consent_where_a_shop_asks_for_it(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("users.csv", "user_id,consent\n1,yes\n2,\n3,no\n"))
    consents = {row["user_id"]: row["consent"] for row in lake.read("users").to_pylist()}
    assert consents == {"1": True, "2": False, "3": False}


def test_columns_without_a_place_are_named(take_in: TakeIn, write: Write):
    file = write("users.csv", "user_id,email\n1,a@b.example\n")
    assert take_in(file).ignored_columns == {str(file): ("email",)}


def test_a_header_alone_is_an_empty_table(take_in: TakeIn, write: Write):
    for text in (HEADER, HEADER.strip()):
        assert take_in(write("events.csv", text)).rows_in == 0


def test_a_compressed_file_is_read(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("users.csv.gz", gzip.compress(b"user_id\n1\n")))
    assert lake.read("users")["user_id"].to_pylist() == ["1"]


def test_parquet_with_types_of_every_sort_is_read(take_in: TakeIn, lake: Lake, tmp_path: Path):
    table = pa.table(
        {
            "user_id": pa.array([1.0, None]),
            "item_id": pa.array(["a", "b"]).dictionary_encode(),
            "event_type": pa.array(["view", "view"], pa.large_string()),
            "event_at": pa.array([1_714_564_800_123_456_789] * 2, pa.timestamp("ns")),
            "price": pa.array([Decimal(1), Decimal(2)], pa.decimal128(12, 2)),
            "bytes": pa.array([b"\xff", None]),
            "clock": pa.array([time(1), None]),
            "nested": pa.array([{"a": [1]}, None]),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, tmp_path / "events.parquet")
    report = take_in(tmp_path / "events.parquet")
    assert (report.accepted, report.quarantined) == (1, 1)
    (event,) = lake.read("events", ["user_id", "item_id", "event_at", "price"]).to_pylist()
    assert event == {
        "user_id": "1",
        "item_id": "a",
        "event_at": datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC),
        "price": 1.0,
    }
    assert report.cleaning["events.event_at: nanoseconds cut to microseconds"] == 2


def parquet(path: Path, **columns: pa.Array) -> Path:
    """Two views of noon, with the given columns in the place of theirs."""
    rows = {
        "event_id": pa.array(["a", "b"]),
        "event_at": pa.array([NOON, NOON], pa.timestamp("us", "UTC")),
        "user_id": pa.array(["u", "u"]),
        "event_type": pa.array(["view", "view"]),
        "item_id": pa.array(["i", "i"]),
    }
    pq.write_table(pa.table(rows | columns), path / "events.parquet")
    return path / "events.parquet"


def test_text_that_is_not_utf_8_is_a_wrong_encoding_in_parquet_too(
    take_in: TakeIn, lake: Lake, tmp_path: Path
):
    offsets, text = pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])), pa.py_buffer(b"\xffa")
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, text])
    with pytest.raises(IngestError, match=r"events\.parquet: wrong encoding, expected text in UTF-8"):
        take_in(parquet(tmp_path, user_id=broken))
    assert lake.versions() == {}


@pytest.mark.parametrize(
    ("unit", "number"), [("ms", 2**62), ("us", -(2**63) + 1), ("us", 2**63 - 1), ("ms", -(2**62))]
)
def test_a_timestamp_beyond_all_years_is_set_aside(
    take_in: TakeIn, lake: Lake, tmp_path: Path, unit: str, number: int
):
    noon = int(NOON.timestamp()) * {"ms": 1_000, "us": 1_000_000}[unit]
    report = take_in(parquet(tmp_path, event_at=pa.array([noon, number], pa.timestamp(unit))))
    assert (report.accepted, report.quarantined) == (1, 1)
    assert lake.read("events")["event_at"].to_pylist() == [NOON]
    assert f'"event_at":"{number} {unit} since 1970"' in lake.read("quarantine")["content"][0].as_py()


@pytest.mark.parametrize("zone", ["+02:00", "Europe/Berlin", "Mars/Olympus"])
def test_an_instant_stays_what_it_is_in_whatever_zone_it_is_shown(
    take_in: TakeIn, lake: Lake, tmp_path: Path, zone: str
):
    take_in(parquet(tmp_path, event_at=pa.array([NOON, NOON], pa.timestamp("us", zone))))
    assert lake.read("events")["event_at"].to_pylist() == [NOON, NOON]


def test_the_quarantine_has_words_for_values_that_json_has_not(take_in: TakeIn, lake: Lake, tmp_path: Path):
    take_in(
        parquet(
            tmp_path,
            user_id=pa.array([None, "u"]),
            price=pa.array([float("-inf"), 1.0]),
            paid=pa.array([Decimal("1.50"), None]),
            seen=pa.array([1_714_564_800_123_456_789, None], pa.timestamp("ns")),
            took=pa.array([timedelta(days=1), None]),
            raw=pa.array([b"\xff", None]),
            tags=pa.array([["x"], None]),
            deep=pa.array([{"at": [NOON]}, None]),
        )
    )
    held = json.loads(lake.read("quarantine")["content"][0].as_py())
    assert held["user_id"] is None
    assert (held["price"], held["paid"], held["raw"], held["tags"]) == ("-inf", "1.50", "ff", ["x"])
    assert held["seen"] == "2024-05-01 12:00:00.123456789"
    assert held["took"] == "1 day, 0:00:00"
    assert "datetime" in held["deep"]


def test_parquet_without_rows_is_an_empty_table(take_in: TakeIn, tmp_path: Path):
    pl.DataFrame(schema={"user_id": pl.Int64}).write_parquet(tmp_path / "users.parquet")
    assert take_in(tmp_path / "users.parquet").rows_in == 0


def test_a_folder_may_hold_files_of_both_kinds_and_others_beside(take_in: TakeIn, lake: Lake, write: Write):
    folder = write("users.csv", "user_id\n1\n").parent
    write("events/day-1.csv", f"{HEADER}e1,2024-05-01,1,view,9,\n")
    write("events/day-2.csv", f"{HEADER}e2,2024-05-02,1,view,9,\n")
    pl.DataFrame({"item_id": [9]}).write_parquet(folder / "Items_2024-05.PARQUET")
    write("README.md", "read me")
    write(".hidden.csv", "nothing")
    write("_SUCCESS", "")
    report = take_in(folder)
    assert {table: each.accepted for table, each in report.tables.items()} == {
        "users": 1,
        "items": 1,
        "events": 2,
    }
    assert report.skipped == (str(folder / "README.md"),)
    assert report.cleaning["events.event_at: times without a zone taken as UTC"] == 2
    assert lake.read("events").num_rows == 2


def test_columns_that_only_a_path_holds_are_read(take_in: TakeIn, lake: Lake, tmp_path: Path):
    folder = tmp_path / "events" / "event_type=purchase" / "day=2024-05-01"
    folder.mkdir(parents=True)
    pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [date(2024, 5, 1)]}).write_parquet(
        folder / "part.parquet"
    )
    take_in(tmp_path / "events")
    assert lake.read("events")["event_type"].to_pylist() == ["purchase"]


def test_a_file_is_known_by_its_columns_where_its_name_says_nothing(take_in: TakeIn, write: Write):
    report = take_in(
        write("a.csv", f"{HEADER}e1,2024-05-01,1,view,9,\n"),
        write("b.csv", "item_id,title\n9,x\n"),
        write("c.csv", "user_id,age\n1,30\n"),
    )
    assert {table: each.accepted for table, each in report.tables.items()} == {
        "events": 1,
        "items": 1,
        "users": 1,
    }


GARBAGE = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("events.csv", b"", "the file is empty"),
        ("events.csv", b"\n\n", "the file is empty"),
        ("events.csv", b"event_at,event_type,item_id\n", "missing column user_id"),
        ("events.csv", b"user_id,event_at,item_id\n", "missing column event_type"),
        ("events.csv", b"<html><body>Not found</body></html>", "missing column event_at, user_id"),
        (
            "items.csv",
            "item_id,title\n1,Café\n".encode("latin-1"),
            "wrong encoding, expected UTF-8.*0xe9 in line 2",
        ),
        ("items.csv", "item_id\n1\n".encode("utf-16"), "wrong encoding, expected UTF-8, received UTF-16"),
        ("items.csv", "item_id,title\n1,Caf\u00e9".encode()[:-1], "wrong encoding.*cut off at the end"),
        ("items.csv", b"item_id,title\n1,a\x00b\n", "received zero bytes"),
        ("items.csv", b"PAR1....", "received a Parquet file"),
        ("items.csv", b"PK\x03\x04....", "received a zip or Excel file"),
        ("items.csv", GARBAGE, "wrong encoding"),
        ("items.csv.gz", b"\x1f\x8b no gzip", "cannot be read as one"),
        ("items.csv", b"item_id,item_id\n1,2\n", "expected each column once, received item_id"),
        ("items.csv", b"item_id,Item_ID\n1,2\n", "expected each column once, received both"),
        ("items.csv", b'item_id,title\n1,"open\n2,b\n3,c\n', "quotation mark to be closed"),
        ("items.parquet", b"", "expected a Parquet file"),
        ("items.parquet", b"item_id\n1\n", "expected a Parquet file"),
        ("items.parquet", b"PAR1" + GARBAGE, "expected a Parquet file"),
        ("items.txt", b"item_id\n1\n", "expected a Parquet, CSV or JSON lines file, received another ending"),
        ("data.csv", b"a,b\n1,2\n", "received the columns a, b, which do not tell"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_error_and_the_lake_is_untouched(
    take_in: TakeIn, lake: Lake, write: Write, name: str, content: bytes, says: str
):
    good = write("good/users.csv", "user_id\n1\n")
    with pytest.raises(IngestError, match=says) as refused:
        take_in(good, write(name, content))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert lake.versions() == {}


def test_a_damaged_column_is_found_before_anything_is_written(take_in: TakeIn, lake: Lake, tmp_path: Path):
    file = tmp_path / "users.parquet"
    pl.DataFrame({"user_id": [f"user-{n}" for n in range(5000)]}).write_parquet(file, compression="zstd")
    content = bytearray(file.read_bytes())
    content[200:400] = bytes(200)
    file.write_bytes(content)
    with pytest.raises(IngestError, match=r"users\.parquet: expected a Parquet file"):
        take_in(file)
    assert lake.versions() == {}


def test_a_path_where_nothing_is_says_what_else_there_could_be(take_in: TakeIn, tmp_path: Path):
    with pytest.raises(IngestError, match=r"nowhere: expected a file or a folder.*complete-journey"):
        take_in(tmp_path / "nowhere")


def test_a_folder_without_tables_names_what_it_holds(take_in: TakeIn, write: Write):
    with pytest.raises(IngestError, match=r"received a folder with none \(skipped: .*\)"):
        take_in(write("notes.md", "x").parent)


def test_the_folder_of_a_delta_table_is_refused(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("users.csv", "user_id\n1\n"))
    with pytest.raises(IngestError, match="received a Delta table"):
        take_in(Path(lake.root) / "users")
    with pytest.raises(IngestError, match=r"users: expected .* received a Delta table"):
        take_in(lake.root)


RATINGS = {"header": ["user_id", "item_id", "rating", "event_at"], "constants": {"event_type": "rating"}}


def ratings(lake: Lake) -> list[tuple[object, ...]]:
    columns = ["user_id", "item_id", "rating", "event_at"]
    return sorted(tuple(row.values()) for row in lake.read("events", columns).to_pylist())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n"),
        ("u.data", "1\t1193\t5\t978300760\n1\t661\t3\t978302109\n"),
        ("events.csv", "1,1193,5,978300760\r\n1,661,3,978302109"),
    ],
)
def test_a_file_without_a_header_is_read_by_the_names_of_the_mapping(
    take_in: TakeIn, lake: Lake, write: Write, name: str, text: str
):
    mapping = Mapping.model_validate({"tables": {"events": {"from": name, **RATINGS}}})
    report = take_in(write(name, text).parent, mapping=mapping)
    assert (report.accepted, report.quarantined) == (2, 0)
    assert ratings(lake) == [
        ("1", "1193", 5.0, datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)),
        ("1", "661", 3.0, datetime(2000, 12, 31, 22, 35, 9, tzinfo=UTC)),
    ]


def test_columns_without_names_are_called_by_their_numbers(take_in: TakeIn, lake: Lake, write: Write):
    columns = {"user_id": 1, "item_id": 2, "rating": 3, "event_at": 4}
    told = {"header": False, "columns": columns, "constants": {"event_type": "rating"}}
    take_in(
        write("events.csv", "7,8,5,978300760\n"), mapping=Mapping.model_validate({"tables": {"events": told}})
    )
    assert ratings(lake) == [("7", "8", 5.0, datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC))]


@pytest.mark.parametrize(
    "text", ["196,242,3,881250949\n", "1,1,5,978300760\n1,661,3,978302109\n", "1::2::3::4\n"]
)
def test_a_first_line_that_reads_like_a_row_is_an_error_that_says_how_to_name_its_columns(
    take_in: TakeIn, lake: Lake, write: Write, text: str
):
    with pytest.raises(IngestError, match=r"events\.csv: .*reads like a row.*header: \[user_id"):
        take_in(write("events.csv", text))
    assert lake.versions() == {}


def test_a_long_separator_is_found_wherever_the_blocks_of_the_file_end(
    take_in: TakeIn, lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
):
    from pipelines.ingest.sources import csv_file

    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 64)
    rows = "".join(f'i{n}::Title {n}: the "{n}"::{n}.5\n' for n in range(200))
    take_in(write("items.dat", f"item_id::title::price\n{rows}"))
    found = {row["item_id"]: (row["title"], row["price"]) for row in lake.read("items").to_pylist()}
    assert found == {f"i{n}": (f'Title {n}: the "{n}"', n + 0.5) for n in range(200)}


def test_a_first_line_can_say_the_separator(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", b"\xef\xbb\xbfsep=;\r\nitem_id;title;price\r\n1;Cup, blue;1,50\r\n"))
    (item,) = lake.read("items").to_pylist()
    assert (item["title"], item["price"]) == ("Cup, blue", 1.5)


@pytest.mark.parametrize(
    "text",
    [
        "item_id;title;price\nh1;Cup;1,50;\nh2;Jar;2,50;\n",
        "item_id;title;price\nh1;Cup;1,50\nh2;Jar;2,50;\n",
        "item_id;title;price;\nh1;Cup;1,50\nh2;Jar;2,50;\n",
        "item_id;title;price;;\nh1;Cup;1,50;;\nh2;Jar;2,50;\n",
    ],
)
def test_separators_at_the_ends_of_lines_cost_nothing(take_in: TakeIn, lake: Lake, write: Write, text: str):
    report = take_in(write("items.csv", text))
    assert (report.accepted, report.quarantined, report.ignored_columns) == (2, 0, {})
    assert sorted((row["item_id"], row["price"]) for row in lake.read("items").to_pylist()) == [
        ("h1", 1.5),
        ("h2", 2.5),
    ]


def test_a_value_behind_the_last_column_is_set_aside(take_in: TakeIn, write: Write):
    report = take_in(write("items.csv", "item_id;title\nh1;Cup;\nh2;Jar;x\n"))
    assert (report.accepted, report.quarantined) == (1, 1)


def test_headers_with_blanks_and_other_signs_are_recognised(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("catalog.csv", "Product ID,Product-Name,In Stock,Price\n00101,Cup,no,$1.50\n"))
    (item,) = lake.read("items").to_pylist()
    assert (item["item_id"], item["title"], item["available"], item["price"]) == ("00101", "Cup", False, 1.5)


def test_a_visitor_stands_in_for_a_user_who_has_not_logged_in(take_in: TakeIn, lake: Lake, write: Write):
    header = "event_timestamp,event_name,user_id,user_pseudo_id,item_id\n"
    rows = "1714557600123456,view_item,,11.2,a\n1714557600123456,add_to_cart,42,11.2,a\n"
    report = take_in(write("events.csv", header + rows))
    found = sorted((row["user_id"], row["event_type"]) for row in lake.read("events").to_pylist())
    assert found == [("11.2", "view"), ("42", "cart")]
    assert report.cleaning["events: user_id taken from user_pseudo_id where user_id has no value"] == 1


def test_the_decimal_mark_of_a_file_holds_in_all_of_its_pieces(
    take_in: TakeIn, lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
):
    from pipelines.ingest.sources import csv_file

    monkeypatch.setattr(csv_file, "AT_ONCE", 1)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 40)
    take_in(write("items.csv", "item_id\tprice\n1\t12,50\n" + "2\t1.299\n" * 20))
    assert {row["item_id"]: row["price"] for row in lake.read("items").to_pylist()} == {
        "1": 12.5,
        "2": 1299.0,
    }
