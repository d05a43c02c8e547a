import numpy as np
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.models import fit_baselines
from pipelines.backtest.protocols import leave_one_out
from pipelines.errors import BacktestError
from tests.backtest.folders import events_table, write_folder

# a has five events, b four, c three, d two. Item z is met in c's last event alone.
ROWS = [
    ("a", "p", "view", 0),
    ("a", "q", "view", 1),
    ("a", "r", "cart", 2),
    ("a", "s", "view", 3),
    ("a", "p", "view", 4),
    ("b", "q", "view", 1),
    ("b", "r", "view", 2),
    ("b", "p", "view", 3),
    ("b", "s", "purchase", 4),
    ("c", "p", "view", 5),
    ("c", "r", "view", 6),
    ("c", "z", "view", 7),
    ("d", "q", "view", 0),
    ("d", "s", "view", 9),
]


@pytest.fixture
def dataset(tmp_path):
    return read_dataset(write_folder(tmp_path, events_table(ROWS)))


def prepared(dataset, **options):
    return leave_one_out.prepare(dataset, leave_one_out.cut(dataset), **options)


def names(trial, items):
    return [trial.catalogue["item_id"][int(item)].as_py() for item in items]


def told(trial, histories):
    """Each asker's history as item names."""
    return [
        "".join(names(trial, histories.items[start:end]))
        for start, end in zip(histories.indptr[:-1], histories.indptr[1:], strict=True)
    ]


def test_the_last_event_is_the_answer_and_the_one_before_it_the_label(dataset):
    made = prepared(dataset)
    trial = made.trial
    assert told(trial, made.test.histories) == ["pqrs", "qrp", "pr"]
    assert made.answers.truth.user_ids.to_pylist() == ["a", "b", "c"]
    assert names(trial, made.answers.truth.items[:2]) == ["p", "s"]
    assert len(trial.ranking) == 2, "one fold for each user that is left"
    labelled = {}
    for stage in (*trial.ranking, trial.validation):
        assert stage.wanted.indptr.tolist() == list(range(len(stage.histories) + 1))
        asked = zip(stage.histories.users, told(trial, stage.histories), stage.wanted.items, strict=True)
        labelled |= {int(user): (history, *names(trial, [item])) for user, history, item in asked}
    # Users in ascending order: a, b, c are 0, 1, 2.
    assert labelled == {0: ("pqr", "s"), 1: ("qr", "p"), 2: ("p", "r")}
    assert len(trial.validation.histories) == 1


def test_models_learn_from_training_events_and_from_all_of_short_users(dataset):
    trial = prepared(dataset).trial
    learned = sorted(zip(trial.learning.users.tolist(), names(trial, trial.learning.items), strict=True))
    assert learned == [(0, "p"), (0, "q"), (0, "r"), (1, "q"), (1, "r"), (2, "p"), (3, "q"), (3, "s")]
    assert trial.n_users == 4
    assert prepared(dataset).counts == {"users_trained_on_only": 1}


def test_validation_events_are_counted_for_the_test_only_if_asked(dataset):
    assert len(prepared(dataset).test.known) == 8
    assert len(prepared(dataset, fit="train+validation").test.known) == 11
    assert len(prepared(dataset, fit="train+validation").trial.learning) == 8


def test_an_item_met_only_in_the_test_is_outside_the_catalogue_and_missed(dataset):
    made = prepared(dataset)
    assert sorted(made.trial.catalogue["item_id"].to_pylist()) == ["p", "q", "r", "s"]
    assert made.answers.truth.items[2] == 4
    assert made.answers.truth.n_items == 4


def test_requests_are_made_a_second_after_the_last_known_event(dataset):
    histories = prepared(dataset).test.histories
    start = histories.times[0]
    # The last known events are at minutes 3, 3 and 6.
    assert (histories.at_s - start).tolist() == [181, 181, 361]


def test_types_of_the_answers_are_kept(dataset):
    types = prepared(dataset).answers.types
    assert {name: mask.tolist() for name, mask in types.items()} == {
        "purchase": [False, True, False],
        "view": [True, False, True],
    }


def test_other_seeds_draw_other_validation_users_and_the_same_one_the_same(tmp_path):
    rows = [(f"u{user:02d}", f"i{n}", "view", n) for user in range(40) for n in range(3)]
    dataset = read_dataset(write_folder(tmp_path, events_table(rows)))
    drawn = [prepared(dataset, seed=seed).trial.validation.histories.users.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    # 15 % of 40.
    assert len(drawn[0]) == 6
    # And five folds of the other 34.
    folds = [stage.histories.users.tolist() for stage in prepared(dataset).trial.ranking]
    assert [len(fold) for fold in folds] == [7, 7, 7, 7, 6]
    assert sorted(sum(folds, drawn[0])) == list(range(40))


def test_seen_items_may_come_again_only_if_asked(dataset):
    assert prepared(dataset).trial.repeats is False
    assert prepared(dataset, keep_seen=True).trial.repeats is True


def test_too_few_users_with_three_events_are_refused(tmp_path):
    rows = [("a", "p", "view", n) for n in range(9)] + [("b", "p", "view", 0), ("b", "q", "view", 1)]
    dataset = read_dataset(write_folder(tmp_path, events_table(rows)))
    with pytest.raises(BacktestError, match=r"at least two users with 3 or more events .* received 1"):
        leave_one_out.cut(dataset)


def test_nobody_learns_from_a_test_event(dataset):
    cut = leave_one_out.cut(dataset)
    assert np.flatnonzero(~cut.known).tolist() == [4, 8, 11]
    assert cut.users.to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize("width", [0, 4], ids=["whole numbers", "padded"])
@pytest.mark.parametrize("descending", [False, True])
def test_popularity_is_chance_where_all_was_bought_at_once_whatever_the_ids(tmp_path, width, descending):
    # 400 users draw 6 of 200 items at one instant each; 194 items are left for every list of ten.
    random = np.random.default_rng(7)
    rows = [
        (f"u{user:03d}", f"{item:0{width}d}" if width else str(item), "purchase", 10 * user)
        for user in range(400)
        for item in sorted(random.choice(200, 6, replace=False).tolist(), reverse=descending)
    ]
    dataset = read_dataset(write_folder(tmp_path, events_table(rows)))
    made = leave_one_out.prepare(dataset, leave_one_out.cut(dataset))
    model = fit_baselines(made.trial, made.test, ["popularity"], 0)["popularity"]
    lists = model.lists(10, made.answers.requests)
    hits = (lists == made.answers.truth.items[:, None]).any(axis=1).mean()
    # 10 / 195 = .0513 with a standard error of .011.
    assert 0.018 < hits < 0.085
