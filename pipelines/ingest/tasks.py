"""What the `ingest` DAG calls: text in, one small JSON document out."""

from datetime import datetime
from typing import Any

from pipelines.errors import IngestError
from pipelines.ingest.refusal import check_refused
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import ingest
from pipelines.runtime import read_instant
from pipelines.settings import load_settings
from serving.credentials import has_credentials, without_credentials

SERVED_EVENTS = "event-log"


def take_in(source: str | None, since: str | None = None, until: str | None = None) -> dict[str, Any]:
    """Take the shop's data and the events that serving acknowledged into the lake; `IngestReport` as JSON.

    Args:
        source: Where the shop's data is; None takes setting `AISLE_SHOP_SOURCE`, and without one only
            the served events.
        since: Inclusive start of the events to take again, ISO 8601; None goes on from the watermark.
        until: Exclusive end of them.

    Raises:
        IngestError: A source cannot be taken in, or there is no event in the lake afterwards.
    """
    settings = load_settings()
    if source and has_credentials(source):
        raise IngestError(
            f"{without_credentials(source)}: expected a source without a password, for all who see the DAG "
            "see its configuration. Set AISLE_SHOP_SOURCE, or AISLE_SHOP_SOURCE_FILE to a file with it."
        )
    own = settings.shop_source
    shop = source or (own.get_secret_value() if own else None)
    report = ingest(
        [*([shop] if shop else []), SERVED_EVENTS],
        settings,
        mapping=settings.shop_mapping,
        since=_instant(since),
        until=_instant(until),
    )
    if report.as_of is None:
        raise IngestError(
            "the lake holds no event and none came in: name the shop in AISLE_SHOP_SOURCE, or trigger "
            'the DAG with {"source": "…"}'
        )
    return report.model_dump(mode="json")


def check_taken(taken: dict[str, Any]) -> None:
    """Fail where an ingest refused too much, after its good rows were stored and announced.

    Args:
        taken: What `take_in` returned.

    Raises:
        RefusedRowsError: Which tables and columns, how many rows or values, why, and how to see them.
    """
    check_refused(IngestReport.model_validate(taken), load_settings())


def _instant(text: str | None) -> datetime | None:
    return None if text is None else read_instant(text)
