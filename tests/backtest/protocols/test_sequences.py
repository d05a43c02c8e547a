import numpy as np
import pyarrow as pa
import pytest

from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.protocols import sequences
from pipelines.errors import BacktestError
from tests.backtest.folders import events_table, write_folder

SEQUENCES = {f"s{n:02d}": "abcde"[n % 5 :] + "abcde"[: n % 5] for n in range(20)} | {"short": "a"}
ROWS = [
    (name, item, "view", 100 * n + 10 * place)
    for n, (name, items) in enumerate(SEQUENCES.items())
    for place, item in enumerate(items)
]
TEST = pa.table(
    {
        "history": [["a", "b"], ["c", "unheard", "c"], [], ["unheard"]],
        "target": ["c", "c", "a", "new"],
    },
    schema=pa.schema([("history", pa.list_(pa.string())), ("target", pa.string())]),
)


@pytest.fixture
def dataset(tmp_path):
    return read_dataset(write_folder(tmp_path, events_table(ROWS), test=TEST), with_test=True)


def prepared(dataset, **options):
    return sequences.prepare(dataset, sequences.cut(dataset), **options)


def names(trial, items):
    return "".join(trial.catalogue["item_id"][int(item)].as_py() for item in items)


def told(trial, histories):
    bounds = zip(histories.indptr[:-1], histories.indptr[1:], strict=True)
    return [names(trial, histories.items[start:end]) for start, end in bounds]


def test_each_test_row_asks_with_its_history_and_unknown_items_are_left_out_and_counted(dataset):
    made = prepared(dataset)
    assert told(made.trial, made.test.histories) == ["ab", "cc", "", ""]
    assert made.test.histories.users.tolist() == [-1] * 4
    assert made.counts["history_items_unknown"] == 2
    assert made.counts["targets_unknown"] == 1


def test_the_answer_of_each_row_is_its_target_and_repeats_are_allowed(dataset):
    made = prepared(dataset)
    truth = made.answers.truth
    assert made.answers.requests.tolist() == [0, 1, 2, 3]
    assert names(made.trial, truth.items[:3]) == "cca"
    assert truth.items[3] == truth.n_items == 5
    assert made.trial.repeats is True


def test_given_histories_end_with_the_last_known_event_a_usual_pause_apart(dataset):
    histories = prepared(dataset).test.histories
    # The last event of all is that of "short": sequence 20 begins at minute 2000. Pauses are ten minutes.
    last = histories.times[1]
    assert (histories.times - last).tolist() == [-600, 0, -600, 0]
    assert (histories.at_s - last).tolist() == [1, 1, 1, 1]


def test_held_sequences_are_cut_at_a_place_and_labelled_by_what_follows_there(dataset):
    trial = prepared(dataset).trial
    # 30 % of the 20 sequences of two or more events, one of the six (15 %) for choices.
    stages = (*trial.ranking, trial.validation)
    assert [len(stage.histories) for stage in stages] == [5, 1]
    whole = set(SEQUENCES.values())
    for stage in stages:
        assert (stage.histories.sizes >= 1).all()
        for history, item in zip(told(trial, stage.histories), names(trial, stage.wanted.items), strict=True):
            assert any(items.startswith(history + item) for items in whole)


def test_held_sequences_are_not_learned_from_but_counted_for_the_test(dataset):
    made = prepared(dataset)
    learned = np.unique(made.trial.learning.users)
    # 21 sequences, six of them held.
    assert len(learned) == 15
    assert len(made.trial.learning) == 14 * 5 + 1
    assert len(made.test.known) == 20 * 5 + 1
    assert made.counts["sequences_held_out"] == 6


def test_a_seed_holds_the_same_sequences_again(dataset):
    one, same, other = (prepared(dataset, seed=seed).trial.validation.histories for seed in (3, 3, 4))
    assert one.items.tolist() == same.items.tolist()
    assert (one.times[-1], one.items.tolist()) != (other.times[-1], other.items.tolist())


def test_too_few_sequences_are_refused(tmp_path):
    rows = [("s", "a", "view", 0), ("s", "b", "view", 1), ("t", "a", "view", 0)]
    dataset = read_dataset(write_folder(tmp_path, events_table(rows), test=TEST), with_test=True)
    with pytest.raises(BacktestError, match=r"at least three sequences .* received 1"):
        prepared(dataset)
