"""What stands before Feast's feature server: it lets in who has a key, to the paths that are for them.

Feast's server asks for keys only where it looks something up. Here nothing but `/health` is answered to a
caller without one, pages of any origin cannot call it (no answer ever carries a CORS header), and paths that
nobody needs, such as its chat, are not there.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from feast.permissions.auth.token_parser import TokenParser
from feast.permissions.server.rest_token_extractor import RestTokenExtractor
from feast.permissions.user import User
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.authentication import AuthenticationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feature_repo.permissions import WRITER

OPEN = {("GET", "/health")}
"""What anybody who reaches the server may ask."""

READING = {("POST", "/get-online-features"), ("GET", "/metrics")}
"""What any team may ask; which features is for Feast's permissions to say."""

WRITING = {
    ("POST", "/materialize"),
    ("POST", "/materialize-incremental"),
    ("POST", "/push"),
    ("POST", "/write-to-online-store"),
}
"""What only the pipelines may ask."""

MOST_BYTES = 1024 * 1024
"""Largest body that is read: some thousand keys in one look-up."""

MOST_HEARD_OUT = 8 * MOST_BYTES
"""So much of a refused body is read and dropped, so that its sender gets to hear the reason."""

Answer = Callable[[Request], Awaitable[Response]]


class Gate:
    """An ASGI application before Feast's own.

    Args:
        app: Feast's feature server.
        parser: Who holds a key or token.
        metrics: Prometheus text about the features, added to that of the requests.
    """

    def __init__(self, app: ASGIApp, parser: TokenParser, metrics: Callable[[], str]) -> None:
        self._app = app
        self._parser = parser
        self._metrics = metrics
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "aisle_feature_requests",
            "Requests to the feature server.",
            ["team", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "aisle_feature_request_seconds",
            "Seconds until an answer began.",
            ["path"],
            registry=self._registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        asked = (request.method, request.url.path)
        began = time.perf_counter()
        if asked in OPEN:
            await self._app(scope, receive, send)
            return
        user = await self._user(request)
        known = asked in READING | WRITING
        path = asked[1] if known else "other"

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                team = user.username if user else "nobody"
                self._requests.labels(team, path, str(message["status"])).inc()
                self._seconds.labels(path).observe(time.perf_counter() - began)
            await send(message)

        refusal = self._refusal(request, user, asked)
        if refusal is not None:
            if user is not None:
                await _hear_out(receive)
            await refusal(scope, receive, counted)
        elif asked == ("GET", "/metrics"):
            text = generate_latest(self._registry).decode() + await run_in_threadpool(self._metrics)
            await PlainTextResponse(text)(scope, receive, counted)
        else:
            await self._app(scope, receive, counted)

    async def _user(self, request: Request) -> User | None:
        try:
            token = RestTokenExtractor().extract_access_token(request=request)
            user: User = await self._parser.user_details_from_access_token(token)
        except (AuthenticationError, ValueError):
            return None
        return user

    def _refusal(self, request: Request, user: User | None, asked: tuple[str, str]) -> Response | None:
        if user is None:
            return _refused(
                401,
                "expected `Authorization: Bearer KEY` with the key of a team, received none that is known: "
                "ask the owner of the features for one",
                {"WWW-Authenticate": "Bearer"},
            )
        if asked not in READING | WRITING:
            known = ", ".join(sorted(" ".join(one) for one in OPEN | READING | WRITING))
            return _refused(404, f"expected one of {known}, received {' '.join(asked)}")
        if asked in WRITING and WRITER not in user.roles:
            return _refused(403, f"expected role {WRITER}, received {', '.join(user.roles) or 'none'}")
        length = request.headers.get("content-length")
        if request.method == "POST" and (length is None or not length.isdigit()):
            return _refused(411, "expected a Content-Length, received none")
        if length is not None and int(length) > MOST_BYTES:
            return _refused(413, f"expected at most {MOST_BYTES} bytes, received {length}: ask in parts")
        return None


async def _hear_out(receive: Receive) -> None:
    """Read what a known caller still sends: many clients look for an answer only after the last byte."""
    heard, more = 0, True
    while more and heard < MOST_HEARD_OUT:
        message = await receive()
        heard += len(message.get("body", b""))
        more = message.get("more_body", False)


def _refused(status: int, detail: str, headers: dict[str, Any] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)
