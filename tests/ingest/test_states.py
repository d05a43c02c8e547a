"""A catalogue is a state: the last row counts, a date alone is no news, and what is gone is not offered."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import IngestError
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.report import IngestReport
from pipelines.lake import Lake

TakeIn = Callable[..., IngestReport]
Write = Callable[[str, str | bytes], Path]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FULL = Mapping.model_validate({"tables": {"items": {"full": True}}})
HEADER = "item_id,title,price,updated_at\n"


def day(number: int) -> datetime:
    return datetime(2024, 6, number, tzinfo=UTC)


def states(lake: Lake, item: str = "1") -> list[tuple[datetime, float, bool]]:
    rows = [row for row in lake.read("items").to_pylist() if row["item_id"] == item]
    return sorted((row["updated_at"], row["price"], row["available"]) for row in rows)


def offered(lake: Lake) -> set[str]:
    rows = sorted(lake.read("items").to_pylist(), key=lambda row: row["updated_at"])
    return {
        item
        for item, is_on_offer in {row["item_id"]: row["available"] for row in rows}.items()
        if is_on_offer
    }


def test_of_two_rows_of_an_item_the_last_one_counts_and_the_report_says_so(
    take_in: TakeIn, lake: Lake, write: Write
):
    file = write("items.csv", "item_id,title,price\n1,Old,10\n2,Other,5\n1,New,12\n")
    report = take_in(file)
    assert (report.rows_in, report.accepted, report.duplicates) == (3, 2, 1)
    assert report.cleaning["items: rows left out, a later one of the same item_id counts"] == 1
    assert states(lake) == [(EPOCH, 12.0, True)]
    again = take_in(file, now=day(2))
    assert (again.accepted, again.duplicates) == (0, 3)
    assert states(lake) == [(EPOCH, 12.0, True)]


def test_a_state_of_which_the_date_alone_changed_is_a_duplicate(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", f"{HEADER}1,Cup,5,2024-01-01\n"))
    report = take_in(
        write("items.csv", f"{HEADER}1,Cup,5,2024-02-01\n1,Cup,5,2024-03-01\n1,Cup,6,2024-04-01\n")
    )
    assert (report.accepted, report.duplicates) == (1, 2)
    assert [(at.month, price) for at, price, _ in states(lake)] == [(1, 5.0), (4, 6.0)]
    back = take_in(write("items.csv", f"{HEADER}1,Cup,5,2024-05-01\n"))
    assert back.accepted == 1


def test_a_change_without_a_new_date_holds_from_now_on(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", f"{HEADER}1,Cup,5,2024-01-01\n"))
    assert take_in(write("items.csv", f"{HEADER}1,Cup,7,2024-01-01\n"), now=day(2)).accepted == 1
    assert states(lake) == [(datetime(2024, 1, 1, tzinfo=UTC), 5.0, True), (day(2), 7.0, True)]
    assert take_in(write("items.csv", f"{HEADER}1,Cup,7,2024-01-01\n"), now=day(3)).accepted == 0


def test_what_a_full_catalogue_no_longer_has_is_not_offered_until_it_is_back(
    take_in: TakeIn, lake: Lake, write: Write
):
    rows = [f"{n},Cup {n},5,2024-01-01\n" for n in range(1, 5)]
    take_in(write("items.csv", HEADER + "".join(rows)), mapping=FULL, now=day(1))
    report = take_in(write("items.csv", HEADER + "".join(rows[1:])), mapping=FULL, now=day(2))
    assert (report.gone, report.accepted, report.duplicates) == (1, 0, 3)
    assert offered(lake) == {"2", "3", "4"}
    assert take_in(write("items.csv", HEADER + "".join(rows[1:])), mapping=FULL, now=day(3)).gone == 0
    back = take_in(write("items.csv", HEADER + "".join(rows)), mapping=FULL, now=day(4))
    assert (back.gone, back.accepted) == (0, 1)
    assert offered(lake) == {"1", "2", "3", "4"}
    assert states(lake)[1:] == [(day(2), 5.0, False), (day(4), 5.0, True)]


def test_a_feed_of_changes_leaves_other_items_on_offer(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", f"{HEADER}1,A,5,\n2,B,5,\n"))
    take_in(write("items.csv", f"{HEADER}1,A,6,\n"), now=day(2))
    assert offered(lake) == {"1", "2"}


def test_an_item_whose_row_is_quarantined_is_not_gone(take_in: TakeIn, lake: Lake, write: Write):
    take_in(write("items.csv", f"{HEADER}1,A,5,\n2,B,5,\n"), mapping=FULL)
    report = take_in(write("items.csv", f"{HEADER}1,A,-5,\n2,B,5,\n"), mapping=FULL, now=day(2))
    assert (report.quarantined, report.gone) == (1, 0)
    assert offered(lake) == {"1", "2"}


@pytest.mark.parametrize("feed", [HEADER, f"{HEADER}1,A,5,\n9,New,1,\n"])
def test_a_full_catalogue_from_which_most_vanished_is_refused_and_nothing_taken_in(
    take_in: TakeIn, lake: Lake, write: Write, feed: str
):
    take_in(write("items.csv", HEADER + "".join(f"{n},A,5,\n" for n in range(1, 5))), mapping=FULL)
    before = lake.versions()
    with pytest.raises(IngestError, match=r"lacks [34] of 4 items on offer, expected at most 50% to be gone"):
        take_in(write("items.csv", feed), mapping=FULL, now=day(2))
    assert lake.versions() == before
    allowed = Mapping.model_validate({"tables": {"items": {"full": True, "most_gone": 1}}})
    assert take_in(write("items.csv", feed), mapping=allowed, now=day(2)).gone >= 3


def test_a_run_without_a_catalogue_takes_nothing_off_the_shelves(take_in: TakeIn, lake: Lake, write: Write):
    mapping = Mapping.model_validate({"tables": {"items": {"full": True}, "users": {}}})
    take_in(write("items.csv", f"{HEADER}1,A,5,\n"), mapping=mapping)
    assert take_in(write("users.csv", "user_id\n7\n"), mapping=mapping, now=day(2)).gone == 0
    assert offered(lake) == {"1"}
