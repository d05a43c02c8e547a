"""What serving measures of itself, in the format of Prometheus."""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

LATENCY_BUCKETS_S = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters, gauges and histograms of one serving process.

    Among workers of a pool they are written to files (`PROMETHEUS_MULTIPROC_DIR`), and every worker shows the
    sum of all counters and histograms, and of each gauge the value that was set last or the largest one.
    """

    def __init__(self) -> None:
        self.before_exposition: Callable[[], object] = lambda: None
        """Called before all is shown, to set what is looked up then."""
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "aisle_requests_total", "Requests answered.", ["route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "aisle_request_seconds",
            "Seconds from the first byte of a request to the end of its answer.",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "aisle_stage_seconds",
            "Seconds of one stage of a list: user features, waiting for a thread, computing.",
            ["stage"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.degraded = Counter(
            "aisle_degraded_answers_total",
            "Answers given without one of their parts.",
            ["part"],
            registry=registry,
        )
        self.overloaded = Counter(
            "aisle_overloaded_total", "Requests refused because too many were waiting.", registry=registry
        )
        self.events = Counter(
            "aisle_events_total", "Events received, by what became of them.", ["status"], registry=registry
        )
        self.event_commits = Histogram(
            "aisle_event_commit_seconds",
            "Seconds that making one group of events durable took.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.event_log_faults = Counter(
            "aisle_event_log_faults_total", "Groups of events that the disk refused.", registry=registry
        )
        self.live_users = Gauge(
            "aisle_live_users",
            "Users whose newest events are in memory.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.release = Gauge(
            "aisle_release_served",
            "1 for the release that is served now.",
            ["version", "digest"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.release_as_of = Gauge(
            "aisle_release_as_of_seconds",
            "Cutoff of the served release's data, unix seconds.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.swaps = Counter("aisle_release_swaps_total", "Releases taken into service.", registry=registry)
        self.refusals = Counter(
            "aisle_release_refusals_total",
            "Champions that were refused, the last good release kept.",
            registry=registry,
        )
        self.champion_refused = Gauge(
            "aisle_release_champion_refused",
            "1 while the registry's champion is refused.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.registry_reachable = Gauge(
            "aisle_registry_reachable",
            "1 while the model registry answers.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.download_failures = Gauge(
            "aisle_release_download_failures",
            "Downloads of the champion that failed in a row; 0 once one succeeds.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )

    def exposition(self) -> bytes:
        """All of it as text, as Prometheus scrapes it."""
        self.before_exposition()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
