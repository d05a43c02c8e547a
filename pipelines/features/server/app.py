"""The feature server for other teams: Feast's own, behind keys and Feast's own permissions.

What Feast 0.67 leaves open is closed here: paths that ask for no key (`server_gate`), a project named by the
caller under which no permission is found and so everybody may do everything, and a registry without
permissions, which means the same.
"""

import ipaddress
import logging
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from feast import FeatureStore
from feast.errors import FeastError, FeastPermissionError
from feast.feature_server import get_app
from feast.permissions.auth.auth_manager import AuthManager, set_auth_manager
from feast.permissions.auth.oidc_token_parser import OidcTokenParser
from feast.permissions.auth.token_parser import TokenParser
from feast.permissions.auth_model import OidcAuthConfig
from feast.permissions.permission import Permission
from feast.permissions.security_manager import SecurityManager, set_security_manager
from feast.permissions.server.rest_token_extractor import RestTokenExtractor
from feast.permissions.user import User
from redis.exceptions import RedisError
from starlette.authentication import AuthenticationError

from feature_repo.permissions import READER
from pipelines.errors import FeatureError, WrongUsageError
from pipelines.features.catalog import freshness_metrics
from pipelines.features.catalog.freshness import freshness
from pipelines.features.registry import open_store
from pipelines.features.registry.declarations import declarations
from pipelines.features.server.api_keys import TeamKeys
from pipelines.features.server.auth import Gate
from pipelines.features.server.permissions import check_permissions
from pipelines.settings import Settings

LOG = logging.getLogger(__name__)

FEAST_MASTER_NAME = "INTRA_COMMUNICATION_BASE64"
"""Variable with a user name that Feast lets do everything, also in a token that nobody signed."""

REGISTRY_TTL_S = 60
"""Seconds after which the declarations are read again."""

LOCAL_TEAM = "local"
"""Team of the key that the first start on a machine makes."""


def team_keys(settings: Settings) -> TeamKeys:
    """The keys of the teams that may call the feature server."""
    return TeamKeys(settings.home / "feast" / "team_keys.json")


def serve(
    settings: Settings,
    host: str,
    port: int,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    on_local_key: Callable[[Path], None] | None = None,
    on_start: Callable[[], None] | None = None,
) -> None:
    """Serve features over HTTP until stopped.

    Args:
        settings: Where the stores and keys are.
        host: Address to listen on; beyond loopback only with TLS, as keys travel in each request.
        port: Port to listen on.
        tls_certificate: File with the certificate chain, in PEM.
        tls_key: File with its key.
        on_local_key: Told the file of the key that is made when no team has one.
        on_start: Called when nothing is in the way and the server begins to listen.

    Raises:
        WrongUsageError: The server would be open where it must not be.
        FeatureError: The registry holds no permissions, or holds none yet.
    """
    if (tls_certificate is None) != (tls_key is None):
        raise WrongUsageError("expected a TLS certificate and its key, received one of them")
    if not _is_loopback(host) and tls_certificate is None:
        raise WrongUsageError(
            f"expected a loopback address, received {host}: beyond this machine keys travel only under TLS; "
            "give --tls-certificate and --tls-key, or put a proxy with TLS before 127.0.0.1"
        )
    if settings.feature_oidc_url is None and not team_keys(settings).listed():
        if not _is_loopback(host):
            raise WrongUsageError("expected keys of teams, received none: run `aisle features key add TEAM`")
        path = _make_local_key(settings)
        if on_local_key is not None:
            on_local_key(path)
    app = build_app(settings)
    if on_start is not None:
        on_start()
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=tls_certificate,
        ssl_keyfile=tls_key,
    )


def build_app(settings: Settings) -> Gate:
    """Put Feast's feature server together, with who may call it.

    Feast keeps who is who in globals: one such application in a process.

    Raises:
        FeatureError: The registry holds no permissions, or a variable would open the server.
    """
    if os.environ.get(FEAST_MASTER_NAME):
        raise FeatureError(f"expected {FEAST_MASTER_NAME} to be unset, received a value: it opens every door")
    store = open_store(settings)
    check_permissions(store.registry.list_permissions(store.project))
    parser = _parser(settings)
    set_security_manager(_DeclaredPermissions(project=store.project, registry=store.registry))
    set_auth_manager(AuthManager(token_parser=parser, token_extractor=RestTokenExtractor()))
    app: FastAPI = get_app(store, REGISTRY_TTL_S)
    app.add_exception_handler(FeastError, _by_feast)
    for kind in (ValueError, KeyError, TypeError):
        app.add_exception_handler(kind, _unreadable)
    app.add_exception_handler(RedisError, _without_store)
    return Gate(app, parser, lambda: _metrics(settings, store))


class _DeclaredPermissions(SecurityManager):
    """Judges by the permissions that the code declares, whatever the registry says.

    Feast takes those of the registry, for the project in the caller's query string; where it finds none, all
    are let through. Whoever can write to the registry could let anybody in. So a registry that says otherwise
    than the code stops the server.
    """

    @property
    def permissions(self) -> list[Permission]:
        try:
            check_permissions(self._registry.list_permissions(project=self._project, allow_cache=True))
        except FeatureError as error:
            LOG.critical("the feature server stops: %s", error)
            os.kill(os.getpid(), signal.SIGTERM)
            raise FeastPermissionError(str(error)) from error
        declared: list[Permission] = declarations().permissions
        return declared


class _TeamKeyParser(TokenParser):
    """Feast's door for who holds a key."""

    def __init__(self, keys: TeamKeys) -> None:
        self._keys = keys

    async def user_details_from_access_token(self, access_token: str) -> User:
        """Return the team as Feast's user, with the role of its key."""
        holder = self._keys.holder_of(access_token)
        if holder is None:
            raise AuthenticationError("no team has this key")
        return User(username=holder.team, roles=[holder.role])


def _parser(settings: Settings) -> TokenParser:
    if settings.feature_oidc_url is None:
        return _TeamKeyParser(team_keys(settings))
    if settings.feature_oidc_audience is None:
        raise FeatureError(
            "expected AISLE_FEATURE_OIDC_AUDIENCE beside AISLE_FEATURE_OIDC_URL, received none: without it a "
            "token that the identity provider made for any other program would be taken"
        )
    return OidcTokenParser(
        OidcAuthConfig(
            type="oidc",
            auth_discovery_url=settings.feature_oidc_url,
            client_id=settings.feature_oidc_audience,
            audience=settings.feature_oidc_audience,
        )
    )


def _make_local_key(settings: Settings) -> Path:
    """Make the first key, for whoever started the server, in a file that only they can read."""
    path = settings.home / "feast" / "local.key"
    key = team_keys(settings).add(LOCAL_TEAM, READER, datetime.now(UTC))
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key)
    return path


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _metrics(settings: Settings, store: FeatureStore) -> str:
    return freshness_metrics(freshness(settings, datetime.now(UTC), store))


async def _by_feast(_: Request, error: Exception) -> JSONResponse:
    """Feast's own answer to its own errors, which its clients read; they are never the server's fault."""
    known = error if isinstance(error, FeastError) else FeastError()
    status = known.http_status_code()
    return JSONResponse(known.to_error_detail(), 422 if status == 500 else status)


async def _without_store(_: Request, error: Exception) -> JSONResponse:
    told = f"expected an answer from the online store, received {type(error).__name__}: ask again later"
    return JSONResponse({"detail": told}, 503)


async def _unreadable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"expected a look-up of known keys and features, received: {error}"}, 422)
