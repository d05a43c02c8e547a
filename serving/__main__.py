"""`aisle-serve`: run the serving processes until they are told to stop."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import click
from pydantic import ValidationError

from serving.clock import Clock
from serving.credentials import LogFormatter
from serving.errors import ConfigurationError, EventLogError
from serving.settings import ServingSettings, check_exposure, load_settings
from serving.worker_pool import WorkerPool, cores, listening_socket, shared_metrics

PRIVATE = 0o077
"""What the process writes, shoppers' events among it, is for its own user alone."""

GRACE_S = 8
"""Seconds that requests under way have to finish when the process is told to stop."""

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Linear algebra of one list pays no second thread; workers use the cores."""


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
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    try:
        chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = with_choices(load_settings(), chosen)
        handler = logging.StreamHandler()
        handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
        # Feast tells of every look at its registry.
        logging.getLogger("feast").setLevel(logging.WARNING)
        check_exposure(settings)
        status = serve(settings)
    except (ConfigurationError, ValidationError) as error:
        click.echo(f"aisle-serve: {error}", err=True)
        sys.exit(2)
    except EventLogError as error:
        click.echo(f"aisle-serve: {error}", err=True)
        sys.exit(1)
    sys.exit(status)


def serve(settings: ServingSettings) -> int:
    """Serve with as many processes as the settings say; the exit status.

    Raises:
        ConfigurationError: The settings cannot be right, or the address is taken.
        EventLogError: Events cannot be kept.
    """
    workers = settings.workers or cores()
    listening = listening_socket(settings.host, settings.port)
    if workers == 1:
        from serving.app import create_app

        return run(create_app(settings), listening, lambda: announce(listening))
    with shared_metrics():
        # Imported before the fork: code and what it made lie in memory once, and replacements start at once.
        from serving.app import create_app
        from serving.events import LogProgress, own_folder
        from serving.runtime import PoolPart

        owned = own_folder(settings.event_folder)
        progress, clock = LogProgress(workers), Clock(settings.clock_start_at)

        def work(number: int, listening: socket.socket, on_listening: Callable[[], None]) -> int:
            return run(create_app(settings, PoolPart(number, progress, clock)), listening, on_listening)

        with owned:
            pool = WorkerPool(workers, listening, work, lambda: announce(listening), GRACE_S + 2)
            return pool.run()


def run(app: Any, listening: socket.socket, on_listening: Callable[[], None]) -> int:
    """Answer what arrives at the socket until a signal says to stop; the exit status."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                on_listening()

    server = Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            lifespan="on",
        )
    )
    server.run(sockets=[listening])
    return 0 if server.started else 1


def announce(listening: socket.socket) -> None:
    """Say on one line of stdout where requests are answered."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Aisle serving: http://{shown}:{port}/")
    sys.stdout.flush()


def with_choices(settings: ServingSettings, chosen: dict[str, Any]) -> ServingSettings:
    """`settings` with what the command line chose, checked again."""
    return ServingSettings.model_validate(settings.model_dump() | chosen)


if __name__ == "__main__":
    main()
