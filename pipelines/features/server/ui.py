"""Feast's UI, read-only: a copy of the registry, no online store, GET alone, known hosts.

Feast's own UI asks nobody who they are: it answers any Host, looks features up, pushes, and rewrites the
permissions in the registry that it was started on.
"""

import tempfile
from pathlib import Path

import uvicorn
from feast import FeatureStore, RepoConfig
from feast.ui_server import get_app
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.features.registry import open_store
from pipelines.settings import Settings

LOOPBACK = "127.0.0.1"
HOSTS = [LOOPBACK, "localhost"]
"""Names by which the UI may be called; a page elsewhere that points a name at this machine is refused."""

READING = frozenset({"GET", "HEAD"})


class ReadOnly:
    """Lets requests through that read, and refuses all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and scope["method"] not in READING:
            detail = f"expected GET or HEAD, received {scope['method']}: this page is for looking"
            await JSONResponse({"detail": detail}, 405, {"Allow": "GET, HEAD"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def build_ui(settings: Settings, folder: Path) -> ASGIApp:
    """Feast's UI over a copy of the registry in `folder`, without an online store."""
    store = open_store(settings)
    registry = folder / "registry.db"
    registry.write_bytes(store.registry.proto().SerializeToString())
    config = RepoConfig(
        project=store.project,
        provider="local",
        registry=str(registry),
        online_store=None,
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    config.repo_path = folder
    app = get_app(FeatureStore(config=config), store.project)
    return TrustedHostMiddleware(ReadOnly(app), allowed_hosts=HOSTS, www_redirect=False)


def show_ui(settings: Settings, port: int) -> None:
    """Serve the UI on loopback until stopped; it shows the registry as it was at the start."""
    with tempfile.TemporaryDirectory(prefix="aisle-feast-ui-") as folder:
        app = build_ui(settings, Path(folder))
        uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", access_log=False, server_header=False)
