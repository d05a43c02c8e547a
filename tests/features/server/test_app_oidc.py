"""The feature server behind an identity provider: only its tokens, made for us, with a role, open a door."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from feast.permissions.auth.auth_manager import AllowAll, set_auth_manager
from feast.permissions.security_manager import no_security_manager

from feature_repo.permissions import READER, WRITER
from pipelines.errors import FeatureError
from pipelines.features.server.app import build_app
from pipelines.features.server.auth import Gate
from pipelines.settings import Settings

ASKED = {"features": ["user_activity:spend_30d"], "entities": {"user_id": ["u05"]}}
PRIVATE = {"features": ["user_profile:gender"], "entities": {"user_id": ["u05"]}}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Address of an identity provider's discovery document, over a real connection."""

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = f"http://127.0.0.1:{self.server.server_port}"
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            documents: dict[str, Any] = {
                "/discovery": {
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "jwks_uri": f"{base}/keys",
                },
                "/keys": {"keys": [public | {"kid": "first", "use": "sig", "alg": "RS256"}]},
            }
            body = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/discovery"
        server.shutdown()
        thread.join()


@pytest.fixture
def app(built_home: Settings, provider: str) -> Iterator[Gate]:
    settings = built_home.model_copy(
        update={"feature_oidc_url": provider, "feature_oidc_audience": "aisle-features"}
    )
    try:
        yield build_app(settings)
    finally:  # Feast keeps who is who in globals
        no_security_manager()
        set_auth_manager(AllowAll())


def token(key: Any = KEY, **claims: Any) -> str:
    told = {
        "sub": "growth",
        "aud": "aisle-features",
        "exp": time.time() + 600,
        "roles": [READER],
    } | claims
    return jwt.encode(told, key, algorithm="RS256", headers={"kid": "first"})


def status(app: Gate, body: dict[str, Any], bearer: str | None, path: str = "/get-online-features") -> int:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}

    async def asked() -> int:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post(path, json=body, headers=headers)).status_code

    return asyncio.run(asked())


def test_a_token_of_the_provider_opens_what_its_roles_may(app: Gate):
    assert status(app, ASKED, token()) == 200
    assert status(app, PRIVATE, token()) == 403
    assert status(app, PRIVATE, token(roles=[WRITER])) == 200
    assert status(app, ASKED, token(roles=["another"])) == 403
    assert status(app, {}, token(), "/materialize") == 403
    by_client = {
        "roles": [],
        "resource_access": {"aisle-features": {"roles": [READER]}},
    }  # as Keycloak writes
    assert status(app, ASKED, token(**by_client)) == 200


def test_every_other_token_is_refused(app: Gate):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for what, bearer in {
        "none": None,
        "no token": "growth.key",
        "signed by another": token(stranger),
        "expired": token(exp=time.time() - 600),
        "made for another program": token(aud="another"),
        "signed by nobody": jwt.encode({"sub": "growth", "roles": [WRITER]}, None, algorithm="none"),
        "signed by the public key": jwt.encode({"sub": "growth"}, "x" * 32, algorithm="HS256"),
        "of a cluster": token(stranger, **{"kubernetes.io": {"namespace": "aisle"}}),
    }.items():
        assert (what, status(app, ASKED, bearer)) == (what, 401)


def test_without_an_audience_it_does_not_start(built_home: Settings, provider: str):
    with pytest.raises(FeatureError, match="AISLE_FEATURE_OIDC_AUDIENCE"):
        build_app(built_home.model_copy(update={"feature_oidc_url": provider}))
