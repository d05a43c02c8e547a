"""The folder of one release: steps done once for the same inputs, and again for others."""

import json
from datetime import UTC, datetime

import pytest

from pipelines.errors import ReleaseError, WrongUsageError
from pipelines.evaluation.model_scores import Parity
from pipelines.release import step_cache
from pipelines.release.step_cache import ReleaseWorkspace, clear_old_workplaces, recorded_parity
from pipelines.settings import Settings

AS_OF = "2024-05-01T02:00:00+02:00"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path)


def test_the_cutoff_is_kept_in_utc_whatever_its_offset(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {"events": 1})
    assert place.as_of == datetime(2024, 5, 1, tzinfo=UTC)
    assert place.as_of_text == "2024-05-01T00:00:00+00:00"
    assert place.bundle == settings.home / "work" / "20240501T000000" / "bundle"


@pytest.mark.parametrize("text", ["yesterday", "2024-05-01T00:00:00", ""])
def test_a_cutoff_without_an_offset_is_wrong_usage(settings, text):
    with pytest.raises(WrongUsageError, match="expected an instant"):
        ReleaseWorkspace.begin(settings, text, {})


def test_a_workplace_that_was_not_begun_cannot_be_opened(settings):
    with pytest.raises(ReleaseError, match="from its first task"):
        ReleaseWorkspace.open(settings, AS_OF)


def test_opening_finds_the_inputs_of_the_beginning(settings):
    begun = ReleaseWorkspace.begin(settings, AS_OF, {"events": 3, "items": 1})
    assert ReleaseWorkspace.open(settings, "2024-05-01T00:00:00+00:00") == begun


@pytest.mark.parametrize(
    "other",
    [
        lambda s: ReleaseWorkspace.begin(s, AS_OF, {"events": 2}),
        lambda s: ReleaseWorkspace.begin(
            s.model_copy(update={"training_budget": "short"}), AS_OF, {"events": 1}
        ),
        lambda s: ReleaseWorkspace.begin(s, "2024-05-02T00:00:00+00:00", {"events": 1}),
    ],
)
def test_other_data_settings_or_cutoffs_are_other_inputs(settings, other):
    assert ReleaseWorkspace.begin(settings, AS_OF, {"events": 1}).inputs != other(settings).inputs


def test_the_order_of_the_tables_does_not_matter(settings):
    one = ReleaseWorkspace.begin(settings, AS_OF, {"events": 1, "items": 2})
    assert one == ReleaseWorkspace.begin(settings, AS_OF, {"items": 2, "events": 1})


def test_changed_code_is_another_input(settings, monkeypatch):
    before = ReleaseWorkspace.begin(settings, AS_OF, {}).inputs
    monkeypatch.setattr(step_cache, "code_sha256", lambda: "0" * 64)
    assert ReleaseWorkspace.begin(settings, AS_OF, {}).inputs != before


def test_a_step_is_done_once_for_the_same_inputs(settings):
    done = []

    def work():
        done.append(1)
        return {"rows": 12}

    place = ReleaseWorkspace.begin(settings, AS_OF, {"events": 1})
    assert place.once("training_set", work) == {"rows": 12, "reused": False}
    assert ReleaseWorkspace.open(settings, AS_OF).once("training_set", work) == {"rows": 12, "reused": True}
    assert len(done) == 1


def test_a_step_is_done_again_for_other_inputs(settings):
    ReleaseWorkspace.begin(settings, AS_OF, {"events": 1}).once("training_set", lambda: {"rows": 12})
    again = ReleaseWorkspace.begin(settings, AS_OF, {"events": 2}).once("training_set", lambda: {"rows": 13})
    assert again == {"rows": 13, "reused": False}


def test_a_step_that_is_done_anew_has_all_later_ones_done_anew(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {})
    for step in step_cache.STEPS:
        place.once(step, dict)
    place.forget("ranking")
    assert [step for step in step_cache.STEPS if place.result(step) is not None] == [
        "training_set",
        "retrieval",
    ]


def test_a_step_that_fails_leaves_no_record(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {})

    def fail():
        raise ReleaseError("no")

    with pytest.raises(ReleaseError):
        place.once("retrieval", fail)
    assert place.result("retrieval") is None


def test_a_torn_record_counts_as_none(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {})
    place.once("retrieval", lambda: {"a": 1})
    record = place.folder / "retrieval.json"
    record.write_text(record.read_text()[:-4])
    assert place.result("retrieval") is None


def test_only_the_newest_workplaces_and_the_current_one_are_kept(settings):
    for day in range(1, 7):
        ReleaseWorkspace.begin(settings, f"2024-05-0{day}T00:00:00+00:00", {})
    current = ReleaseWorkspace.open(settings, "2024-05-02T00:00:00+00:00")
    assert clear_old_workplaces(settings, current) == [
        "20240501T000000",
        "20240503T000000",
        "20240504T000000",
    ]
    kept = sorted(path.name for path in settings.workdir.iterdir())
    assert kept == ["20240502T000000", "20240505T000000", "20240506T000000"]


def test_the_parity_of_the_graphs_is_read_from_the_records_of_training(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {})
    parity = {"part": "ranker", "overlap": 0.99, "largest_difference": 0.01, "quantization": "none"}
    place.once("retrieval", lambda: {"seconds": 1})
    place.once("ranking", lambda: {"parity": parity})
    assert recorded_parity(place.bundle) == [Parity("ranker", 0.99, 0.01)]


def test_the_code_hash_follows_the_content_of_the_files():
    assert step_cache.code_sha256() == step_cache.code_sha256()
    assert len(bytes.fromhex(step_cache.code_sha256())) == 32


def test_what_is_recorded_can_be_read_by_a_person(settings):
    place = ReleaseWorkspace.begin(settings, AS_OF, {"events": 4})
    told = json.loads((place.folder / "inputs.json").read_text())
    assert told["lake_versions"] == {"events": 4}
    assert told["as_of"] == "2024-05-01T00:00:00+00:00"
