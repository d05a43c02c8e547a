"""The catalogue: what every declared feature means, where it comes from, and who reads it."""

from collections.abc import Collection, Mapping

from feast import FeatureView, Field
from pydantic import BaseModel, ConfigDict

from pipelines.errors import FeatureError, WrongUsageError
from pipelines.features.catalog.freshness import budget_of
from pipelines.features.registry import lake_table_of, source_of
from pipelines.features.registry.declarations import declarations


class FeatureEntry(BaseModel):
    """What is declared of one feature."""

    model_config = ConfigDict(frozen=True)

    view: str
    """The feature view it belongs to."""

    name: str
    """Its name in the view."""

    entity: str
    """The key by which it is looked up."""

    type: str
    """Feast's type of its values."""

    meaning: str
    """What a value says, one sentence."""

    unit: str
    """What it is counted in."""

    window: str
    """Which time it is about."""

    null: str
    """When there is no value."""

    kind: str
    """`time series`, `interaction`, `sequence` or `profile`."""

    freshness: str
    """How often it is made anew."""

    budget_hours: float
    """How old what is served may become."""

    online: bool
    """Whether it is served online; otherwise it is in the lake only."""

    source: str
    """The lake table that holds it, and what that table is about."""

    owner: str
    """Who answers for it."""

    services: tuple[str, ...]
    """Feature services that hold it."""

    releases: tuple[str, ...]
    """Releases that were trained on one of these services, such as `champion 7`."""

    @property
    def reference(self) -> str:
        """How Feast names it: `view:feature`."""
        return f"{self.view}:{self.name}"


def catalogue(releases: Mapping[str, Collection[str]] | None = None) -> list[FeatureEntry]:
    """Return every declared feature, in the order of views and of their declaration.

    Args:
        releases: Names of the feature services that each release reads; by default no release is known.
    """
    declared = declarations()
    services: dict[tuple[str, str], list[str]] = {}
    for service in declared.feature_services:
        for projection in service.feature_view_projections:
            for feature in projection.features:
                services.setdefault((projection.name, feature.name), []).append(service.name)
    return [
        _entry(view, feature, services.get((view.name, feature.name), []), releases or {})
        for view in declared.feature_views
        for feature in view.features
    ]


def find_entry(entries: list[FeatureEntry], name: str) -> FeatureEntry:
    """Return the feature of that name, `feature` or `view:feature`.

    Raises:
        FeatureError: There is none.
        WrongUsageError: Several views have one of that name.
    """
    found = [one for one in entries if name in (one.name, one.reference)]
    if not found:
        near = [one.reference for one in entries if name.split(":")[-1] in one.reference]
        like = f"such as {', '.join(near[:5])}" if near else "`aisle features list` shows them"
        raise FeatureError(f"expected a declared feature, received {name!r}: {like}")
    if len(found) > 1:
        raise WrongUsageError(
            f"expected one feature, received {name!r}, which is in several views: say which of "
            f"{', '.join(one.reference for one in found)}"
        )
    return found[0]


def _entry(
    view: FeatureView, feature: Field, services: list[str], releases: Mapping[str, Collection[str]]
) -> FeatureEntry:
    source = source_of(view)
    return FeatureEntry(
        view=view.name,
        name=feature.name,
        entity=", ".join(column.name for column in view.entity_columns),
        type=str(feature.dtype),
        meaning=feature.description,
        unit=feature.tags["unit"],
        window=feature.tags["window"],
        null=feature.tags["null"],
        kind=view.tags["kind"],
        freshness=view.tags["freshness"],
        budget_hours=budget_of(view),
        online=bool(view.online),
        source=f"{lake_table_of(view)}: {source.description}",
        owner=view.owner,
        services=tuple(services),
        releases=tuple(name for name, read in releases.items() if set(read) & set(services)),
    )
