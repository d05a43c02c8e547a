"""`aisle-serve`: run one serving process until it is told to stop."""

import logging
import os
import socket
import sys
from typing import Any

import click
import uvicorn
from pydantic import ValidationError

from serving.app import create_app
from serving.errors import ConfigurationError, EventLogError
from serving.settings import ServingSettings, load_settings

PRIVATE = 0o077
"""What the process writes, shoppers' events among it, is for its own user alone."""

GRACE_S = 8
"""Seconds that requests under way have to finish when the process is told to stop."""


class AnnouncingServer(uvicorn.Server):
    """Says on one line of stdout where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            listening = [place for server in self.servers for place in server.sockets]
            host, port = listening[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            click.echo(f"Aisle serving: http://{shown}:{port}/")
            sys.stdout.flush()


@click.command()
@click.option("--host", help="Address to listen on, instead of AISLE_SERVING_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of AISLE_SERVING_PORT."
)
def main(host: str | None, port: int | None) -> None:
    """Serve recommendations, search and the storefront.

    Settings are read from AISLE_SERVING_… variables. Exit codes: 0 stopped as told, 1 failed, 2 wrong
    settings.
    """
    os.umask(PRIVATE)
    try:
        chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = with_choices(load_settings(), chosen)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        # Feast tells of every look at its registry.
        logging.getLogger("feast").setLevel(logging.WARNING)
        app = create_app(settings)
    except (ConfigurationError, ValidationError) as error:
        click.echo(f"aisle-serve: {error}", err=True)
        sys.exit(2)
    except EventLogError as error:
        click.echo(f"aisle-serve: {error}", err=True)
        sys.exit(1)
    server = AnnouncingServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            lifespan="on",
        )
    )
    server.run()
    sys.exit(0 if server.started else 1)


def with_choices(settings: ServingSettings, chosen: dict[str, Any]) -> ServingSettings:
    """`settings` with what the command line chose, checked again."""
    return ServingSettings.model_validate(settings.model_dump() | chosen)


if __name__ == "__main__":
    main()
