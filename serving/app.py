"""The application: its routes, its errors, and the start and end of what stands behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from serving.api import RequestMiddleware, problems
from serving.api.routes import catalog, events, operations, recommendations
from serving.runtime import PoolPart, Runtime
from serving.settings import ServingSettings, check_exposure
from serving.storefront import pages

DESCRIPTION = """\
Recommendations and search for a shop, answered from the release that a person approved.

Every list carries a `request_id`, the release that answered, and in `degraded` what it had to do without.
Errors are problem details (RFC 9457): they say what was expected, what was received and what to do.
"""


def create_app(settings: ServingSettings, part: PoolPart | None = None) -> FastAPI:
    """The application of one serving process.

    Args:
        settings: How it serves.
        part: Its part in a pool of workers; None for a process of its own.

    Raises:
        ConfigurationError: The settings cannot be right together.
        EventLogError: Events could not be kept.
    """
    check_exposure(settings)
    shop = Runtime.open(settings, part)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await shop.start()
        try:
            yield
        finally:
            await shop.stop()

    app = FastAPI(
        title="Aisle",
        version=version("aisle"),
        description=DESCRIPTION,
        lifespan=lifespan,
        # Their pages would load scripts from elsewhere; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
    )
    app.state.shop = shop
    app.add_middleware(RequestMiddleware, settings=settings, metrics=shop.metrics)
    problems.install(app)
    for routes in (recommendations.routes, events.routes, catalog.routes, operations.routes):
        app.include_router(routes(shop))
    if settings.storefront:
        app.include_router(pages.routes(settings))
    return app
