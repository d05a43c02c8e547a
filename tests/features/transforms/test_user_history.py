"""User history: what is in it, in which order, and since when it was known."""

from pathlib import Path

from pipelines.features.transforms.config import FeatureConfig
from tests.features.small_shop import at, event, table_of, write_shop

DAYS = [
    event("anna", "2024-01-01T10:00:00", "view", "tea"),
    event("anna", "2024-01-01T10:05:00", "purchase", "tea"),
    event("anna", "2024-01-01T11:00:00", "search", search_query="jam"),
    event("anna", "2024-01-02T09:00:00", "impression", "ham"),
    event("anna", "2024-01-03T09:00:00", "cart", "jam"),
    event("anna", "2024-01-03T09:00:00", "purchase", "jam"),
]


def test_each_day_with_events_has_the_state_at_its_end_newest_first(tmp_path: Path):
    found = table_of(write_shop(tmp_path, DAYS), "user_history", at("2024-01-05"))
    assert [row["known_at"] for row in found] == [at("2024-01-02"), at("2024-01-04")]
    assert found[0]["item_ids"] == ["tea", "tea"]
    assert found[0]["event_types"] == ["purchase", "view"]
    assert found[0]["event_times"] == [
        at("2024-01-01T10:05:00").timestamp(),
        at("2024-01-01T10:00:00").timestamp(),
    ]
    # Events of one instant: the one whose id comes last is first.
    assert found[1]["item_ids"] == ["jam", "jam", "tea", "tea"]
    assert found[1]["event_types"] == ["purchase", "cart", "purchase", "view"]


def test_searches_and_impressions_are_left_out(tmp_path: Path):
    newest = table_of(write_shop(tmp_path, DAYS), "user_history", at("2024-01-05"))[-1]
    assert set(newest["event_types"]) == {"purchase", "cart", "view"}
    assert "ham" not in newest["item_ids"]


def test_the_running_day_is_known_at_as_of(tmp_path: Path):
    found = table_of(write_shop(tmp_path, DAYS), "user_history", at("2024-01-03T09:00:00.000001"))
    assert found[-1]["known_at"] == at("2024-01-03T09:00:00.000001")
    assert len(found[-1]["item_ids"]) == 4


def test_an_event_at_as_of_is_not_yet_known(tmp_path: Path):
    found = table_of(write_shop(tmp_path, DAYS), "user_history", at("2024-01-03T09:00:00"))
    assert [len(row["item_ids"]) for row in found] == [2]


def test_only_the_newest_events_are_kept(tmp_path: Path):
    found = table_of(
        write_shop(tmp_path, DAYS), "user_history", at("2024-01-05"), FeatureConfig(history_length=3)
    )
    assert [row["event_types"] for row in found] == [["purchase", "view"], ["purchase", "cart", "purchase"]]


def test_a_history_of_exactly_the_greatest_length_is_whole(tmp_path: Path):
    found = table_of(
        write_shop(tmp_path, DAYS), "user_history", at("2024-01-05"), FeatureConfig(history_length=4)
    )
    assert len(found[-1]["item_ids"]) == 4


def test_before_the_span_only_the_state_at_its_start_is_kept(tmp_path: Path):
    events = [event("anna", f"2024-01-{day:02}T10:00:00", "view", f"i{day}") for day in (1, 5, 9, 12)]
    # Ten days before 15 January: what was known on the 5th is the state of the 1st, for the 5th is not over.
    found = table_of(
        write_shop(tmp_path, events), "user_history", at("2024-01-15"), FeatureConfig(span_days=10)
    )
    assert [row["known_at"].day for row in found] == [2, 6, 10, 13]
    found = table_of(
        write_shop(tmp_path, events), "user_history", at("2024-01-16"), FeatureConfig(span_days=10)
    )
    assert [row["known_at"].day for row in found] == [6, 10, 13]
