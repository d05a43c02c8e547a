"""The first run of the demo: from the shop's data to an approved release that is served."""

import time
from datetime import UTC, datetime
from typing import Any

from infra.local.memory import PeakMemory
from pipelines.demo import show
from pipelines.demo.following import Followed, Follower
from pipelines.demo.local_stack import Platform, airflow_api
from pipelines.demo.remembered import Finished
from pipelines.demo.report import Served, report_of, write_report
from pipelines.demo.shopfront import ServedWatch, Shopfront
from pipelines.demo.shoppers import choose_shoppers, read_shoppers, write_shoppers
from pipelines.demo.wording import brief
from pipelines.errors import DemoError
from pipelines.lake import Lake
from pipelines.runtime import Console, read_instant

SERVED_LIMIT_S = 60.0


def first_run(
    running: Platform, source: str, console: Console, memory: PeakMemory, started: float, limit_s: float
) -> dict[str, Any]:
    """Run the five DAGs on `source`, wait until their release is served, show it, and report.

    Args:
        running: The platform, nothing started yet.
        source: What `ingest` takes in.
        console: Where a person sees it.
        memory: Watches the process tree.
        started: `time.perf_counter()` at the start of the command.
        limit_s: How long the DAG runs may take.

    Raises:
        DemoError: When a step fails, the gate refuses the release, or serving does not take it.
    """
    running.start_orchestration(console)
    progress = _Progress(running)
    follower = Follower(airflow_api(running), console, running.stack.check, progress.after)
    followed = follower.run({"source": source}, limit_s)
    promoted = followed.results["promote", "follow_policy"]
    if not promoted["promoted"]:
        raise DemoError(f"version {promoted['version']} was not promoted: {promoted['reason']}")
    console.info(
        f"Version {promoted['version']} became champion without a person, by {brief(promoted['reason'])}: "
        "the demo does so for its first release only, the next one waits for you"
    )
    with console.step("Serve the approved release"):
        served = _served(running, progress, followed)
    show.lists(running, console)
    report = report_of(
        followed,
        served,
        peak_memory_mb=memory.megabytes,
        total_seconds=time.perf_counter() - started,
    )
    console.info(f"Report: {write_report(report, running.home)}")
    Finished(source=source, as_of=progress.as_of, version=report["release"]["version"]).write(running.home)
    return report


class _Progress:
    """Starts what a finished task makes possible."""

    def __init__(self, running: Platform) -> None:
        self._running = running
        self.as_of = datetime.min.replace(tzinfo=UTC)
        self.watch: ServedWatch | None = None

    def after(self, dag_id: str, task_id: str, result: Any) -> None:
        """The shop's clock is known after `ingest`, Feast's registry after `declare`, and so on."""
        if (dag_id, task_id) == ("ingest", "announce"):
            self.as_of = read_instant(result)
            lake = Lake(self._running.home / "lake")
            write_shoppers(choose_shoppers(lake, self.as_of), self._running.home)
            self._running.start_serving(self.as_of)
        elif (dag_id, task_id) == ("build_features", "declare"):
            self._running.start_feast_ui()
        elif (dag_id, task_id) == ("retrain", "register"):
            self.watch = ServedWatch(self._running.addresses.storefront, str(result["version"]))


def _served(running: Platform, progress: _Progress, followed: Followed) -> Served:
    if progress.watch is None:
        raise DemoError("no release was registered")
    served_at = progress.watch.wait(SERVED_LIMIT_S)
    promoted_at = read_instant(followed.results["promote", "follow_policy"]["promoted_at"])
    shopfront = Shopfront(running.addresses.storefront)
    users = [shopper["user_id"] for shopper in read_shoppers(running.home)]
    return Served(
        seconds_from_promotion=max(0.0, (served_at - promoted_at).total_seconds()),
        p50_ms=shopfront.median_latency_ms(users),
    )
