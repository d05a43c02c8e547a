"""When refused rows and values are an alarm: too many of a table or a column, by share and count, or all."""

from collections.abc import Iterator

from pipelines.errors import RefusedRowsError
from pipelines.ingest.report import IngestReport
from pipelines.settings import Settings


def check_refused(report: IngestReport, settings: Settings) -> None:
    """Fail an ingest that refused too much. What was good is stored by now, and nothing is lost.

    Raises:
        RefusedRowsError: Which tables and columns, how many rows or values, why, and how to see them.
    """
    rows = [
        f"{table}: {each.quarantined:,} of {each.rows_in:,} rows"
        for table, each in report.tables.items()
        if _is_too_much(each.quarantined, each.rows_in, settings)
    ]
    rows += [
        f"{source}: all of its {each.rows_in:,} rows"
        for source, each in report.refused_by_source.items()
        if each.quarantined == each.rows_in
    ]
    values = [
        f"{column}: {count:,} of {report.present[column]:,} values"
        for column, count in report.unreadable.items()
        if _is_too_much(count, report.present[column], settings)
    ]
    if rows or values:
        raise RefusedRowsError(" ".join(_sentences(report, settings, rows, values)))


def _is_too_much(refused: int, received: int, settings: Settings) -> bool:
    if not refused:
        return False
    is_over = refused > settings.ingest_max_refused_rows
    return refused == received or (is_over and refused > settings.ingest_max_refused_share * received)


def _sentences(report: IngestReport, settings: Settings, rows: list[str], values: list[str]) -> Iterator[str]:
    limit = f"expected at most {settings.ingest_max_refused_share:.0%}"
    if rows:
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in list(report.reasons.items())[:3])
        yield f"{limit} of a table to break its contract, received {'; '.join(rows)}. Reasons: {reasons}."
    if values:
        yield f"{limit} of a column to be unreadable, received {'; '.join(values)}, which are missing now."
    yield "The good rows are stored;"
    if rows:
        yield f"see the rest with `aisle quarantine show --batch {report.batch_id}`,"
    yield "correct the source or its mapping, and run the ingest again"
