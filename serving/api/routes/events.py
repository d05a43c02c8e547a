"""`POST /v1/events`."""

from collections import Counter

from fastapi import APIRouter, Request

from serving.api.problems import Problem, request_id_of
from serving.api.requests import EventsIn
from serving.api.responses import EventsOut, JsonAnswer
from serving.runtime import Runtime


def routes(shop: Runtime) -> APIRouter:
    """The route that takes events in."""
    router = APIRouter(prefix="/v1", tags=["events"])

    @router.post(
        "/events",
        summary="Tell what shoppers did",
        responses={
            200: {"model": EventsOut},
            422: {"model": EventsOut, "description": "No event of the batch could be accepted"},
            503: {"model": Problem},
        },
        response_model=None,
    )
    async def events(body: EventsIn, request: Request) -> JsonAnswer:
        """Keep a batch of events; what is answered `accepted` is on disk, also after a crash.

        Each event is judged on its own. One whose `event_id` is known already is a `duplicate` and is not
        kept twice, so a batch can be sent again whenever its answer was lost. The shopper's next list knows
        of the accepted ones.
        """
        await shop.catch_up()
        verdicts = await shop.intake.take(body.judged())
        counts = Counter(verdict.status for verdict in verdicts)
        for status, count in counts.items():
            shop.metrics.events.labels(status).inc(count)
        return JsonAnswer(
            {
                "request_id": request_id_of(request),
                "accepted": counts["accepted"],
                "duplicates": counts["duplicate"],
                "rejected": counts["rejected"],
                "events": verdicts,
            },
            status_code=422 if counts["rejected"] == len(verdicts) else 200,
        )

    return router
