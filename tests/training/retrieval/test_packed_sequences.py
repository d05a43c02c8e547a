"""The tape of training sequences: what is on it, what is foretold, and how it is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.training.config import RetrievalConfig
from pipelines.training.data.training_data import UserStates
from pipelines.training.retrieval.batches import Batches
from pipelines.training.retrieval.model import negative_sampling_probabilities
from pipelines.training.retrieval.packed_sequences import PackedSequences
from tests.training.small_trial import interactions

# User 0: two items at second 10, two at 50, one at 90; user 1: one each at 20 and 30; user 2 came once.
ROWS = [
    *((0, 0, 10), (0, 1, 10), (0, 2, 50), (0, 3, 50), (0, 4, 90)),
    *((1, 5, 20), (1, 6, 30)),
    *((2, 7, 40), (2, 8, 40)),
]
EVENTS = interactions(ROWS, types=[1, 2, 1, 2, 1, 1, 1, 1, 1])

HISTORIES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 12)), max_size=40)


def random_tape(rows: list[tuple[int, int, int]]) -> PackedSequences:
    return PackedSequences.of(interactions(sorted(rows, key=lambda row: (row[0], row[2]))))


def test_the_tape_holds_all_that_something_followed():
    tape = PackedSequences.of(EVENTS)
    assert tape.rows.tolist() == [0, 1, 2, 3, 5, 7]
    assert tape.own_ends.tolist() == [2, 2, 4, 4, 6, 9]
    assert tape.next_ends.tolist() == [4, 4, 5, 5, 7, 9]


def test_users_of_one_event_leave_an_empty_tape():
    assert len(PackedSequences.of(interactions([(0, 1, 10), (1, 1, 10), (2, 3, 40)]))) == 0
    assert len(PackedSequences.of(interactions([]))) == 0


@given(HISTORIES, st.integers(0, 99), st.sampled_from([0.0, 0.5, 1.0]))
def test_what_is_foretold_lies_ahead_and_is_not_seen(rows: list, seed: int, sequential_basket_share: float):
    # Every event is an item of its own, so that targets tell which event they are.
    ordered = sorted(rows, key=lambda row: (row[0], row[2]))
    tape = PackedSequences.of(
        interactions([(user, place, time) for place, (user, _, time) in enumerate(ordered)])
    )
    if not len(tape):
        return
    events = tape.events
    places = tape.cut(5, np.random.default_rng(seed))
    batch = tape.batch(places, np.random.default_rng(seed), sequential_basket_share)
    own = batch["segments"][:, :, None] == batch["segments"][:, None, :]
    seen = own & (batch["moments"][:, None, :] <= batch["moments"][:, :, None])
    for row, column in np.ndindex(places.shape):
        event, target = batch["items"][row, column], batch["targets"][row, column]
        assert events.users[target] == events.users[event]
        assert target > event
        assert column in np.flatnonzero(seen[row, column])
        watched = batch["items"][row, seen[row, column]]
        assert target not in watched
        of_user = events.users == events.users[event]
        later = np.flatnonzero(of_user & (events.times > events.times[event]))
        mates = np.flatnonzero(of_user & (events.times == events.times[event]))
        comes_next = later[events.times[later] == events.times[later].min()] if len(later) else later
        alone = sequential_basket_share == 1 or not len(later)
        if alone and event < mates[-1]:
            assert event < target <= mates[-1]
            assert watched.max() == event
        elif alone or sequential_basket_share == 0:
            assert target in comes_next
        else:
            assert target in comes_next or target in mates


def test_a_batch_tells_each_event_where_its_history_begins():
    batch = PackedSequences.of(EVENTS).batch(np.arange(6)[None], np.random.default_rng(0), 0.0)
    assert batch["items"].tolist() == [[0, 1, 2, 3, 5, 7]]
    assert batch["types"].tolist() == [[1, 2, 1, 2, 1, 1]]
    assert batch["gaps_s"].tolist() == [[0, 0, 40, 0, 0, 0]]
    assert batch["positions"].tolist() == [[0, 1, 2, 3, 0, 0]]
    assert batch["segments"].tolist() == [[1, 1, 1, 1, 2, 3]]
    assert batch["moments"].tolist() == [[0, 0, 2, 2, 4, 5]]
    assert set(batch["targets"][0, :2].tolist()) <= {2, 3}
    assert batch["targets"][0, 2:].tolist() == [4, 4, 6, 8]


def test_events_of_one_moment_taken_one_by_one_see_and_foretell_as_if_they_had_come_so():
    batch = PackedSequences.of(EVENTS).batch(np.arange(6)[None], np.random.default_rng(0), 1.0)
    assert batch["moments"].tolist() == [[0, 1, 2, 3, 4, 5]]
    assert batch["targets"][0, [0, 2, 3, 4, 5]].tolist() == [1, 3, 4, 6, 8]
    assert batch["targets"][0, 1] in {2, 3}


def test_every_item_of_the_next_moment_is_foretold_about_as_often():
    tape, rng = PackedSequences.of(EVENTS), np.random.default_rng(0)
    drawn = np.array([tape.batch(np.zeros((1, 1), np.int64), rng, 0.0)["targets"][0, 0] for _ in range(400)])
    assert set(drawn.tolist()) == {2, 3}
    # Six deviations of 400 fair draws: 200 +- 60.
    assert 140 < (drawn == 2).sum() < 260


def test_that_share_of_the_moments_is_taken_one_by_one():
    tape, rng = PackedSequences.of(EVENTS), np.random.default_rng(0)
    drawn = np.array([tape.batch(np.zeros((1, 1), np.int64), rng, 0.25)["targets"][0, 0] for _ in range(400)])
    # The rest of its own moment is item 1. Six deviations of 400 draws: 100 +- 52.
    assert 48 < (drawn == 1).sum() < 152


def test_a_history_that_is_cut_begins_anew_and_so_does_a_repeated_one():
    tape = PackedSequences.of(EVENTS)
    cut = tape.batch(np.array([[2, 3, 4]]), np.random.default_rng(0), 0.0)
    assert cut["positions"].tolist() == [[0, 1, 0]]
    assert cut["gaps_s"].tolist() == [[0, 0, 0]]
    again = tape.batch(np.array([[2, 3, 0, 1, 2]]), np.random.default_rng(0), 0.0)
    assert again["segments"].tolist() == [[1, 1, 2, 2, 2]]
    assert again["gaps_s"].tolist() == [[0, 0, 0, 0, 40]]
    same = tape.batch(np.array([[4, 4]]), np.random.default_rng(0), 0.0)
    assert same["segments"].tolist() == [[1, 2]]


@given(HISTORIES, st.integers(1, 7), st.integers(0, 99))
def test_cuts_are_full_and_hold_no_event_twice_but_where_there_are_too_few(
    rows: list, length: int, seed: int
):
    tape = random_tape(rows)
    if not len(tape):
        return
    cuts = tape.cut(length, np.random.default_rng(seed))
    held = cuts.ravel()
    assert cuts.shape == (max(1, len(tape) // length), length)
    if len(tape) < length:
        assert set(held.tolist()) == set(range(len(tape)))
        return
    assert len(set(held.tolist())) == len(held)
    assert ((held >= 0) & (held < len(tape))).all()
    batch = tape.batch(cuts, np.random.default_rng(seed), 0.5)
    same = batch["segments"][:, 1:] == batch["segments"][:, :-1]
    # Within a segment nothing is left out: the next event on the tape, one place on, not before in time.
    assert (np.diff(cuts, axis=1)[same] == 1).all()
    assert (np.diff(batch["positions"], axis=1)[same] == 1).all()
    times = tape.events.times[tape.rows[cuts]]
    assert (np.diff(times, axis=1)[same] == batch["gaps_s"][:, 1:][same]).all()
    assert (batch["gaps_s"][:, 1:][~same] == 0).all()


def test_cuts_differ_from_pass_to_pass_and_not_under_one_seed():
    tape = random_tape([(user, user, time) for user in range(20) for time in range(6)])
    one, same, other = (tape.cut(8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    # Of a hundred events twelve rows of eight are full; which four are left out changes.
    assert one.shape == (12, 8)
    left_out = {
        tuple(np.setdiff1d(np.arange(100), tape.cut(8, np.random.default_rng(seed)))) for seed in range(9)
    }
    assert len(left_out) > 1


ALIKE = np.full(20, 1 / 20)
NOTHING_KNOWN = UserStates(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 1), np.float32), np.zeros((0, 1), np.int32)
)


def small_batches(**choices: int) -> Batches:
    """Batches of two rows of four, of a tape of a hundred events."""
    tape = random_tape([(user, user, time) for user in range(20) for time in range(6)])
    config = RetrievalConfig(history_length=4, batch_size=2, **choices)
    return Batches(tape, NOTHING_KNOWN, ALIKE, config, seed=5)


@pytest.mark.parametrize(
    ("choices", "steps"),
    [
        # A hundred events fill twelve batches of eight; the limits are in batches, too.
        ({"epochs": 3, "min_steps": 1, "max_steps": 99}, 36),
        ({"epochs": 1, "min_steps": 20, "max_steps": 99}, 20),
        ({"epochs": 9, "min_steps": 1, "max_steps": 30}, 30),
    ],
)
def test_training_is_as_long_as_its_passes_within_its_limits(choices: dict[str, int], steps: int):
    batches = small_batches(num_validations=3, **choices)
    assert batches.per_epoch == 12
    assert batches.steps == steps
    assert sum(len(list(batches.dataset(part))) for part in range(batches.checks)) == steps


def test_parts_of_the_training_are_the_training():
    batches = small_batches(epochs=2, min_steps=1)
    whole, parts = list(batches.part(0, 24)), [*batches.part(0, 7), *batches.part(7, 24)]
    assert len(whole) == len(parts) == 24
    for one, other in zip(whole, parts, strict=True):
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
    held = np.concatenate([batch["items"].ravel() for batch in whole[:12]])
    # A pass of twelve full batches holds 96 of the 100 events: no user's five more than once.
    assert np.bincount(held, minlength=20).max() == 5


def test_a_batch_brings_what_was_known_of_each_user_at_each_event():
    states = UserStates(
        np.array([0, 0]),
        np.array([10, 50]),
        np.array([[1.0], [2.0]], np.float32),
        np.array([[3], [4]], np.int32),
    )
    config = RetrievalConfig(history_length=5, batch_size=1)
    batches = Batches(PackedSequences.of(EVENTS), states, ALIKE, config, 0)
    batch = batches.batch(np.arange(5)[None], np.random.default_rng(0))
    np.testing.assert_array_equal(batch["user_features"][0, :, 0], [1, 1, 2, 2, np.nan])
    assert batch["user_profile"][0, :, 0].tolist() == [3, 3, 4, 4, 0]


def test_negatives_are_drawn_as_often_as_their_chances_say():
    chances = np.array([0, 0.75, 0, 0.25])
    batches = Batches(
        PackedSequences.of(EVENTS), NOTHING_KNOWN, chances, RetrievalConfig(num_negatives=2_000), 0
    )
    drawn = batches.batch(np.arange(5)[None], np.random.default_rng(0))["negatives"]
    assert drawn.shape == (2_000,)
    # Six deviations of 2,000 draws: 1,500 +- 116.
    assert np.bincount(drawn, minlength=4)[[0, 2]].sum() == 0
    assert 1_384 < (drawn == 1).sum() < 1_616


def test_an_item_is_a_negative_half_by_its_events_and_half_as_any_other():
    # Six, two and no events of eight: (.75 + .25) / 2, (.25 + .25) / 2, .25 / 2.
    np.testing.assert_allclose(
        negative_sampling_probabilities(np.array([6, 2, 0, 0])), [0.5, 0.25, 0.125, 0.125]
    )
    np.testing.assert_allclose(negative_sampling_probabilities(np.zeros(2, np.int64)), [0.5, 0.5])
