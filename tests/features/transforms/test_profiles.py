"""Profiles: what was said, since when, and by whom it may be used."""

from pathlib import Path

from tests.features.small_shop import at, table_of, write_shop


def test_attributes_of_the_form_name_value_become_features(tmp_path: Path):
    users = [
        {"user_id": "anna", "age_band": "35-44", "attributes": ["income:35-49K", "kids_count:", "note: a:b"]}
    ]
    row = table_of(write_shop(tmp_path, [], users=users), "user_profile", at("2024-01-01"))[0]
    assert (row["age_band"], row["income"], row["kids_count"], row["household_size"]) == (
        "35-44",
        "35-49K",
        None,
        None,
    )


def test_the_profile_of_a_user_who_did_not_consent_is_empty(tmp_path: Path):
    users = [{"user_id": "bob", "gender": "M", "attributes": ["income:35-49K"], "consent": False}]
    row = table_of(write_shop(tmp_path, [], users=users), "user_profile", at("2024-01-01"))[0]
    assert {name: value for name, value in row.items() if value is not None} == {
        "user_id": "bob",
        "known_at": at("1970-01-01"),
    }


def test_the_first_state_holds_from_the_beginning_the_others_from_their_own_instants(tmp_path: Path):
    items = [
        {"item_id": "tea", "price": 2.0, "updated_at": at("2024-01-01")},
        {"item_id": "tea", "price": 3.0, "updated_at": at("2024-02-01")},
        {"item_id": "tea", "price": 9.0, "updated_at": at("2024-03-01")},
    ]
    found = table_of(write_shop(tmp_path, [], items=items), "item_profile", at("2024-03-01"))
    assert [(row["known_at"], row["price"]) for row in found] == [
        (at("1970-01-01"), 2.0),
        (at("2024-02-01"), 3.0),
    ]


def test_a_category_path_is_taken_apart_and_unknown_is_null(tmp_path: Path):
    items = [{"item_id": "a", "category": "Food > Cheese", "brand": "Alp"}, {"item_id": "b"}]
    cheese, unknown = table_of(write_shop(tmp_path, [], items=items), "item_profile", at("2024-03-01"))
    assert [cheese[f"category_{level}"] for level in (1, 2, 3)] == ["Food", "Cheese", None]
    assert [unknown[name] for name in ("category", "category_1", "brand")] == [None, None, None]
