"""`aisle features serve` and `aisle features key …`: the feature server and who may call it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.errors import FeatureError
from pipelines.runtime import Console, finish

PORT = 6566
"""Where Feast's clients look for a feature server."""

UI_PORT = 8888
"""Where Feast's own UI listens."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address; beyond loopback with TLS only."
)
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port.")
@click.option("--tls-certificate", type=FILE, help="Certificate chain, in PEM.")
@click.option("--tls-key", type=FILE, help="Key of the certificate, in PEM.")
def serve(host: str, port: int, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Serve features to other teams over HTTP, until stopped."""
    from pipelines.features.server import app
    from pipelines.settings import load_settings

    console = Console()

    def tell_of_key(path: Path) -> None:
        console.info(f"No team has a key yet: made one for you, in {path}. Others: `aisle features key add`.")

    def tell_of_start() -> None:
        scheme = "https" if tls_certificate else "http"
        console.info(f"Features on {scheme}://{host}:{port}; Ctrl-C ends it. How to ask: docs/features.md")

    app.serve(load_settings(), host, port, tls_certificate, tls_key, tell_of_key, tell_of_start)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=UI_PORT, show_default=True, help="Port.")
def ui(port: int) -> None:
    """Show Feast's UI on 127.0.0.1, to look at: a copy of the registry, and no values."""
    from pipelines.features.server.ui import show_ui
    from pipelines.settings import load_settings

    Console().info(f"Feast's UI on http://127.0.0.1:{port}; Ctrl-C ends it")
    show_ui(load_settings(), port)


@click.group()
def key() -> None:
    """Give and take the keys by which teams call the feature server."""


@key.command()
@click.argument("team")
@click.option(
    "--writer", is_flag=True, help="For the pipelines: may write, too. Others only read what is shared."
)
@as_json_option
def add(team: str, writer: bool, as_json: bool) -> None:
    """Make a key for TEAM and show it, this once."""
    from feature_repo.permissions import READER, WRITER
    from pipelines.features.server.app import team_keys
    from pipelines.settings import load_settings

    role = WRITER if writer else READER
    made = team_keys(load_settings()).add(team, role, datetime.now(UTC))
    finish({"team": team, "role": role, "key": made}, as_json=as_json)


@key.command()
@click.argument("team")
@as_json_option
def remove(team: str, as_json: bool) -> None:
    """Take all keys of TEAM away; they end at once."""
    from pipelines.features.server.app import team_keys
    from pipelines.settings import load_settings

    keys = team_keys(load_settings())
    removed = keys.remove(team)
    if not removed:
        there = ", ".join(sorted({one.team for one in keys.listed()})) or "nobody"
        raise FeatureError(f"expected a team that has a key, received {team!r}: {there} has one")
    finish({"team": team, "removed": removed}, as_json=as_json)


@key.command("list")
@as_json_option
def list_keys(as_json: bool) -> None:
    """Show which teams have keys, never the keys."""
    from pipelines.features.server.app import team_keys
    from pipelines.settings import load_settings

    keys = team_keys(load_settings()).listed()
    if as_json:
        told = [{"team": one.team, "role": one.role, "made_at": one.made_at.isoformat()} for one in keys]
        finish({"keys": told}, as_json=True)
        return
    Console().table(
        ("team", "role", "made at"), [(one.team, one.role, f"{one.made_at:%Y-%m-%d %H:%M}") for one in keys]
    )
