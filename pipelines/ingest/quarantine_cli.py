"""`aisle quarantine`: see the rows that broke a contract, and why; mend them and take them in again."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from pipelines.runtime import Console, finish

CONTENT_WIDTH = 120
"""Characters of a row that are shown to a person; `--json` shows all."""


@click.group()
def quarantine() -> None:
    """See the rows that broke a contract, and why; take them in again."""


@quarantine.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")
def list_batches(as_json: bool) -> None:
    """List ingests with quarantined rows: how many, of which tables, for which reasons, newest first."""
    batches: dict[str, list[dict[str, str]]] = {}
    for row in _rows():
        batches.setdefault(row["batch_id"], []).append(row)
    entries: list[dict[str, Any]] = [
        {
            "batch": batch,
            "at": min(row["quarantined_at"] for row in rows),
            "rows": len(rows),
            "tables": sorted({row["table"] for row in rows}),
            "reasons": dict(Counter(row["reason"] for row in rows).most_common()),
        }
        for batch, rows in sorted(batches.items(), reverse=True)
    ]
    if as_json:
        finish({"ok": True, "batches": entries}, as_json=True)
        return
    console = Console()
    if not entries:
        console.info("no row is in quarantine")
        return
    console.table(
        ("batch", "rows", "tables", "most frequent reason"),
        [
            (one["batch"], f"{one['rows']:,}", ", ".join(one["tables"]), next(iter(one["reasons"])))
            for one in entries
        ],
    )


@quarantine.command()
@click.option("--batch", help="Only rows of this ingest.")
@click.option("--table", "table", help="Only rows of this table.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows to show at most."
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line, whole, to stdout.")
def show(batch: str | None, table: str | None, limit: int, as_json: bool) -> None:
    """Show quarantined rows: source, reason and content as it was received."""
    rows = [
        row
        for row in _rows()
        if (batch is None or row["batch_id"] == batch) and (table is None or row["table"] == table)
    ]
    if as_json:
        for row in rows[:limit]:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    console = Console()
    console.table(
        ("table", "reason", "source", "content"),
        [(row["table"], row["reason"], row["source"], _shortened(row["content"])) for row in rows[:limit]],
    )
    console.info(f"{min(limit, len(rows)):,} of {len(rows):,} rows; --json shows them whole")


@quarantine.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--batch", help="Only rows of this ingest.")
@click.option("--table", "table", help="Only rows of this table.")
def export(file: Path, batch: str | None, table: str | None) -> None:
    """Write quarantined rows of one table to a new CSV file FILE, to be mended by hand."""
    from pipelines.ingest.retry import export_rows, quarantined  # loads polars and DuckDB: not for --help
    from pipelines.lake import open_lake
    from pipelines.settings import load_settings

    count = export_rows(quarantined(open_lake(load_settings()), batch, table), file)
    Console().info(f"{count:,} rows in {file}; mend them, then `aisle quarantine retry {file}`")


@quarantine.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--batch", help="Only rows of this ingest.")
@click.option("--table", "table", help="Only rows of this table.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file with the shop's names of tables and columns.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")
def retry(
    file: Path | None, batch: str | None, table: str | None, mapping: Path | None, as_json: bool
) -> None:
    """Take quarantined rows in again, those of FILE as they were mended; each is taken once."""
    from pipelines.ingest.retry import retry as take_again  # loads polars and DuckDB: not for --help
    from pipelines.settings import load_settings

    settings = load_settings()
    report = take_again(
        settings, file=file, batch=batch, table=table, mapping=mapping or settings.shop_mapping
    )
    if as_json:
        finish({"ok": True, **report.model_dump(mode="json")}, as_json=True)
        return
    console = Console()
    taken = report.ingest
    console.info(
        f"{taken.accepted:,} rows taken in, {taken.duplicates:,} known already, {taken.quarantined:,} still "
        f"refused; {report.released:,} left the quarantine"
    )
    if taken.reasons:
        console.table(("rows", "refused because"), [(f"{n:,}", why) for why, n in taken.reasons.items()])
    for where, why in report.skipped.items():
        console.info(f"not tried: {where}: {why}")


def _rows() -> list[dict[str, str]]:
    """Quarantined rows, the newest ingest first."""
    from pipelines.lake import open_lake  # loads Delta Lake: not for --help
    from pipelines.settings import load_settings

    lake = open_lake(load_settings())
    if not lake.exists("quarantine"):
        return []
    rows = [
        {**row, "quarantined_at": row["quarantined_at"].isoformat()}
        for row in lake.read("quarantine").to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["batch_id"], row["quarantine_id"]), reverse=True)


def _shortened(content: str) -> str:
    return content if len(content) <= CONTENT_WIDTH else f"{content[:CONTENT_WIDTH]}…"
