"""What every request passes first (id, caller, size), and the headers that every answer carries."""

import hmac
import logging
import time
import uuid
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import INTERNAL, problem
from serving.metrics import Metrics
from serving.settings import ServingSettings, is_loopback

logger = logging.getLogger(__name__)

PROTECTED = ("/v1/", "/metrics")
"""Paths that need the API key, where one is set."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class RequestMiddleware:
    """Wraps the application.

    Args:
        app: What answers.
        settings: The key, the hosts and the limits.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, settings: ServingSettings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key is not None else None
        self._hosts = _hosts(settings)
        self._max_body_bytes = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        try:
            refusal = self._refusal(Request(scope))
            answer: ASGIApp = refusal if refusal is not None else self._app
            await answer(scope, self._limited(receive), send_with_headers)
        except Exception:
            # Nothing that one request runs into may end the process or show its insides.
            logger.exception("request %s failed", request_id)
            if status != 500:
                raise
            failure = problem(Request(scope), 500, "internal", "The request failed", INTERNAL)
            await failure(scope, receive, send_with_headers)
        finally:
            # `/v1/items/{item_id:path}` is `/v1/items/{item_id}` in the documents and in the metrics.
            route = getattr(scope.get("route"), "path", "other").replace(":path}", "}")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - started)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that may not go on, or None."""
        headers = request.headers
        host = _name_of(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            return problem(
                request, 421, "unknown-host", "This process is not called so",
                f"Expected one of the hosts {', '.join(sorted(self._hosts))}, received {host[:80]!r}. "
                "Add it to AISLE_SERVING_ALLOWED_HOSTS if it is right.",
            )  # fmt: skip
        if (
            self._key is not None
            and request.scope["path"].startswith(PROTECTED)
            and not self._has_key(headers)
        ):
            return problem(
                request, 401, "no-key", "An API key is needed",
                "Send the key of AISLE_SERVING_API_KEY as `Authorization: Bearer …`.",
                headers={"WWW-Authenticate": 'Bearer realm="aisle"'},
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._max_body_bytes:
            return problem(
                request, 413, "too-large", "The body is too large", self._too_large(f"{length[:20]} bytes")
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":
            return problem(
                request, 415, "not-json", "The body is not JSON",
                f"Expected the header `Content-Type: application/json`, received {kind[:80]!r}.",
            )  # fmt: skip
        return None

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode(), self._key or b"")

    def _limited(self, receive: Receive) -> Receive:
        """`receive`, refusing a body that says nothing of its length and grows beyond the limit."""
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(413, self._too_large("more"))
            return message

        return receive_within_limit

    def _too_large(self, received: str) -> str:
        return f"Expected at most {self._max_body_bytes} bytes, received {received}. Send smaller batches."


def _hosts(settings: ServingSettings) -> frozenset[str] | None:
    """Names by which this process may be called; None lets every name through.

    Without a key, a web page that points its own name at this machine must not be able to read shoppers' data
    through a visitor's browser (DNS rebinding).
    """
    if settings.api_key is not None and not settings.allowed_hosts:
        return None
    names: Iterable[str] = ("localhost", "127.0.0.1", "::1", *settings.allowed_hosts)
    if is_loopback(settings.host):
        names = (*names, settings.host)
    return frozenset(name.lower() for name in names)


def _name_of(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
