"""A backtest from a folder to its document, its page and its run."""

from pathlib import Path
from typing import Any

from pipelines.backtest.config import BacktestConfig
from pipelines.backtest.data import Dataset, read_dataset
from pipelines.backtest.judged_search import (
    RANKINGS,
    describe_searched,
    read_judged,
    run_searched,
    searched_page,
)
from pipelines.backtest.leak_probe import Probe
from pipelines.backtest.models import AISLE
from pipelines.backtest.ranking_run import probe_leaks, run_ranked
from pipelines.backtest.ratings import describe_rated, probe_ratings, rated_page, run_rated
from pipelines.backtest.report import describe_ranked, page_of, track, write_page
from pipelines.errors import BacktestError, WrongUsageError
from pipelines.runtime import Console
from pipelines.settings import Settings, load_settings
from pipelines.training.baselines import MODELS
from pipelines.training.ratings import BLEND, RATING_MODELS


def known_models(protocol: str) -> tuple[str, ...]:
    """The models of a protocol; where none is named, the first is measured beside all others."""
    if protocol == "search":
        return tuple(RANKINGS)
    if protocol == "ratings":
        return (BLEND, *RATING_MODELS)
    return (AISLE, *MODELS)


def run_backtest(
    folder: Path,
    config: BacktestConfig,
    *,
    console: Console,
    report: Path | None = None,
    probing: bool = False,
) -> dict[str, Any]:
    """The document of one backtest; leaves its page, and its run where a tracking server is set.

    Args:
        folder: Holds the files of the data set.
        config: What is asked for.
        console: Shows the progress.
        report: Where the page goes; `backtests/<folder>-<protocol>.html` below the home folder, if left out.
        probing: Whether to look for leaks, too.

    Raises:
        WrongUsageError: A model's name is unknown.
        BacktestError: The data set is not what it should be, or a leak was found.
    """
    known = known_models(config.protocol)
    if unknown := [name for name in config.models if name not in known]:
        raise WrongUsageError(
            f"expected models out of {', '.join(known)}, received {', '.join(unknown)}; see --model"
        )
    settings = load_settings()
    if config.protocol == "search":
        if probing:
            raise WrongUsageError(
                "--probe-leaks is of protocols with a cutoff, received search; no ranking sees a judgment"
            )
        document, page = _searched(folder, config, console)
        return _left(settings, config, document, page, report)
    with console.step(f"read {folder}"):
        dataset = read_dataset(folder, with_test=config.protocol == "explicit")
    document, page = _measured(dataset, config, console)
    if probing:
        look = probe_ratings if config.protocol == "ratings" else probe_leaks
        found = look(dataset, config, console)
        refuse_leaks(found)
        document["leak_probe"] = {"compared": found.compared, "leaks": []}
    return _left(settings, config, document, page, report)


def _left(
    settings: Settings, config: BacktestConfig, document: dict[str, Any], page: str, report: Path | None
) -> dict[str, Any]:
    """The document with where its page went, and its run."""
    path = report or settings.home / "backtests" / f"{document['folder']}-{config.protocol}.html"
    write_page(page, path)
    return {**document, "report": str(path), "run_id": track(settings, config, document, page)}


def _searched(folder: Path, config: BacktestConfig, console: Console) -> tuple[dict[str, Any], str]:
    """The document and the page of judged search queries."""
    with console.step(f"read {folder}"):
        judged = read_judged(folder)
    document = describe_searched(judged, config, run_searched(judged, config.models, config.seed, console))
    return document, searched_page(document)


def _measured(dataset: Dataset, config: BacktestConfig, console: Console) -> tuple[dict[str, Any], str]:
    """The document and the page of a backtest."""
    if config.protocol == "ratings":
        document = describe_rated(dataset, config, run_rated(dataset, config, console))
        return document, rated_page(document)
    ranked = run_ranked(dataset, config, console)
    document = describe_ranked(dataset, config, ranked)
    return document, page_of(ranked, document)


def refuse_leaks(found: Probe) -> None:
    """Raise `BacktestError` where the prober found something, naming it."""
    if found.leaks:
        named = ", ".join(f"{leak.where} ({leak.perturbation})" for leak in found.leaks)
        raise BacktestError(
            f"expected that nothing before the cutoff changes with what lies after it, received changes in "
            f"{named}; make each from what was known at the cutoff"
        )
    if found.unrepeatable:
        raise BacktestError(
            f"expected the same bits from the same data, received others in {', '.join(found.unrepeatable)}; "
            "leaks cannot be told there until its seeds are fixed"
        )
