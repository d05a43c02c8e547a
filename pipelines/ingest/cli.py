"""`aisle ingest`: take shop data into the lake."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.runtime import Console, Instant, finish
from serving.credentials import without_credentials

if TYPE_CHECKING:
    from pipelines.ingest.report import IngestReport


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file with the shop's names of tables and columns.",
)
@click.option(
    "--since",
    type=Instant(),
    metavar="TIME",
    help="Take only events from this instant on.",
)
@click.option(
    "--until",
    type=Instant(),
    metavar="TIME",
    help="Take only events before this instant.",
)
@click.option("--full", is_flag=True, help="Read everything anew, whatever was read before.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")
def ingest(
    sources: tuple[str, ...],
    mapping: Path | None,
    since: datetime | None,
    until: datetime | None,
    full: bool,
    as_json: bool,
) -> None:
    """Take shop data into the lake.

    SOURCE is a Parquet, CSV or JSON lines file or a folder of them, mysql://user:password@host/database, s3://bucket/prefix,
    complete-journey, or event-log. What the lake holds already is not stored twice.
    """
    from pipelines.ingest.refusal import check_refused
    from pipelines.ingest.run import ingest as take_in  # loads polars and DuckDB: not for --help
    from pipelines.settings import load_settings

    console, settings = Console(quiet=as_json), load_settings()
    with console.step(f"Taking in {', '.join(without_credentials(source) for source in sources)}"):
        report = take_in(
            sources,
            settings,
            mapping=mapping or settings.shop_mapping,
            since=since,
            until=until,
            full=full,
            now=datetime.now(UTC),
        )
    _show(report, console)
    check_refused(report, settings)
    if as_json:
        finish({"ok": True, **report.model_dump(mode="json")}, as_json=True)


def _show(report: "IngestReport", console: Console) -> None:
    console.table(
        ("table", "rows in", "accepted", "duplicates", "quarantined"),
        [
            (
                table,
                f"{each.rows_in:,}",
                f"{each.accepted:,}",
                f"{each.duplicates:,}",
                f"{each.quarantined:,}",
            )
            for table, each in report.tables.items()
        ],
    )
    if report.cleaning:
        console.table(("values", "cleaning step"), [(f"{n:,}", step) for step, n in report.cleaning.items()])
    if report.reasons:
        console.table(("rows", "quarantined because"), [(f"{n:,}", why) for why, n in report.reasons.items()])
    if report.unreadable:
        console.table(
            ("values", "of", "unreadable and therefore missing"),
            [(f"{n:,}", f"{report.present[column]:,}", column) for column, n in report.unreadable.items()],
        )
    if report.gone:
        console.info(f"no longer in the catalogue, no longer offered: {report.gone:,} items")
    for kind, count in report.left_out.items():
        console.info(f"left out, as the mapping says: {count:,} events of type {kind}")
    for warning in report.warnings:
        console.info(f"warning: {warning}")
    for source, columns in report.ignored_columns.items():
        console.info(f"{source}: no place for the columns {', '.join(columns)}")
    for name in report.skipped:
        console.info(f"skipped: {name}")
    if report.outside_window:
        console.info(f"outside of the span that was asked for: {report.outside_window:,} events")
    console.info(f"batch {report.batch_id}; the lake holds events until {report.as_of or 'now none'}")
