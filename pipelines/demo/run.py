"""The demo from its first process to its last."""

import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from infra.local.errors import StackError
from infra.local.memory import PeakMemory
from pipelines.demo import show
from pipelines.demo.first_run import first_run
from pipelines.demo.local_stack import Platform, platform
from pipelines.demo.remembered import Finished, clear, shop_clock
from pipelines.demo.report import read_report
from pipelines.demo.settings import load_demo_settings
from pipelines.demo.shopfront import ServedWatch
from pipelines.errors import DemoError, WrongUsageError
from pipelines.runtime import Console, finish

REAL_SHOP = "complete-journey"


def run_demo(*, exits: bool, as_json: bool, shop: Path | None, short: bool, fresh: bool) -> None:
    """Run the whole loop, or bring up what an earlier demo left; keep it running unless `exits`.

    Raises:
        DemoError: A process of the demo failed, or took too long.
        WrongUsageError: The demo's folder holds another shop.
    """
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
