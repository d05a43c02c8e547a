"""A shop's database, on a real MariaDB server."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import IngestError
from pipelines.ingest.report import IngestReport
from pipelines.ingest.sources.mysql import DatabaseAddress
from pipelines.ingest.sources.mysql_window import SqlColumn, condition
from pipelines.lake import Lake

TakeIn = Callable[..., IngestReport]

SHOP = (
    "CREATE TABLE users (user_id INT, gender VARCHAR(9), age INT, location VARCHAR(50))",
    "CREATE TABLE items "
    "(item_id INT PRIMARY KEY, category VARCHAR(50), price DECIMAL(10,2), brand VARCHAR(50))",
    "CREATE TABLE user_behavior (user_id INT, item_id INT, "
    "behavior_type ENUM('search','browse','purchase'), timestamp DATETIME(3))",
    "INSERT INTO users VALUES (1, 'F', 33, 'Zürich'), (NULL, 'M', 4, 'Bern')",
    "INSERT INTO items VALUES (1, 'Shoes>Men', 19.90, 'Acme'), (2, 'Hats', -1, 'Acme')",
    "INSERT INTO user_behavior VALUES (1, 1, 'browse', '2024-05-10 10:00:00.250'), "
    "(1, 1, 'purchase', '2024-05-10 11:00:00'), (1, NULL, 'search', '2024-05-10 09:00:00')",
)
NO_TIME = (
    "event_at is no time that can be read (ISO-8601, a number since 1970, or by `day_first` or `date_format` "
    "in a mapping)"
)


def counts(report: IngestReport, table: str = "events") -> tuple[int, int, int, int]:
    of = report.tables[table]
    return of.rows_in, of.accepted, of.duplicates, of.quarantined


def test_a_shop_database_is_taken_in(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP)
    report = take_in(database.address)
    assert counts(report) == (3, 3, 0, 0)
    assert counts(report, "users") == (2, 1, 0, 1)
    assert counts(report, "items") == (2, 1, 0, 1)
    events = sorted(lake.read("events").to_pylist(), key=lambda row: row["event_at"])
    assert [(event["event_type"], event["item_id"]) for event in events] == [
        ("search", None),
        ("view", "1"),
        ("purchase", "1"),
    ]
    assert events[1]["event_at"] == datetime(2024, 5, 10, 10, 0, 0, 250_000, tzinfo=UTC)
    (user,) = lake.read("users").to_pylist()
    assert (user["user_id"], user["age_band"], user["location"]) == ("1", "25-34", "Zürich")
    (item,) = lake.read("items").to_pylist()
    assert (item["category"], item["price"], item["brand"]) == ("Shoes > Men", 19.9, "Acme")


def test_the_second_time_changes_nothing(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP)
    take_in(database.address)
    before = lake.versions()
    again = take_in(database.address)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 5, 2)
    assert lake.versions() == before


def test_only_what_is_new_and_the_look_back_is_read(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP)
    take_in(database.address)
    database.run(
        "INSERT INTO user_behavior VALUES (2, 1, 'browse', '2024-05-11'), "  # new
        "(2, 1, 'purchase', '2024-05-04'), "  # late, and within the look-back of a week
        "(2, 1, 'purchase', '2024-04-01')"  # late beyond it
    )
    assert counts(take_in(database.address)) == (5, 2, 3, 0)
    assert counts(take_in(database.address, full=True)) == (6, 1, 5, 0)
    assert lake.read("events").num_rows == 6


def test_a_time_that_is_missing_or_none_is_set_aside_also_behind_the_watermark(
    take_in: TakeIn, lake: Lake, database: Any
):
    database.run(*SHOP)
    take_in(database.address)
    database.run(
        "INSERT INTO user_behavior VALUES (2, 1, 'browse', NULL), (2, 1, 'browse', '0000-00-00'), "
        "(2, 1, 'browse', '2999-01-01'), (2, 1, '', '2024-05-11')"
    )
    report = take_in(database.address)
    assert counts(report) == (7, 0, 3, 4)
    held = {
        row["reason"]: row["content"]
        for row in lake.read("quarantine").to_pylist()
        if row["table"] == "events"
    }
    assert set(held) == {
        "event_at is missing",
        NO_TIME,
        "event_at lies in the future",
        "event_type is missing",
    }
    assert '"timestamp":"0000-00-00 00:00:00.000"' in held[NO_TIME]


def test_a_past_day_is_read_again_without_moving_the_watermark(take_in: TakeIn, database: Any):
    database.run(*SHOP)
    take_in(database.address)
    database.run(
        "INSERT INTO user_behavior VALUES (2, 1, 'browse', '2024-05-25'), (2, 1, 'browse', '2024-05-12')"
    )
    day = {"since": datetime(2024, 5, 25, tzinfo=UTC), "until": datetime(2024, 5, 26, tzinfo=UTC)}
    assert counts(take_in(database.address, **day)) == (1, 1, 0, 0)
    assert counts(take_in(database.address, **day)) == (1, 0, 1, 0)
    assert counts(take_in(database.address)) == (5, 1, 4, 0)


def test_the_price_of_then_is_kept(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP)
    take_in(database.address)
    database.run("UPDATE items SET price = 25 WHERE item_id = 1")
    now = datetime(2024, 6, 1, 1, tzinfo=UTC)
    assert counts(take_in(database.address, now=now), "items") == (2, 1, 0, 1)
    prices = {row["updated_at"]: row["price"] for row in lake.read("items").to_pylist()}
    assert prices == {datetime(1970, 1, 1, tzinfo=UTC): 19.9, now: 25.0}


def test_a_timestamp_is_an_instant_whatever_the_shop_s_zone(
    take_in: TakeIn, lake: Lake, database: Any, tmp_path: Path
):
    database.run(
        *SHOP[:2],
        "SET time_zone = '+05:00'",
        "CREATE TABLE user_behavior "
        "(user_id INT, item_id INT, behavior_type VARCHAR(9), timestamp TIMESTAMP NULL)",
        "INSERT INTO user_behavior VALUES (1, 1, 'browse', '2024-05-10 10:00:00')",
    )
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("timezone: Asia/Tokyo\n", encoding="utf-8")
    take_in(database.address, mapping=mapping)
    assert lake.read("events")["event_at"].to_pylist() == [datetime(2024, 5, 10, 5, tzinfo=UTC)]


def test_a_mapping_names_tables_and_columns(take_in: TakeIn, lake: Lake, database: Any, tmp_path: Path):
    database.run(
        "CREATE TABLE `the orders` "
        "(id BIGINT, buyer VARCHAR(20), sku VARCHAR(20), paid DECIMAL(10,2), at BIGINT)",
        "INSERT INTO `the orders` VALUES (1, 'anna', 'x1', 5.50, 1714564800)",
        "INSERT INTO `the orders` VALUES (2, 'ben', 'x2', 7, 1714651200)",
    )
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "tables:\n  events:\n    from: the orders\n    constants: {event_type: purchase}\n"
        "    columns: {event_id: id, user_id: buyer, item_id: sku, price: paid, event_at: at}\n",
        encoding="utf-8",
    )
    assert counts(take_in(database.address, mapping=mapping)) == (2, 2, 0, 0)
    database.run(
        "INSERT INTO `the orders` VALUES (3, 'cleo', 'x1', 5.50, 1714737600), (4, 'old', 'x1', 1, 1700000000)"
    )
    assert counts(take_in(database.address, mapping=mapping)) == (3, 1, 2, 0)
    assert sorted(lake.read("events")["user_id"].to_pylist()) == ["anna", "ben", "cleo"]


def test_a_missing_table_names_those_that_are_there(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP, "DROP TABLE items")
    with pytest.raises(IngestError, match=r"missing items; received user_behavior, users.*--mapping"):
        take_in(database.address)
    assert lake.versions() == {}


def test_a_missing_column_is_one_clear_error(take_in: TakeIn, lake: Lake, database: Any):
    database.run(*SHOP, "ALTER TABLE user_behavior DROP COLUMN user_id")
    with pytest.raises(IngestError, match="user_behavior: missing column user_id"):
        take_in(database.address)
    assert lake.versions() == {}


def test_a_database_that_is_not_there_is_named_without_the_password(take_in: TakeIn, database: Any):
    with pytest.raises(IngestError, match="Unknown database") as refused:
        take_in("mysql://root@127.0.0.1:3306/aisle_no_such_shop")
    assert "127.0.0.1:3306/aisle_no_such_shop" in str(refused.value)
    with pytest.raises(IngestError) as refused:
        take_in(database.address.replace("root@", "nobody:s3cret@"))
    assert "s3cret" not in str(refused.value)


def test_a_server_that_is_not_there_is_one_clear_error(take_in: TakeIn):
    with pytest.raises(
        IngestError, match=r"mysql://127\.0\.0\.1:1/shop: expected a MySQL or MariaDB database"
    ):
        take_in("mysql://root@127.0.0.1:1/shop")


def test_an_address_is_taken_apart():
    address = DatabaseAddress.parse("mariadb://an%40na:p%2Fw@db.example/the%20shop?ssl_ca=ca.pem")
    assert (address.user, address.password, address.port) == ("an@na", "p/w", 3306)
    assert (address.database, address.ssl_ca) == ("the shop", "ca.pem")
    assert address.shown == "mysql://db.example:3306/the shop"
    with pytest.raises(IngestError, match="without host or database"):
        DatabaseAddress.parse("mysql://db.example")
    with pytest.raises(IngestError, match="expected a number as port"):
        DatabaseAddress.parse("mysql://db.example:many/shop")


SINCE = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "highest", "first"),
    [
        ("datetime", None, "2024-05-01 02:00:00.000000"),
        ("timestamp", None, "2024-05-01 00:00:00.000000"),
        ("bigint", 1.7e9, 1_714_521_600),
        ("bigint", 1.7e12, 1_714_521_600_000),
        ("bigint", 1.7e15, 1_714_521_600_000_000),
    ],
)
def test_a_watermark_is_written_as_the_column_writes_its_times(
    kind: str, highest: float | None, first: object
):
    where, values = condition(SqlColumn("ti`me", kind), SINCE, None, "Europe/Berlin", lambda: highest)
    assert where == " WHERE `ti``me` >= %s OR `ti``me` IS NULL OR `ti``me` < %s"
    assert values[0] == first


def test_times_written_as_text_are_all_read():
    assert condition(SqlColumn("at", "varchar"), SINCE, None, "UTC", lambda: None) == ("", ())
