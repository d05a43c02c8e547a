"""The parts of one serving process, put together, started and stopped in the right order."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Self

from serving.clock import Clock
from serving.events import EventIntake, EventLog, announce_log, read_events
from serving.features import UserFeatures
from serving.metrics import Metrics
from serving.releases import (
    Refusal,
    Registry,
    RegistryState,
    Release,
    ReleaseCache,
    ReleaseObserver,
    Releases,
)
from serving.service import RecommendationService
from serving.sessions import RecentEvents
from serving.settings import ServingSettings
from serving.storefront import Shoppers
from serving.worker_pool import Workers

logger = logging.getLogger(__name__)

RECALLED_BYTES = 128 * 1024 * 1024
"""How much of the event log's end is read at start to restore users' newest events and detect repeats."""

FEATURES_WAIT_S = 10.0
"""How long a start waits for the feature store before it goes on without."""


@dataclass(frozen=True)
class Runtime:
    """What a serving process consists of."""

    settings: ServingSettings
    clock: Clock
    metrics: Metrics
    releases: Releases
    features: UserFeatures
    event_log: EventLog
    intake: EventIntake
    answers: RecommendationService
    shoppers: Shoppers
    workers: Workers

    @classmethod
    def open(cls, settings: ServingSettings) -> Self:
        """Build the parts; only the event log runs yet.

        Raises:
            EventLogError: Events cannot be written to disk.
        """
        clock = Clock(settings.clock_start_at)
        metrics = Metrics()
        live = RecentEvents(settings.live_events_per_user, settings.live_users)
        event_log = EventLog(
            settings.event_folder,
            on_commit=metrics.event_commits.observe,
            on_fault=metrics.event_log_faults.inc,
        )
        _announce(settings)
        releases = Releases(
            Registry(settings.mlflow_uri, settings.model_name, settings.registry_timeout_s),
            ReleaseCache(settings.release_cache),
            settings.release_keys,
            _listeners(metrics),
            require_approval=settings.require_approval,
        )
        features = UserFeatures(settings)
        metrics.live_users.set_function(lambda: len(live))
        return cls(
            settings=settings,
            clock=clock,
            metrics=metrics,
            releases=releases,
            features=features,
            event_log=event_log,
            intake=EventIntake(event_log, live, clock, settings.event_types),
            answers=RecommendationService(releases, features, live, clock, metrics),
            shoppers=Shoppers(settings.shoppers_file, live),
            workers=Workers(
                settings.worker_threads,
                settings.max_waiting,
                metrics.stage_seconds.labels("wait").observe,
            ),
        )

    async def start(self) -> None:
        """Restore recent events and the last release, then begin to follow the registry."""
        self.features.start()
        await asyncio.to_thread(self._restore_events)
        await asyncio.to_thread(self.releases.restore)
        self.releases.follow(self.settings.poll_seconds)
        await asyncio.to_thread(self.features.wait_until_opened, FEATURES_WAIT_S)

    async def stop(self) -> None:
        """Stop every part; acknowledged events are already on disk."""
        await asyncio.to_thread(self.releases.stop)
        self.features.stop()
        await asyncio.to_thread(self.workers.stop)
        await asyncio.to_thread(self.event_log.close)

    def _restore_events(self) -> None:
        self.intake.restore_from_log(read_events(self.settings.event_folder, RECALLED_BYTES))


def _announce(settings: ServingSettings) -> None:
    """Tell the pipelines where the log is; where the home cannot be written, a line of the log says so."""
    try:
        announce_log(settings.home, settings.event_folder)
    except OSError as error:
        logger.warning(
            "the scheduled ingest does not read %s, since %s cannot be written (%s); name it as a source, "
            "event-log:%s",
            settings.event_folder,
            settings.home,
            error,
            settings.event_folder,
        )


def _listeners(metrics: Metrics) -> ReleaseObserver:
    served: list[tuple[str, str]] = []

    def swapped(release: Release) -> None:
        for before in served:
            metrics.release.labels(*before).set(0)
        served[:] = [(release.version, release.manifest_sha256)]
        metrics.release.labels(*served[0]).set(1)
        metrics.release_as_of.set(release.manifest.as_of.timestamp())
        metrics.swaps.inc()

    def refused(refusal: Refusal | None) -> None:
        metrics.champion_refused.set(0 if refusal is None else 1)
        if refusal is not None:
            metrics.refusals.inc()

    def polled(state: RegistryState) -> None:
        metrics.registry_reachable.set(1 if state.reachable else 0)
        metrics.download_failures.set(state.download_failures)

    return ReleaseObserver(swapped, refused, polled)
