"""How errors read: problem details (RFC 9457) that say what was expected, what was received, what to do."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from serving.api.requests import describe
from serving.errors import EventLogError, NoReleaseError, OverloadedError, ServingError, UnknownItemError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SHOWN_ERRORS = 20
"""Errors of one request that are listed; the rest is counted."""


class Problem(BaseModel):
    """What went wrong with a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:aisle:problem:unprocessable",
                    "title": "The request does not fit its contract",
                    "status": 422,
                    "detail": "k: Input should be less than or equal to 100, received 5000",
                    "request_id": "0f8fad5bd9cb469fa16570867728950e",
                    "errors": ["k: Input should be less than or equal to 100, received 5000"],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[str] | None = None


def problem(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    errors: list[str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer that tells of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:aisle:problem:{kind}",
        "title": title,
        "status": status,
        "detail": writable(detail),
        "request_id": request_id_of(request),
    }
    if errors is not None:
        body["errors"] = [writable(error) for error in errors]
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def writable(text: str) -> str:
    """`text` without the half characters (lone surrogates) that a hostile body may hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def request_id_of(request: Request) -> str:
    """The id that this request's answer carries."""
    request_id: str = request.scope["state"]["request_id"]
    return request_id


def install(app: FastAPI) -> None:
    """Let every error of `app` read as a problem."""
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(ServingError, _serving_error)


async def _unprocessable(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    reasons = [describe(detail) for detail in found]
    shown = reasons[:SHOWN_ERRORS]
    if len(reasons) > len(shown):
        shown.append(f"and {len(reasons) - len(shown)} more")
    unreadable = any(detail["type"] == "json_invalid" for detail in found)
    return problem(
        request,
        400 if unreadable else 422,
        "unreadable" if unreadable else "unprocessable",
        "The body is not JSON" if unreadable else "The request does not fit its contract",
        shown[0] if shown else "The request does not fit its contract; see /openapi.json.",
        errors=shown,
    )


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    hints = {
        400: f"{error.detail}. Send one JSON document in UTF-8; /openapi.json says what it may hold.",
        404: f"There is nothing at {request.url.path!r}. /openapi.json lists what there is.",
        405: f"{request.method} is not answered at {request.url.path!r}. /openapi.json lists what is.",
    }
    return problem(
        request,
        error.status_code,
        title.lower().replace(" ", "-"),
        title,
        hints.get(error.status_code, str(error.detail)),
        headers=dict(error.headers or {}),
    )


async def _serving_error(request: Request, error: Exception) -> Response:
    detail = str(error)
    if isinstance(error, UnknownItemError):
        return problem(request, 404, "unknown-item", "Unknown item", detail)
    if isinstance(error, OverloadedError):
        return problem(
            request, 503, "overloaded", "Too many requests at once", detail, headers={"Retry-After": "1"}
        )
    if isinstance(error, NoReleaseError):
        return problem(
            request, 503, "no-release", "No release is served", detail, headers={"Retry-After": "5"}
        )
    if isinstance(error, EventLogError):
        return problem(
            request, 503, "events-not-kept", "The events are not kept", detail, headers={"Retry-After": "5"}
        )
    logger.error("a request failed", exc_info=error)
    return problem(request, 500, "internal", "The request failed", INTERNAL)


INTERNAL = "Something failed that should not have. The log of the process tells more, under this request id."
