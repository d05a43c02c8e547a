"""Which day a run was asked to take again."""

from typing import Any


def backfilled_day(dag_run: Any) -> dict[str, str | None]:
    """`since` (inclusive) and `until` (exclusive) of a backfill run's day; both None in any other run.

    Only a backfill asks for a past day. Every other run goes on from the watermark, so that a night without a
    run leaves no hole.
    """
    if dag_run.run_type != "backfill":
        return {"since": None, "until": None}
    return {
        "since": dag_run.data_interval_start.isoformat(),
        "until": dag_run.data_interval_end.isoformat(),
    }
