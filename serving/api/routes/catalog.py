"""What the storefront needs besides lists: an item, the categories, the shoppers."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from serving.api.problems import Problem, request_id_of
from serving.api.responses import CategoriesOut, ItemOut, JsonAnswer, ShoppersOut
from serving.events import LONGEST_ID
from serving.runtime import Runtime

NO_RELEASE: dict[int | str, dict[str, Any]] = {503: {"model": Problem, "description": "No release is served"}}


def routes(shop: Runtime) -> APIRouter:
    """The routes that show the catalogue."""
    router = APIRouter(prefix="/v1", tags=["catalogue"])

    @router.get(
        "/items/{item_id:path}",
        summary="One item",
        responses={200: {"model": ItemOut}, 404: {"model": Problem}, **NO_RELEASE},
        response_model=None,
    )
    async def item(
        item_id: Annotated[str, Path(min_length=1, max_length=LONGEST_ID)], request: Request
    ) -> JsonAnswer:
        """Answer what the served release's catalogue says of an item."""
        answer = await shop.workers.run(partial(shop.answers.item, item_id))
        return JsonAnswer({"request_id": request_id_of(request), **answer})

    @router.get(
        "/categories",
        summary="The catalogue's categories",
        responses={200: {"model": CategoriesOut}, **NO_RELEASE},
        response_model=None,
    )
    async def categories(request: Request) -> JsonAnswer:
        """Answer the departments and their categories, those with most items first."""
        return JsonAnswer({"request_id": request_id_of(request), **shop.answers.categories()})

    @router.get(
        "/shoppers",
        summary="Shoppers that the storefront offers",
        responses={200: {"model": ShoppersOut}},
        response_model=None,
    )
    async def shoppers(request: Request, k: Annotated[int, Query(ge=1, le=100)] = 24) -> JsonAnswer:
        """Answer the shoppers that this installation shows, and those who acted last."""
        found = shop.shoppers.first(k)
        return JsonAnswer({"request_id": request_id_of(request), "shoppers": found})

    return router
