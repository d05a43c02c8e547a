"""`aisle demo`: the whole loop on real shop data, here, and keep it running."""

import signal
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from infra.local.errors import StackError
from infra.local.memory import PeakMemory
from pipelines.demo import show
from pipelines.demo.local_stack import Platform, platform
from pipelines.demo.remembered import Finished, clear, shop_clock
from pipelines.demo.report import read_report
from pipelines.demo.settings import load_demo_settings
from pipelines.demo.shopfront import ServedWatch
from pipelines.errors import DemoError, WrongUsageError
from pipelines.runtime import Console, finish

REAL_SHOP = "complete-journey"


@click.command()
@click.option("--exit", "exits", is_flag=True, help="Stop everything at the end instead of keeping it up.")
@click.option("--json", "as_json", is_flag=True, help="End with the report as one JSON document on stdout.")
@click.option(
    "--shop",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with another shop's files, instead of the Complete Journey.",
)
@click.option("--short", is_flag=True, help="Train with a smaller budget: a first look, not the best lists.")
@click.option("--fresh", is_flag=True, help="Forget what an earlier demo left, and begin anew.")
def demo(*, exits: bool, as_json: bool, shop: Path | None, short: bool, fresh: bool) -> None:
    """Run the whole loop on real shop data, here, and keep it running until Ctrl-C."""
    from pipelines.demo.first_run import first_run  # loads the lake: not for --help

    started = time.perf_counter()
    settings = load_demo_settings()
    console = Console()
    source = str(shop.resolve()) if shop else REAL_SHOP
    # SIGINT too: a shell that starts a job in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with (
            PeakMemory() as memory,
            platform(settings, training_budget="short" if short else "demo") as running,
        ):
            if fresh:
                clear(running.home)
            finished = Finished.read(running.home)
            if finished is not None and finished.source != source:
                raise WrongUsageError(
                    f"{running.home} holds the demo of {finished.source}, not of {source}: add --fresh to "
                    "replace it, or choose another folder with AISLE_DEMO_HOME"
                )
            if finished is None:
                clear(running.home)
                report = first_run(running, source, console, memory, started, settings.limit_minutes * 60)
            else:
                report = _again(running, finished, console)
            show.addresses(running, console)
            if not exits:
                _keep_running(running, console)
    except StackError as error:
        raise DemoError(str(error)) from error
    console.info("Stopped; nothing of the demo is left running.")
    if as_json:
        finish(report, as_json=True)


def _again(running: Platform, finished: Finished, console: Console) -> dict[str, Any]:
    """Bring up what an earlier demo left, and show it."""
    console.info(f"Reusing what an earlier demo left in {running.home}")
    running.start_serving(shop_clock(finished.as_of, running.home / "events"))
    running.start_feast_ui()
    running.start_orchestration(console)
    with console.step("Serve the approved release"):
        ServedWatch(running.addresses.storefront).wait(60)
    show.lists(running, console)
    return read_report(running.home)


def _keep_running(running: Platform, console: Console) -> None:
    console.info("Running until Ctrl-C.")
    try:
        while True:
            running.stack.check()
            time.sleep(1)
    except KeyboardInterrupt:
        console.info("Stopping every process ...")


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)
