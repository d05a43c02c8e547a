"""Model `aisle` in a backtest: fitted by the code of retraining, under every protocol."""

import numpy as np
import pytest

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data.dataset import read_dataset
from pipelines.backtest.models.aisle import AISLE, PROBED, fit_own_model
from pipelines.backtest.protocols.registry import find_cut, prepare
from pipelines.backtest.ranking_run import probe_leaks
from pipelines.backtest.run import known_models
from pipelines.runtime.console import Console
from tests.backtest.folders import drawn_folder

PROTOCOLS = ("leave-one-out", "temporal", "explicit")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    return read_dataset(drawn_folder(tmp_path_factory.mktemp("drawn"), with_test=True), with_test=True)


def asked_for(protocol: str) -> BacktestConfig:
    return BacktestConfig(protocol=protocol, models=(AISLE,))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_request_of_the_test_gets_a_list_without_doubles(dataset, protocol):
    config = asked_for(protocol)
    prepared = prepare(dataset, find_cut(dataset, config), config)
    looks: list[tuple[str, int]] = []
    fitted = fit_own_model(
        prepared.trial,
        prepared.test,
        PROBED,
        1e6,
        watch=lambda figure, epoch, _: looks.append((figure, epoch)),
    )
    # One look at each stage is what `PROBED` asks for.
    assert looks == [("validation_ndcg_at_100", 0), ("validation_ndcg_at_10", 0)]
    # There is time for all that these choices ask for, and the named budgets are no shorter.
    assert (fitted.chosen["training_budget"], fitted.chosen["allowed_seconds"]) == ("full", 1_000_000)
    lists = fitted.lists(10, np.arange(len(prepared.test.histories)))
    assert lists.shape == (len(prepared.test.histories), 10)
    warm = prepared.test.histories.sizes > 0
    assert (lists[warm] >= 0).all()
    assert all(len(set(row)) == 10 for row in lists[warm].tolist())
    if not prepared.trial.repeats:
        had = prepared.test.histories.latest(100)
        for row, places in zip(lists, had, strict=True):
            assert not set(row.tolist()) & set(prepared.test.histories.items[places[places >= 0]].tolist())


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_nothing_after_the_cutoff_moves_a_list(dataset):
    """What models are given is probed under every protocol in `test_probing`; this is the own part."""
    found = probe_leaks(dataset, asked_for("temporal"), Console(quiet=True))
    assert found.leaks == ()
    assert found.unrepeatable == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_what_a_backtest_measures_first(protocol):
    assert known_models(protocol)[0] == AISLE
