"""What an edit of the declarations changes, and whom it breaks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipelines.features.registry.diff import (
    Repository,
    View,
    broken_services,
    changes_between,
    declared_repository,
)

VIEW = View(
    keys=(("user_id", "String"),),
    features={"n": "Int64", "x": "Float64", "y": "Float64"},
    ttl=timedelta(0),
    online=True,
    source=("features_v", "known_at"),
    words="as it was",
)
APPLIED = Repository(
    entities={"user": ("user_id", "STRING")},
    views={"v": VIEW},
    services={"one_v1": ("v:n", "v:x"), "other_v1": ("v:y",)},
)


def with_view(**changed: Any) -> Repository:
    return replace(APPLIED, views={"v": replace(VIEW, **changed)})


def told(declared: Repository) -> list[tuple[str, str, str, str]]:
    return [(one.what, one.kind, one.name, one.detail) for one in changes_between(APPLIED, declared)]


def test_nothing_edited_changes_and_breaks_nothing():
    assert told(APPLIED) == []
    assert broken_services(APPLIED, APPLIED) == {}


def test_before_the_first_apply_all_is_added_and_nothing_breaks():
    assert {one.what for one in changes_between(Repository(), APPLIED)} == {"added"}
    assert broken_services(Repository(), APPLIED) == {}


def test_what_is_added_breaks_nobody():
    declared = replace(
        with_view(features={**VIEW.features, "z": "String"}),
        services={**APPLIED.services, "one_v2": ("v:n", "v:z"), "other_v1": ("v:y", "v:z")},
    )
    assert told(declared) == [
        ("added", "feature", "v:z", ""),
        ("added", "feature service", "one_v2", ""),
        ("changed", "feature service", "other_v1", "with v:z"),
    ]
    assert broken_services(APPLIED, declared) == {}


def test_a_feature_of_another_type_breaks_the_services_that_hold_it_and_no_other():
    declared = with_view(features={**VIEW.features, "x": "Int64"})
    assert told(declared) == [("changed", "feature", "v:x", "Float64 → Int64")]
    assert broken_services(APPLIED, declared) == {"one_v1": ["v:x turns from Float64 to Int64"]}


def test_a_removed_feature_breaks_whether_it_leaves_the_view_or_only_the_service():
    gone = replace(
        with_view(features={"n": "Int64", "y": "Float64"}), services={**APPLIED.services, "one_v1": ("v:n",)}
    )
    assert broken_services(APPLIED, gone) == {"one_v1": ["v:x is removed"]}
    left = replace(APPLIED, services={**APPLIED.services, "one_v1": ("v:n",)})
    assert told(left) == [("changed", "feature service", "one_v1", "without v:x")]
    assert broken_services(APPLIED, left) == {"one_v1": ["v:x is removed"]}


def test_a_removed_view_or_service_breaks_its_readers():
    declared = Repository(services={"one_v1": ("v:n", "v:x")})
    assert ("removed", "feature view", "v", "") in told(declared)
    assert broken_services(APPLIED, declared) == {
        "one_v1": ["v:n is removed", "v:x is removed"],
        "other_v1": ["the service is removed"],
    }


@pytest.mark.parametrize(
    ("changed", "detail", "reason"),
    [
        (
            {"keys": (("user_id", "Int64"),)},
            "keys user_id String → user_id Int64",
            "v is looked up by user_id Int64 instead of user_id String",
        ),
        ({"online": False}, "served online True → False", "v is no longer served online"),
        (
            {"ttl": timedelta(days=1)},
            "time to live for ever → 1 day, 0:00:00",
            "v lives for 1 day, 0:00:00 instead of for ever",
        ),
    ],
)
def test_a_view_that_is_read_otherwise_breaks_every_service_that_holds_it(changed, detail, reason):
    declared = with_view(**changed)
    assert told(declared) == [("changed", "feature view", "v", detail)]
    assert broken_services(APPLIED, declared) == {"one_v1": [reason], "other_v1": [reason]}


def test_a_longer_life_another_source_and_other_words_are_shown_and_break_nobody():
    mortal = replace(APPLIED, views={"v": replace(VIEW, ttl=timedelta(days=1))})
    longer = replace(APPLIED, views={"v": replace(VIEW, ttl=timedelta(days=2))})
    assert broken_services(mortal, longer) == {}
    assert broken_services(mortal, APPLIED) == {}
    moved = with_view(source=("features_w", "known_at"))
    assert told(moved)[0][3] == "source features_v by known_at → features_w by known_at"
    assert broken_services(APPLIED, moved) == {}
    assert told(with_view(words="better"))[0][3] == "described anew"


def test_a_feature_described_anew_is_shown_beside_what_else_changes():
    spoken = with_view(feature_words={"n": "before"})
    declared = with_view(feature_words={"n": "after"}, features={**VIEW.features, "x": "Int64"})
    assert [(one.name, one.detail) for one in changes_between(spoken, declared)] == [
        ("v:n", "described anew"),
        ("v:x", "Float64 → Int64"),
    ]


def test_the_declarations_are_read_whole():
    declared = declared_repository()
    assert declared.entities["user"] == ("user_id", "STRING")
    assert declared.views["user_history"].features["event_times"] == "Array(Int64)"
    assert declared.views["user_category"].online is False
    assert "item_profile:price" in declared.services["ranking_v1"]
