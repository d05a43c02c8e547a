"""`POST /v1/recommendations` and `POST /v1/search`."""

from functools import partial

from fastapi import APIRouter, Request

from serving.api.problems import Problem, request_id_of
from serving.api.requests import RecommendationsIn, SearchIn
from serving.api.responses import JsonAnswer, RecommendationsOut, SearchOut
from serving.runtime import Runtime


def routes(shop: Runtime) -> APIRouter:
    """The routes that answer lists."""
    router = APIRouter(
        prefix="/v1", tags=["lists"], responses={503: {"model": Problem}, 422: {"model": Problem}}
    )

    @router.post(
        "/recommendations",
        summary="One list for a surface",
        responses={200: {"model": RecommendationsOut}},
        response_model=None,
    )
    async def recommendations(body: RecommendationsIn, request: Request) -> JsonAnswer:
        """Answer one list: `home`, a product page's `item` shelf, the `cart`'s complements, or a `category`.

        A shopper or a product that nobody knows still gets a list. Each item carries its score, what offered
        it, and a reason that the shopper can read. Send `request_id` back with the events that follow.
        """
        answer = await shop.workers.run(
            partial(shop.answers.recommend, body.user_id, body.request(), body.language)
        )
        return JsonAnswer({"request_id": request_id_of(request), **answer})

    @router.post(
        "/search", summary="Search the catalogue", responses={200: {"model": SearchOut}}, response_model=None
    )
    async def search(body: SearchIn, request: Request) -> JsonAnswer:
        """Answer one page of results, ranked for the shopper, with the facets of all results.

        Misspelt words are met; an empty search browses; when nothing is found, `message` says so and
        `did_you_mean` may hold a better search.
        """
        answer = await shop.workers.run(partial(shop.answers.search, body.user_id, body.request()))
        return JsonAnswer({"request_id": request_id_of(request), **answer})

    return router
