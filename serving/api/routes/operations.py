"""What is served and how it goes: `/v1/release`, `/healthz`, `/readyz`, `/metrics`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.problems import request_id_of
from serving.api.responses import HealthOut, JsonAnswer, ReleaseOut
from serving.metrics import CONTENT_TYPE
from serving.releases import facts_of
from serving.runtime import Runtime


def routes(shop: Runtime) -> APIRouter:
    """The routes for those who run the process."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/v1/release",
        summary="Which release is served",
        responses={200: {"model": ReleaseOut}},
        response_model=None,
    )
    async def release(request: Request) -> JsonAnswer:
        """Answer what is served since when, what the registry says, and why a champion is refused."""
        releases = shop.releases
        current, refusal, state = releases.current, releases.refusal, releases.registry_state
        return JsonAnswer(
            {
                "request_id": request_id_of(request),
                "release": facts_of(current) if current is not None else None,
                "registry": state,
                "refusal": refusal,
                "degraded": faults(shop),
            }
        )

    @router.get(
        "/healthz", summary="Is the process alive", responses={200: {"model": HealthOut}}, response_model=None
    )
    async def healthz() -> JsonAnswer:
        """Answer as long as the process can answer at all."""
        return JsonAnswer({"status": "alive", "reasons": []})

    @router.get(
        "/readyz",
        summary="Can it answer lists",
        responses={200: {"model": HealthOut}, 503: {"model": HealthOut}},
        response_model=None,
    )
    async def readyz() -> JsonAnswer:
        """Answer 200 once a release is served and events can be kept, with what it still does without."""
        parts = faults(shop)
        ready = not {"no_release", "event_log"} & set(parts)
        return JsonAnswer(
            {"status": "ready" if ready else "not_ready", "reasons": parts}, status_code=200 if ready else 503
        )

    @router.get("/metrics", summary="Measurements for Prometheus", response_class=Response)
    async def metrics() -> Response:
        """Answer the process's counters, gauges and histograms."""
        return Response(shop.metrics.exposition(), media_type=CONTENT_TYPE)

    return router


def faults(shop: Runtime) -> list[str]:
    """What the process does without just now, event log and feature store included."""
    parts = shop.answers.degraded_parts()
    if shop.releases.current is not None:
        parts.extend(shop.releases.current.missing_parts)
    if shop.features.fault is not None:
        parts.append("user_features")
    if shop.event_log.fault is not None:
        parts.append("event_log")
    return parts
