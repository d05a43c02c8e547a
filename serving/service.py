"""Answers list and search requests from the served release, and says what was degraded."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.clock import Clock
from serving.engine import RecommendationRequest, UserBatch, with_live_events
from serving.engine.user_batch import user_batch
from serving.errors import NoReleaseError, UnknownItemError
from serving.explanations import Reason, Recommendation, recommend
from serving.features import UserFeatures, UserRow
from serving.metrics import Metrics
from serving.releases import Release, Releases
from serving.search import SearchRequest
from serving.sessions import RecentEvents


@dataclass(frozen=True)
class RecommendationService:
    """Everything that a list is made from. Its methods run in worker threads."""

    releases: Releases
    features: UserFeatures
    live: RecentEvents
    clock: Clock
    metrics: Metrics
    catch_up: Callable[[], None] = lambda: None
    """Learns what other workers acknowledged until now."""

    def recommend(
        self, user_id: str | None, request: RecommendationRequest, language: str = "en"
    ) -> dict[str, Any]:
        """One list, as the body of an answer without its request id.

        Raises:
            NoReleaseError: There is no release, and nothing popular is known either.
        """
        self.catch_up()
        release = self.releases.current
        if release is None:
            return self._popular(request, language)
        user, degraded = self._user(release, user_id)
        started = time.perf_counter()
        (items,) = recommend(release.recommender, user, request, language)
        intent = release.intent.of(user, self.clock.now().timestamp()) if release.intent else None
        self.metrics.stage_seconds.labels("compute").observe(time.perf_counter() - started)
        return {
            **self._heading(release, degraded),
            "surface": request.surface,
            "intent": intent,
            "items": items,
        }

    def search(self, user_id: str | None, request: SearchRequest) -> dict[str, Any]:
        """One page of results with facets, as the body of an answer without its request id.

        Raises:
            NoReleaseError: There is no release, and so no index.
        """
        self.catch_up()
        release = self._release()
        user, degraded = self._user(release, user_id)
        started = time.perf_counter()
        answer = release.search.search(request, user)
        self.metrics.stage_seconds.labels("compute").observe(time.perf_counter() - started)
        return {
            **self._heading(release, degraded),
            "search_query": request.text,
            "total": answer.total,
            "match": answer.match,
            "message": answer.message,
            "did_you_mean": answer.did_you_mean,
            "facets": answer.facets,
            "items": answer.items,
        }

    def item(self, item_id: str) -> dict[str, Any]:
        """What the catalogue says of one item.

        Raises:
            NoReleaseError: There is no release, and so no catalogue.
            UnknownItemError: The catalogue has no such item.
        """
        release = self._release()
        index = release.bundle.index_of(item_id)
        if index < 0:
            raise UnknownItemError(
                f"Expected the id of one of the {release.bundle.n_items} items of release {release.version}, "
                f"received {item_id!r}. Search for it with POST /v1/search."
            )
        facts = release.bundle.item(index)
        return {
            **self._heading(release, ()),
            "item": {
                "item_id": facts.item_id,
                "title": facts.title,
                "description": facts.description,
                "brand": facts.brand,
                "category": facts.category,
                "price": facts.price,
                "image_url": facts.image_url,
                "available": facts.available,
                "attributes": list(facts.attributes or ()),
            },
        }

    def categories(self) -> dict[str, Any]:
        """The catalogue's categories, two levels deep, the largest first.

        Raises:
            NoReleaseError: There is no release, and so no catalogue.
        """
        release = self._release()
        return {**self._heading(release, ()), "categories": release.categories}

    def degraded_parts(self) -> list[str]:
        """What the process does without just now, whoever asks."""
        parts = []
        if self.releases.current is None:
            parts.append("no_release")
        if self.releases.refusal is not None:
            parts.append("champion_refused")
        if self.releases.registry_state.error is not None:
            parts.append("registry")
        return parts

    def _release(self) -> Release:
        release = self.releases.current
        if release is None:
            raise NoReleaseError(no_release_sentence(self.releases))
        return release

    def _user(self, release: Release, user_id: str | None) -> tuple[UserBatch, tuple[str, ...]]:
        now = self.clock.now()
        row, degraded = self._row(user_id, now)
        return user_batch(release.bundle, [row], [now.timestamp()]), degraded

    def _row(self, user_id: str | None, now: datetime) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        if user_id is None:
            return {}, ()
        started = time.perf_counter()
        row: UserRow = self.features.row_of(user_id, now)
        self.metrics.stage_seconds.labels("user_features").observe(time.perf_counter() - started)
        live = self.live.of(user_id)
        return with_live_events(row.values, live) if live else row.values, row.degraded

    def _heading(self, release: Release | None, degraded: tuple[str, ...]) -> dict[str, Any]:
        parts = [*self.degraded_parts(), *degraded]
        if release is not None:
            parts.extend(release.missing_parts)
        for part in parts:
            self.metrics.degraded.labels(part).inc()
        served = None if release is None else {"version": release.version, "digest": release.manifest_sha256}
        return {"release": served, "degraded": parts}

    def _popular(self, request: RecommendationRequest, language: str) -> dict[str, Any]:
        """The most popular items by the events received here, which is all there is without a release.

        Events of the last week come first; older ones are used, and not called recent, if there is none.
        """
        filters = request.filters
        needs_catalogue = (
            request.surface == "category"
            or filters.category is not None
            or filters.brands
            or filters.min_price is not None
            or filters.max_price is not None
        )
        left_out = {request.item_id, *request.cart, *filters.exclude_ids}
        popular: list[tuple[str, float]] = []
        code = "popular_this_week"
        if not needs_catalogue:
            enough = request.k + len(left_out)
            popular = self.live.popular_this_week(enough, self.clock.now())
            if not any(item_id not in left_out for item_id, _ in popular):
                popular, code = self.live.popular(enough), "popular"
        chosen = [(item_id, weight) for item_id, weight in popular if item_id not in left_out][: request.k]
        if not chosen:
            raise NoReleaseError(no_release_sentence(self.releases))
        return {
            **self._heading(None, ()),
            "surface": request.surface,
            "intent": None,
            "items": [
                Recommendation(
                    rank=rank,
                    item_id=item_id,
                    title=None,
                    brand=None,
                    category=None,
                    price=None,
                    image_url=None,
                    score=weight,
                    source="popularity",
                    reason=Reason(code).text(language),
                    reason_code=code,
                )
                for rank, (item_id, weight) in enumerate(chosen, start=1)
            ],
        }


def no_release_sentence(releases: Releases) -> str:
    """Why there is nothing to answer from, and what to do."""
    if releases.refusal is not None:
        return (
            f"Version {releases.refusal.version} is champion and was refused: {releases.refusal.reason} "
            "No release was served before it."
        )
    if (error := releases.registry_state.error) is not None:
        return f"No release is on this machine, and the registry cannot be asked: {error}"
    if releases.registry_state.checked_at is None:
        return "The registry is being asked which release is approved; ask again in some seconds."
    if (version := releases.registry_state.champion_version) is not None:
        return f"Version {version} is approved and being fetched; ask again in some seconds."
    return (
        "No release has been approved yet. Move alias `champion` in the MLflow UI to a version that passed "
        "the gate, or run `aisle release promote`; serving follows within seconds."
    )
