"""The parts of one serving process, put together, started and stopped in the right order."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Self

from serving.clock import Clock
from serving.compute_threads import Workers
from serving.events import EventIntake, EventLog, LogFollower, LogProgress, announce_log, read_events
from serving.features import UserFeatures
from serving.metrics import Metrics
from serving.releases import (
    Leadership,
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

logger = logging.getLogger(__name__)

RECALLED_BYTES = 128 * 1024 * 1024
"""How much of the event log's end is read at start to restore users' newest events and detect repeats."""

FEATURES_WAIT_S = 10.0
"""How long a start waits for the feature store before it goes on without."""


@dataclass(frozen=True)
class PoolPart:
    """One worker's part in a pool, made before the workers are forked."""

    number: int
    """Of this worker, from 0."""
    progress: LogProgress
    """How far each worker's events are on disk."""
    clock: Clock
    """The one clock of all."""


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
    follower: LogFollower | None = None
    """What other workers of a pool acknowledge; None in a process of its own."""

    @classmethod
    def open(cls, settings: ServingSettings, part: PoolPart | None = None) -> Self:
        """Build the parts; only the event log runs yet.

        Args:
            settings: Of all workers.
            part: This one's part in a pool; None for a process of its own.

        Raises:
            EventLogError: Events cannot be written to disk.
        """
        clock = Clock(settings.clock_start_at) if part is None else part.clock
        metrics = Metrics()
        live = RecentEvents(settings.live_events_per_user, settings.live_users)
        event_log = EventLog(
            settings.event_folder,
            on_commit=metrics.event_commits.observe,
            on_fault=metrics.event_log_faults.inc,
            shared=None if part is None else (part.progress, part.number),
        )
        _announce(settings)
        intake = EventIntake(event_log, live, clock, settings.event_types)
        follower = None
        if part is not None:
            follower = LogFollower(settings.event_folder, event_log, part.progress, intake.learn)
        releases = Releases(
            Registry(settings.mlflow_uri, settings.model_name, settings.registry_timeout_s),
            ReleaseCache(settings.release_cache),
            settings.release_keys,
            _listeners(metrics),
            require_approval=settings.require_approval,
            leadership=None if part is None else Leadership(settings.release_cache),
        )
        features = UserFeatures(settings)
        metrics.before_exposition = lambda: metrics.live_users.set(len(live))
        return cls(
            settings=settings,
            clock=clock,
            metrics=metrics,
            releases=releases,
            features=features,
            event_log=event_log,
            intake=intake,
            answers=RecommendationService(
                releases, features, live, clock, metrics, follower.catch_up if follower else lambda: None
            ),
            shoppers=Shoppers(settings.shoppers_file, live),
            workers=Workers(
                settings.worker_threads,
                settings.max_waiting,
                metrics.stage_seconds.labels("wait").observe,
            ),
            follower=follower,
        )

    async def catch_up(self) -> None:
        """Know what other workers acknowledged until now."""
        if self.follower is not None and self.follower.is_behind:
            await asyncio.to_thread(self.follower.catch_up)

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
        if self.follower is not None:
            await asyncio.to_thread(self.follower.stop)
        self.features.stop()
        await asyncio.to_thread(self.workers.stop)
        await asyncio.to_thread(self.event_log.close)

    def _restore_events(self) -> None:
        if self.follower is None:
            self.intake.learn(read_events(self.settings.event_folder, RECALLED_BYTES))
        else:
            self.follower.restore(RECALLED_BYTES)
            self.follower.start()


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
