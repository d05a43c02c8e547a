"""`aisle serve`: start the serving process of this installation."""

import os
import subprocess
import sys
from collections.abc import Mapping

import click

INHERITED = {
    "AISLE_HOME": "AISLE_SERVING_HOME",
    "AISLE_TRACKING_URI": "AISLE_SERVING_TRACKING_URI",
    "AISLE_MODEL_NAME": "AISLE_SERVING_MODEL_NAME",
    "AISLE_REDIS_URL": "AISLE_SERVING_REDIS_URL",
    "AISLE_FEAST_REGISTRY_URI": "AISLE_SERVING_FEAST_REGISTRY",
}
"""Variables of the installation, and those by which serving is told the same."""


@click.command()
@click.option("--host", help="Address to listen on, instead of AISLE_SERVING_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of AISLE_SERVING_PORT."
)
def serve(host: str | None, port: int | None) -> int:
    """Start the serving process of the installation that AISLE_HOME names.

    It runs as a process of its own, since serving shares no interpreter with the pipelines. Its settings are
    AISLE_SERVING_… variables; home, MLflow, model, Redis and Feast registry are those of the installation
    where serving is told no others.
    """
    chosen = {"--host": host, "--port": port}
    options = [part for name, value in chosen.items() if value is not None for part in (name, str(value))]
    return subprocess.call(  # noqa: S603 - our own module
        [sys.executable, "-m", "serving", *options], env=serving_environment(os.environ)
    )


def serving_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with serving's settings set to the installation's where they are not set themselves."""
    inherited = {
        to: environment[of] for of, to in INHERITED.items() if environment.get(of) and not environment.get(to)
    }
    return {**environment, **inherited}
