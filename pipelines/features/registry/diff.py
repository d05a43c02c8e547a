"""What an edit of `feature_repo` would change, and which feature services it would break."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from feast import FeatureStore, FeatureView, FileSource
from feast.feature_view import DUMMY_ENTITY_NAME

from pipelines.features.registry.declarations import declarations

What = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is applied and what is declared."""

    kind: str
    """`entity`, `feature view`, `feature` or `feature service`."""

    name: str
    """Of the object; a feature is `view:feature`."""

    what: What

    detail: str
    """What it was and what it would be; empty where the name says all."""


@dataclass(frozen=True, slots=True)
class View:
    """A feature view as its readers see it."""

    keys: tuple[tuple[str, str], ...]
    """Join keys and their types."""

    features: Mapping[str, str]
    """Feast types by feature."""

    ttl: timedelta
    """Zero: for ever."""

    online: bool

    source: tuple[str, str]
    """Table or file, and the column with the instants."""

    words: Any
    """Description, tags and owner."""

    feature_words: Mapping[str, Any] = field(default_factory=dict)
    """Descriptions and tags by feature."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Entities, feature views and feature services by name."""

    entities: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Join key and type."""

    views: Mapping[str, View] = field(default_factory=dict)

    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Features as `view:feature`, in order."""


def declared_repository() -> Repository:
    """What `feature_repo` declares."""
    found = declarations()
    return _repository(found.entities, found.feature_views, found.feature_services)


def applied_repository(store: FeatureStore) -> Repository:
    """What the registry holds."""
    return _repository(store.list_entities(), store.list_feature_views(), store.list_feature_services())


def changes_between(applied: Repository, declared: Repository) -> list[Change]:
    """Everything that applying the declarations would change."""
    return [
        *_changes("entity", applied.entities, declared.entities, _entity_detail),
        *_changes("feature view", applied.views, declared.views, _view_detail),
        *_feature_changes(applied, declared),
        *_changes("feature service", applied.services, declared.services, _service_detail),
    ]


def broken_services(applied: Repository, declared: Repository) -> dict[str, list[str]]:
    """Why readers of an applied feature service could no longer read what they read now, by service.

    What is only added breaks nobody.
    """
    broken = {name: list(_breaks(name, applied, declared)) for name in applied.services}
    return {name: reasons for name, reasons in broken.items() if reasons}


def _breaks(service: str, applied: Repository, declared: Repository) -> Iterator[str]:
    if service not in declared.services:
        yield "the service is removed"
        return
    features = applied.services[service]
    for reference in features:
        view, _, name = reference.partition(":")
        new = declared.views.get(view)
        if new is None or name not in new.features or reference not in declared.services[service]:
            yield f"{reference} is removed"
            continue
        old_type = applied.views[view].features[name]
        if new.features[name] != old_type:
            yield f"{reference} turns from {old_type} to {new.features[name]}"
    for view in dict.fromkeys(reference.partition(":")[0] for reference in features):
        old_view, new_view = applied.views[view], declared.views.get(view)
        if new_view is None:
            continue
        if new_view.keys != old_view.keys:
            yield f"{view} is looked up by {_keys(new_view)} instead of {_keys(old_view)}"
        if old_view.online and not new_view.online:
            yield f"{view} is no longer served online"
        if new_view.ttl and (not old_view.ttl or new_view.ttl < old_view.ttl):
            yield f"{view} lives for {new_view.ttl} instead of {_life(old_view)}"


def _repository(entities: Any, views: Any, services: Any) -> Repository:
    return Repository(
        entities={
            one.name: (one.join_key, one.value_type.name) for one in entities if one.name != DUMMY_ENTITY_NAME
        },
        views={view.name: _view(view) for view in views},
        services={
            service.name: tuple(
                f"{projection.name}:{one.name}"
                for projection in service.feature_view_projections
                for one in projection.features
            )
            for service in services
        },
    )


def _view(view: FeatureView) -> View:
    source = view.batch_source
    return View(
        keys=tuple((column.name, str(column.dtype)) for column in view.entity_columns),
        features={one.name: str(one.dtype) for one in view.features},
        ttl=view.ttl or timedelta(0),
        online=bool(view.online),
        source=(str(source.path), str(source.timestamp_field))
        if isinstance(source, FileSource)
        else ("", ""),
        words=(view.description, tuple(sorted(view.tags.items())), view.owner),
        feature_words={one.name: (one.description, tuple(sorted(one.tags.items()))) for one in view.features},
    )


def _changes(
    kind: str, applied: Mapping[str, Any], declared: Mapping[str, Any], detail: Any
) -> Iterator[Change]:
    for name in sorted(applied.keys() | declared.keys()):
        if name not in applied:
            yield Change(kind, name, "added", "")
        elif name not in declared:
            yield Change(kind, name, "removed", "")
        elif told := detail(applied[name], declared[name]):
            yield Change(kind, name, "changed", told)


def _feature_changes(applied: Repository, declared: Repository) -> Iterator[Change]:
    def features(of: Repository) -> dict[str, tuple[str, Any]]:
        both = applied.views.keys() & declared.views.keys()
        return {
            f"{view}:{name}": (kind, of.views[view].feature_words.get(name))
            for view in sorted(both)
            for name, kind in of.views[view].features.items()
        }

    return _changes("feature", features(applied), features(declared), _feature_detail)


def _from_to(old: str, new: str) -> str:
    return "" if old == new else f"{old} → {new}"


def _feature_detail(old: tuple[str, Any], new: tuple[str, Any]) -> str:
    return _from_to(old[0], new[0]) or ("described anew" if old != new else "")


def _entity_detail(old: tuple[str, str], new: tuple[str, str]) -> str:
    return _from_to(" ".join(old), " ".join(new))


def _view_detail(old: View, new: View) -> str:
    told = [
        ("keys", _keys(old), _keys(new)),
        ("time to live", _life(old), _life(new)),
        ("served online", str(old.online), str(new.online)),
        ("source", " by ".join(old.source), " by ".join(new.source)),
    ]
    details = [f"{name} {_from_to(before, after)}" for name, before, after in told if before != after]
    if old.words != new.words and not details:
        details.append("described anew")
    return ", ".join(details)


def _service_detail(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    gone = [one for one in old if one not in new]
    come = [one for one in new if one not in old]
    parts = [f"without {', '.join(gone)}"] if gone else []
    parts += [f"with {', '.join(come)}"] if come else []
    return "; ".join(parts) or ("in another order" if old != new else "")


def _keys(view: View) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in view.keys) or "nothing"


def _life(view: View) -> str:
    return str(view.ttl) if view.ttl else "for ever"
