"""How an address of Redis is written for Feast."""

import json
from urllib.parse import unquote, urlsplit

PATIENCE = ("socket_connect_timeout=5", "socket_timeout=30")
"""Seconds after which a Redis that does not answer counts as gone."""


def feast_connection(url: str) -> str:
    """Return Feast's form of an address such as `redis://user:password@host:6379/0`: `host:port,db=…`.

    Raises:
        ValueError: It is no such address, or Feast could not read it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError(
            "expected an address such as redis://127.0.0.1:6379/0, received scheme "
            f"{parts.scheme!r} and host {parts.hostname!r}"
        )
    options = [f"{parts.hostname}:{parts.port or 6379}", f"db={parts.path.strip('/') or 0}"]
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            if "," in unquote(value):
                raise ValueError(f"expected a Redis {name} without comma, which Feast could not read")
            options.append(f"{name}={json.dumps(unquote(value))}")  # Feast would take 1234 for a number
    if parts.scheme == "rediss":
        options.append("ssl=true")
    return ",".join([*options, *PATIENCE])
