"""The contract of an event, one for the API that accepts it and for the ingest that stores it."""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

EVENT_TYPES = ("impression", "search", "view", "cart", "purchase", "rating")
"""What a user can do in every shop; a setting or a mapping can add types."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No event is older; before it lie zeros, and numbers that were no times."""

LONGEST_ID = 256
"""Characters of an id."""

IDENTIFIER = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""None of an id's characters is a control character."""

NO_VALUE = ("", "NULL", "null", "None", "NaN", "nan", "\\N")
"""Texts that programs write where they have no value; none of them is an id."""

FLOAT_ID = r"^(-?\d+)\.0+$"
"""A whole number that a missing value elsewhere in its column turned to a float: `17850.0` is `17850`."""

ROUNDED_ID = r"^\d([.,]\d+)?[eE]\+\d{2,3}$"
"""A long number as spreadsheets shorten it: `4.00638E+12` may be any of a million ids."""

HIGHEST_PRICE = 1e9
HIGHEST_QUANTITY = 1e6
HIGHEST_RATING = 100.0
"""Prices, quantities and ratings lie between 0 and these, inclusive."""

HIGHEST_POSITION = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a user did, with the columns of the event contract."""

    event_type: str
    user_id: str
    event_id: str | None = None
    item_id: str | None = None
    """Needed by every type but `search`."""
    event_at: datetime | None = None
    """With its offset from UTC; None = now."""
    session_id: str | None = None
    search_query: str | None = None
    quantity: float | None = None
    price: float | None = None
    rating: float | None = None
    request_id: str | None = None
    position: int | None = None
    surface: str | None = None
    source: str = "api"

    def row(self, event_id: str, now: datetime) -> dict[str, Any]:
        """The event as the log keeps it, with its id and an instant in UTC."""
        at = now if self.event_at is None else self.event_at.astimezone(UTC)
        return asdict(self) | {"event_id": event_id, "event_at": at.isoformat(timespec="microseconds")}


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event of a batch that could not be read, with the reasons."""

    reasons: tuple[str, ...]


def canonical_id(text: str) -> str:
    """The id as serving, lake and features know it, without the `.0` of a float.

    Raises:
        ValueError: The text stands for no value, or for many ids.
    """
    if text in NO_VALUE:
        raise ValueError(f"expected an id, received {text!r}, which stands for no value; leave the field out")
    if re.match(ROUNDED_ID, text):
        raise ValueError(f"expected an id, received {text}, which a spreadsheet has rounded; send all digits")
    return whole_number_id(text)


def whole_number_id(text: str) -> str:
    """The id without the `.0` of a float."""
    return re.sub(FLOAT_ID, r"\1", text)


def is_plausible(event_at: datetime, latest: datetime) -> bool:
    """Whether an event can have happened at that instant, `latest` being the last that may be."""
    return EARLIEST <= event_at <= latest
