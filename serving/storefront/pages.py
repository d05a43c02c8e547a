"""Serves the storefront's files from memory; they come with the package and hold nothing of the shop."""

import hashlib
import html
from importlib.resources import files
from string import Template

from fastapi import APIRouter
from starlette.responses import Response

from serving.settings import ServingSettings

KINDS = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def routes(settings: ServingSettings) -> APIRouter:
    """The page at `/` and the files that it loads."""
    router = APIRouter(include_in_schema=False)
    folder = files("serving.storefront")
    assets = {
        entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.rpartition(".")[2] in KINDS
    }
    build = hashlib.sha256(b"".join(assets[name] for name in sorted(assets))).hexdigest()[:12]
    page = Template(folder.joinpath("index.html").read_text(encoding="utf-8")).substitute(
        build=build,
        shop_name=html.escape(settings.shop_name),
        currency=html.escape(settings.currency),
        key_needed="yes" if settings.api_key is not None else "no",
    )

    @router.get("/")
    async def storefront() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")

    @router.get("/favicon.ico")
    async def icon() -> Response:
        return Response(assets["icon.svg"], media_type=KINDS["svg"])

    @router.get("/storefront/{asked_build}/{name}")
    async def asset(asked_build: str, name: str) -> Response:
        content = assets.get(name)
        if content is None:
            return Response(status_code=404)
        # The address names the content, so a browser may keep it for good.
        kept = "public, max-age=31536000, immutable" if asked_build == build else "no-store"
        return Response(content, media_type=KINDS[name.rpartition(".")[2]], headers={"cache-control": kept})

    return router
