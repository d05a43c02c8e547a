"""When quarantined rows are an alarm: too many of a table, by share and count, or all of them."""

from pipelines.errors import RefusedRowsError
from pipelines.ingest.report import IngestReport
from pipelines.settings import Settings


def check_refused(report: IngestReport, settings: Settings) -> None:
    """Fail an ingest that quarantined too much. What was good is stored by now, and nothing is lost.

    Raises:
        RefusedRowsError: Which tables, how many rows, why, and how to see them.
    """
    alarms = [
        f"{table}: {rows.quarantined:,} of {rows.rows_in:,} rows"
        for table, rows in report.tables.items()
        if rows.quarantined
        and (
            rows.quarantined == rows.rows_in
            or (
                rows.quarantined > settings.ingest_max_refused_rows
                and rows.quarantined > settings.ingest_max_refused_share * rows.rows_in
            )
        )
    ]
    if not alarms:
        return
    reasons = "; ".join(f"{reason} ({count:,})" for reason, count in list(report.reasons.items())[:3])
    raise RefusedRowsError(
        f"expected at most {settings.ingest_max_refused_share:.0%} of a table to break its contract, "
        f"received {'; '.join(alarms)}. Reasons: {reasons}. The good rows are stored; see the rest with "
        f"`aisle quarantine show --batch {report.batch_id}`, then correct the source or its mapping"
    )
