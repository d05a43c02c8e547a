"""Promotion, rollback and status on a real registry."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import ReleaseError
from pipelines.release.promotion import approve_version, auto_promote, promote, rollback, status
from pipelines.release.registry import Registry
from pipelines.tracking import connect
from serving.bundle import load_public_key, read_approval

DAY = datetime(2024, 5, 1, tzinfo=UTC)


def champion(settings) -> int | None:
    return Registry(settings).alias("champion")


def test_promoting_moves_the_alias_and_says_who_since_when_and_why(settings, register):
    register()
    told = promote(settings, 1, reason="first release", by="kim", now=DAY)
    assert told == {
        "version": 1,
        "previous": None,
        "changed": True,
        "by": "kim",
        "reason": "first release",
        "at": "2024-05-01T00:00:00+00:00",
    }
    who = status(settings)["champion"]
    assert (who["version"], who["by"], who["reason"], who["how"]) == (1, "kim", "first release", "promotion")
    assert who["since"] == "2024-05-01T00:00:00+00:00"
    assert Registry(settings).version(1).tags["promotion_reason"] == "first release"


def test_promoting_the_champion_again_changes_nothing(settings, register):
    register()
    promote(settings, 1, reason="first", by="kim", now=DAY)
    again = promote(settings, 1, reason="second", by="lee", now=DAY + timedelta(days=1))
    assert again["changed"] is False
    assert len(status(settings)["moves"]) == 1
    assert status(settings)["champion"]["by"] == "kim"


def test_a_refused_version_is_not_promoted_and_the_reasons_are_told(settings, register):
    register("refused")
    with pytest.raises(ReleaseError, match="below personal_frequency"):
        promote(settings, 1, reason="hope")
    assert champion(settings) is None


def test_a_version_that_no_gate_saw_is_not_promoted(settings, register):
    register("")
    with pytest.raises(ReleaseError, match="gate unknown"):
        promote(settings, 1, reason="hope")


def test_a_person_may_answer_for_a_refused_version_and_the_reason_stays_with_it(settings, register):
    register("refused")
    promote(settings, 1, reason="baseline was broken that week", by="kim", override=True)
    assert champion(settings) == 1
    version = Registry(settings).version(1)
    assert version.override == "baseline was broken that week"
    key = load_public_key(settings.keys / "release.pub")
    approval = read_approval(version.tags["approval"], [key], "1", "0" * 64)
    assert (approval.kind, approval.by) == ("override", "kim")


def test_a_promotion_is_signed_and_an_approval_moves_nothing(settings, register):
    register("passed")
    register("passed")
    promote(settings, 1, reason="first", by="kim")
    approved = approve_version(settings, 2, reason="looked at it", by="lee")
    assert (approved["kind"], approved["by"]) == ("approval", "lee")
    assert champion(settings) == 1
    key = load_public_key(settings.keys / "release.pub")
    for number, by in ((1, "kim"), (2, "lee")):
        text = Registry(settings).version(number).tags["approval"]
        assert read_approval(text, [key], str(number), "0" * 64).by == by


def test_an_approval_of_a_refused_version_is_refused(settings, register):
    register("refused")
    with pytest.raises(ReleaseError, match="below personal_frequency"):
        approve_version(settings, 1, reason="hope")


def test_overriding_a_gate_that_passed_leaves_no_override(settings, register):
    register("passed")
    promote(settings, 1, reason="fine", override=True)
    assert Registry(settings).version(1).override is None


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_promotion_needs_a_reason(settings, register, reason):
    register()
    with pytest.raises(ReleaseError, match="expected a reason"):
        promote(settings, 1, reason=reason)
    assert champion(settings) is None


def test_an_unknown_version_is_answered_with_those_that_exist(settings, register):
    with pytest.raises(ReleaseError, match="there is none yet"):
        promote(settings, 7, reason="x")
    register()
    register()
    with pytest.raises(ReleaseError, match=r"received 7; there are 2, 1"):
        promote(settings, 7, reason="x")


def test_rollback_returns_to_the_version_before_and_then_further_back(settings, register):
    for version in (1, 2, 3):
        register()
        promote(settings, version, reason=f"release {version}")
    assert rollback(settings)["version"] == 2
    assert champion(settings) == 2
    assert rollback(settings, reason="still bad", by="lee")["version"] == 1
    assert status(settings)["champion"]["how"] == "rollback"
    assert status(settings)["champion"]["by"] == "lee"
    with pytest.raises(ReleaseError, match="champion before version 1"):
        rollback(settings)
    assert champion(settings) == 1


def test_after_a_rollback_and_a_new_promotion_the_bad_version_is_skipped(settings, register):
    for version in (1, 2):
        register()
        promote(settings, version, reason=f"release {version}")
    rollback(settings)
    register()
    promote(settings, 3, reason="mended")
    assert rollback(settings)["version"] == 1


def test_rollback_after_the_alias_was_moved_by_hand_returns_to_the_recorded_champion(settings, register):
    register()
    register()
    promote(settings, 1, reason="first", by="kim")
    connect(settings).set_registered_model_alias(settings.model_name, "champion", "2")
    seen = status(settings, now=DAY)
    assert (seen["champion"]["version"], seen["champion"]["how"], seen["champion"]["by"]) == (
        2,
        "by hand",
        "unknown",
    )
    assert rollback(settings)["version"] == 1
    assert [(move["version"], move["kind"]) for move in status(settings)["moves"]] == [
        (1, "promotion"),
        (2, "by hand"),
        (1, "rollback"),
    ]


def test_promoting_over_a_champion_moved_by_hand_keeps_it_in_the_line(settings, register):
    for _ in range(3):
        register()
    promote(settings, 1, reason="first")
    connect(settings).set_registered_model_alias(settings.model_name, "champion", "2")
    assert promote(settings, 3, reason="third")["previous"] == 2
    assert rollback(settings)["version"] == 2


def test_a_move_that_was_not_written_down_is_written_by_promoting_again(settings, register, monkeypatch):
    register()

    def crash(self, moves):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Registry, "record", crash)
        with pytest.raises(KeyboardInterrupt):
            promote(settings, 1, reason="first", by="kim")
    assert champion(settings) == 1
    assert status(settings)["champion"]["how"] == "by hand"
    promote(settings, 1, reason="first", by="kim")
    assert status(settings)["champion"]["how"] == "promotion"
    assert status(settings)["champion"]["by"] == "kim"


def test_a_deleted_version_is_passed_over_by_rollback(settings, register):
    for version in (1, 2, 3):
        register()
        promote(settings, version, reason="release")
    connect(settings).delete_model_version(settings.model_name, "2")
    assert rollback(settings)["version"] == 1


def test_rollback_without_a_champion_says_so(settings, register):
    with pytest.raises(ReleaseError, match="there is none"):
        rollback(settings)
    register()
    with pytest.raises(ReleaseError, match="there is none"):
        rollback(settings)


def test_policy_auto_promotes_what_passed_and_says_that_it_was_the_policy(settings, register):
    register()
    told = auto_promote(settings.model_copy(update={"promotion_policy": "auto"}), 1)
    assert (told["promoted"], told["alias"]) == (True, "champion")
    assert status(settings)["champion"]["by"] == "policy auto"
    assert status(settings)["champion"]["reason"].startswith("policy auto: gate passed")


def test_policy_auto_does_not_promote_what_was_refused(settings, register):
    register("refused")
    told = auto_promote(settings.model_copy(update={"promotion_policy": "auto"}), 1)
    assert (told["promoted"], told["alias"]) == (False, None)
    assert "below personal_frequency" in told["reason"]
    assert champion(settings) is None


def test_policy_manual_waits_for_a_person(settings, register):
    register()
    Registry(settings).move_alias("candidate", 1)
    told = auto_promote(settings, 1)
    assert (told["promoted"], told["alias"]) == (False, "candidate")
    assert "a person" in told["reason"]
    assert champion(settings) is None


def test_policy_auto_asked_twice_promotes_once(settings, register):
    auto = settings.model_copy(update={"promotion_policy": "auto"})
    register()
    auto_promote(auto, 1)
    assert auto_promote(auto, 1)["promoted"] is True
    assert len(status(settings)["moves"]) == 1


def test_policy_auto_does_not_go_back_to_an_older_version(settings, register):
    auto = settings.model_copy(update={"promotion_policy": "auto"})
    register()
    register()
    promote(settings, 2, reason="newer")
    assert auto_promote(auto, 1)["promoted"] is False
    assert champion(settings) == 2


def test_status_before_any_release_is_empty(settings):
    assert status(settings) == {
        "model": "aisle-recommender",
        "champion": None,
        "candidate": None,
        "moves": [],
        "versions": [],
    }


def test_status_lists_versions_newest_first_with_their_verdict(settings, register):
    register("refused")
    register("passed", {"ndcg_at_10": "0.31", "as_of": "2024-05-01T00:00:00+00:00"})
    Registry(settings).move_alias("candidate", 2)
    told = status(settings)
    assert [(entry["version"], entry["gate"]) for entry in told["versions"]] == [
        (2, "passed"),
        (1, "refused"),
    ]
    assert told["candidate"]["ndcg_at_10"] == "0.31"
    assert told["champion"] is None


def test_the_upstream_trap_16734_is_avoided_aliases_are_asked_by_name(settings, register, monkeypatch):
    register()
    promote(settings, 1, reason="first")
    registry = Registry(settings)
    monkeypatch.setattr(registry._client, "search_model_versions", lambda *_: [])
    assert registry.alias("champion") == 1


def test_in_a_container_without_user_names_the_user_is_told_by_number(settings, register, monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("pipelines.release.promotion.getpass.getuser", unknown)
    monkeypatch.setattr("pipelines.release.promotion.os.getuid", lambda: 12345)
    register()
    assert promote(settings, 1, reason="first")["by"] == "user 12345"


def test_policy_first_promotes_the_first_release_and_then_waits_for_a_person(settings, register):
    first = settings.model_copy(update={"promotion_policy": "first"})
    register()
    register()
    assert auto_promote(first, 1)["promoted"] is True
    told = auto_promote(first, 2)
    assert told["promoted"] is False
    assert "a person" in told["reason"]
    assert champion(settings) == 1
    assert status(settings)["champion"]["by"] == "policy first"
