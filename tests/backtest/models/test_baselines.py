from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.models.baselines import fit_baselines, reasons_against
from pipelines.backtest.protocols import temporal
from tests.backtest.folders import events_table, write_folder

DAY = 1440
# Learning ends long before the test: it knows items p and q, the test's requests know r too.
ROWS = [
    ("a", "p", "view", 0),
    ("a", "q", "view", 10 * DAY),
    ("b", "q", "view", 20 * DAY),
    ("b", "p", "view", 80 * DAY),
    ("a", "r", "view", 84 * DAY),
    ("a", "p", "view", 100 * DAY),
]


def test_a_model_that_would_not_fit_what_is_known_at_the_test_is_left_out_before(tmp_path, monkeypatch):
    dataset = read_dataset(write_folder(tmp_path, events_table(ROWS)))
    made = temporal.prepare(dataset, temporal.cut(dataset))
    names = ("popularity", "ease")
    assert set(fit_baselines(made.trial, made.test, names, 0.0)) == set(names)
    monkeypatch.setattr("pipelines.training.baselines.registry.MOST_ITEMS", 2)
    monkeypatch.setattr("pipelines.training.baselines.ease.MOST_ITEMS", 2)
    reasons = reasons_against(made.trial, made.test, names)
    assert list(reasons) == ["ease"]
    assert reasons["ease"].startswith("3 items have events")
    assert set(fit_baselines(made.trial, made.test, names, 0.0)) == {"popularity"}
