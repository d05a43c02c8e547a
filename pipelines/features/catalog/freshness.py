"""How old what is built and served is, against the budget that each feature view declares."""

from datetime import UTC, datetime, timedelta

from feast import FeatureStore, FeatureView
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError
from pipelines.features.registry import last_build, open_store
from pipelines.lake import open_lake
from pipelines.settings import Settings

BUDGET_TAG = "budget_hours"
"""Tag of a feature view: how old what is served may become, in hours."""


class ViewFreshness(BaseModel):
    """How old one feature view is."""

    model_config = ConfigDict(frozen=True)

    view: str
    """Name of the feature view."""

    online: bool
    """Whether it is served online; otherwise it is read from the lake, and as old as the last build."""

    budget_hours: float
    """How old it may become."""

    built_as_of: datetime
    """The instant up to which events are in the lake's feature tables."""

    served_as_of: datetime | None
    """The instant up to which events are in what is read; None: it was never materialized."""

    age_hours: float | None
    """From that instant to the instant of the question; None: it was never materialized."""

    @property
    def is_over_budget(self) -> bool:
        """Whether it is older than it may be, or was never materialized."""
        return self.age_hours is None or self.age_hours > self.budget_hours


def freshness(settings: Settings, at: datetime, store: FeatureStore | None = None) -> list[ViewFreshness]:
    """Return how old each applied feature view is at an instant, the oldest against its budget first.

    Args:
        settings: Where the stores are.
        at: The instant of the question.
        store: Feast, if it is open already.

    Raises:
        FeatureError: Nothing was built or applied, or a view has no budget.
    """
    built_as_of: datetime = last_build(open_lake(settings))["as_of"]
    views = (store or open_store(settings)).list_feature_views()
    if not views:
        raise FeatureError("expected applied feature views, received none: run `aisle features apply`")
    found = [_of(view, built_as_of, at) for view in views]
    return sorted(found, key=lambda one: (-_share(one), one.view))


def freshness_metrics(found: list[ViewFreshness]) -> str:
    """Return the same as Prometheus text, for the feature server's `/metrics` or a textfile collector."""
    registry = CollectorRegistry()
    age = Gauge(
        "aisle_features_age_seconds",
        "Seconds from the last event in what is served; not there while nothing is served.",
        ["view"],
        registry=registry,
    )
    budget = Gauge("aisle_features_budget_seconds", "How old a view may become.", ["view"], registry=registry)
    over = Gauge(
        "aisle_features_over_budget", "1 where a view is older than it may be.", ["view"], registry=registry
    )
    for one in found:
        if one.age_hours is not None:
            age.labels(one.view).set(one.age_hours * 3600)
        budget.labels(one.view).set(one.budget_hours * 3600)
        over.labels(one.view).set(one.is_over_budget)
    return generate_latest(registry).decode()


def budget_of(view: FeatureView) -> float:
    """The budget that a view declares, in hours.

    Raises:
        FeatureError: It declares none.
    """
    try:
        return float(view.tags[BUDGET_TAG])
    except (KeyError, ValueError) as error:
        raise FeatureError(
            f"expected tag {BUDGET_TAG} with a number of hours on feature view {view.name}, received "
            f"{view.tags.get(BUDGET_TAG)!r}: declare it in feature_repo and run `aisle features apply`"
        ) from error


def _of(view: FeatureView, built_as_of: datetime, at: datetime) -> ViewFreshness:
    online = bool(view.online)
    intervals = view.materialization_intervals
    served: datetime | None = built_as_of
    if online:
        served = intervals[-1][1] if intervals else None
    return ViewFreshness(
        view=view.name,
        online=online,
        budget_hours=budget_of(view),
        built_as_of=built_as_of,
        served_as_of=None if served is None else served.astimezone(UTC),
        age_hours=None if served is None else round((at - served) / timedelta(hours=1), 3),
    )


def _share(one: ViewFreshness) -> float:
    """Age as a share of the budget; what is not there is the oldest of all."""
    return float("inf") if one.age_hours is None else one.age_hours / one.budget_hours
