"""What is known of items and users whose states are newer than what happened."""

from pathlib import Path

import pytest

from pipelines.features.build import later_states
from tests.features.small_shop import at, event, table_of, write_shop

NIGHT = at("2024-03-02T02:00:00")
"""When the export stamped every row, after the last event."""
AS_OF = at("2024-03-01")


@pytest.fixture
def exported(tmp_path: Path):
    events = [event("anna", "2024-02-01", "purchase", "tea", price=2.0)]
    items = [
        {"item_id": "tea", "title": "Tea", "category": "Drinks", "updated_at": NIGHT},
        {"item_id": "tea", "title": "Green tea", "category": "Drinks", "updated_at": at("2024-03-03")},
        {"item_id": "new", "title": "New", "updated_at": NIGHT},
    ]
    users = [{"user_id": "anna", "gender": "F", "updated_at": NIGHT}]
    return write_shop(tmp_path, events, items, users)


def test_a_first_state_newer_than_every_event_holds_from_the_beginning(exported):
    rows = table_of(exported, "item_profile", AS_OF)
    assert [(row["item_id"], row["known_at"], row["title"]) for row in rows] == [
        ("new", at("1970-01-01"), "New"),
        ("tea", at("1970-01-01"), "Tea"),
    ]
    (anna,) = table_of(exported, "user_profile", AS_OF)
    assert (anna["known_at"], anna["gender"]) == (at("1970-01-01"), "F")


def test_affinities_know_the_category_of_an_item_stamped_later(exported):
    rows = table_of(exported, "user_affinity", AS_OF)
    assert ["Drinks"] in [row["top_categories"] for row in rows]


def test_states_that_are_left_out_are_counted(exported):
    versions = {name: exported.version(name) for name in ("items", "users")}
    # Of tea's two states and those of the two others, the second of tea alone is left out.
    assert later_states(exported, AS_OF, versions) == {"items": 1, "users": 0}
    assert later_states(exported, at("2024-04-01"), versions) == {"items": 0, "users": 0}
