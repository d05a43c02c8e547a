"""`aisle serve`: start the serving process of this installation."""

import subprocess
import sys

import click


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> int:
    """Start the serving process; its own options follow, and `--help` lists them.

    It runs as a process of its own, since serving shares no interpreter with the pipelines.
    """
    return subprocess.call([sys.executable, "-m", "serving", *arguments])  # noqa: S603 - our own module
