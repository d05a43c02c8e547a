"""`aisle demo`: the whole loop on real shop data, here, and keep it running."""

from pathlib import Path

import click


@click.command()
@click.option("--exit", "exits", is_flag=True, help="Stop everything at the end instead of keeping it up.")
@click.option("--json", "as_json", is_flag=True, help="End with the report as one JSON document on stdout.")
@click.option(
    "--shop",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with another shop's files, instead of the Complete Journey.",
)
@click.option("--short", is_flag=True, help="Train with a smaller budget: a first look, not the best lists.")
@click.option("--fresh", is_flag=True, help="Forget what an earlier demo left, and begin anew.")
def demo(*, exits: bool, as_json: bool, shop: Path | None, short: bool, fresh: bool) -> None:
    """Run the whole loop on real shop data, here, and keep it running until Ctrl-C."""
    from pipelines.demo.run import run_demo  # loads what it runs: not for --help

    run_demo(exits=exits, as_json=as_json, shop=shop, short=short, fresh=fresh)
