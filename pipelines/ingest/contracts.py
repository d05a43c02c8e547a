"""What every row must hold before it may enter the lake, one contract for each table.

The contracts speak of clean columns: `cleaning` has brought them to their types by then. Each rule has a
sentence in `REASONS`, which is what the quarantine shows.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dataframely as dy
import polars as pl

from serving.events import (
    EARLIEST,
    EVENT_TYPES,
    HIGHEST_PRICE,
    HIGHEST_RATING,
    IDENTIFIER,
    LONGEST_ID,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What the shop does not date was known from here on."""

ROW = "_row"
"""Number of the row in its batch."""

PROBLEM = "_problem"
"""Why cleaning could not read a value of the row; null where it could."""

REASONS = {
    "event_at|nullability": "event_at is missing",
    "event_at|min": "event_at lies before 1990",
    "event_at|max": "event_at lies in the future",
    "event_on|nullability": "event_at is missing",
    "user_id|nullability": "user_id is missing",
    "item_id|nullability": "item_id is missing",
    "event_type|nullability": "event_type is missing",
    "event_type|check__known": "event_type is not known to the contract",
    "item_unless_search": "item_id is missing in an event that is no search",
    "price|min": "price is negative",
    "price|max": "price is above 1,000,000,000",
    "discount|min": "discount is negative",
    "quantity|min": "quantity is negative",
    "rating|min": "rating is negative",
    "rating|max": "rating is above 100",
    "position|min": "position is negative",
    "updated_at|min": "updated_at lies before 1970",
    "updated_at|max": "updated_at lies in the future",
    "signup_at|min": "signup_at lies before 1990",
    "signup_at|max": "signup_at lies in the future",
    "last_day_before_first": "ends_on lies before starts_on",
    f"{PROBLEM}|check": "a value could not be read",
}
"""The sentence of each rule that needs one; the others read `column: rule`."""


def reason(rule: str) -> str:
    """The sentence that says which rule a row broke."""
    if rule in REASONS:
        return REASONS[rule]
    column, _, check = rule.partition("|")
    match check:
        case "nullability":
            return f"{column} is missing"
        case "regex" | "check__length":
            return f"{column} is not 1 to 256 characters without control characters"
        case "inner_nullability":
            return f"{column} holds a missing value"
        case "inf" | "nan":
            return f"{column} is no finite number"
        case _:
            return f"{column} breaks the rule {check or rule}"


def _identifier(*, nullable: bool = False) -> dy.String:
    # Length in characters, as serving counts it; dataframely's own `max_length` counts bytes.
    return dy.String(
        nullable=nullable, regex=IDENTIFIER, check={"length": lambda text: text.str.len_chars() <= LONGEST_ID}
    )


def _number(highest: float | None = None) -> dy.Float64:
    return dy.Float64(nullable=True, min=0.0, max=highest)


def _instant(latest: datetime, earliest: datetime, *, nullable: bool = False) -> dy.Datetime:
    return dy.Datetime(nullable=nullable, min=earliest, max=latest, time_unit="us", time_zone="UTC")


class Row(dy.Schema):
    """What cleaning adds to every row."""

    _row = dy.UInt32(nullable=False, alias=ROW)
    _problem = dy.String(nullable=True, alias=PROBLEM, check=lambda problem: problem.is_null())


def contract(
    table: str, latest: datetime, event_types: Sequence[str] | None = EVENT_TYPES
) -> type[dy.Schema]:
    """The contract of a table, for what was known until `latest`.

    Args:
        table: Our table.
        latest: The last instant that can have been.
        event_types: The types that the shop has; None takes any, where serving has judged the type.
    """
    match table:
        case "events":
            return _events(latest, event_types)
        case "items":
            return _items(latest)
        case "users":
            return _users(latest)
        case _:
            return CAMPAIGN_CONTRACTS[table]


def _events(latest: datetime, event_types: Sequence[str] | None) -> type[dy.Schema]:
    """The contract of events that happened until `latest`."""
    one_of_them = dy.String(nullable=False, check={"known": lambda kind: kind.is_in(list(event_types or ()))})

    class Events(Row):
        event_id = _identifier(nullable=True)
        event_at = _instant(latest, EARLIEST)
        user_id = _identifier()
        session_id = _identifier(nullable=True)
        event_type = _identifier() if event_types is None else one_of_them
        item_id = _identifier(nullable=True)
        search_query = dy.String(nullable=True)
        quantity = _number()
        price = _number(HIGHEST_PRICE)
        discount = _number()
        rating = _number(HIGHEST_RATING)
        request_id = _identifier(nullable=True)
        position = dy.Int32(nullable=True, min=0)
        surface = _identifier(nullable=True)
        source = _identifier(nullable=True)

        @dy.rule()
        def item_unless_search(cls) -> pl.Expr:  # noqa: N805
            return cls.item_id.col.is_not_null() | (cls.event_type.col == "search")

    return Events


def _items(latest: datetime) -> type[dy.Schema]:
    """The contract of item states known by `latest`."""

    class Items(Row):
        item_id = _identifier()
        title = dy.String(nullable=True)
        description = dy.String(nullable=True)
        category = dy.String(nullable=True)
        brand = dy.String(nullable=True)
        price = _number(HIGHEST_PRICE)
        attributes = dy.List(dy.String(nullable=False), nullable=True)
        image_url = dy.String(nullable=True)
        available = dy.Bool(nullable=True)
        updated_at = _instant(latest, EPOCH, nullable=True)

    return Items


def _users(latest: datetime) -> type[dy.Schema]:
    """The contract of user states known by `latest`."""

    class Users(Row):
        user_id = _identifier()
        gender = dy.String(nullable=True)
        age_band = dy.String(nullable=True)
        location = dy.String(nullable=True)
        signup_at = _instant(latest, EARLIEST, nullable=True)
        consent = dy.Bool(nullable=True)
        attributes = dy.List(dy.String(nullable=False), nullable=True)
        updated_at = _instant(latest, EPOCH, nullable=True)

    return Users


class Campaigns(Row):
    """The contract of campaigns."""

    campaign_id = _identifier()
    campaign_type = dy.String(nullable=True)
    starts_on = dy.Date(nullable=False)
    ends_on = dy.Date(nullable=False)

    @dy.rule()
    def last_day_before_first(cls) -> pl.Expr:  # noqa: N805
        """A campaign lasts a day at least."""
        return cls.ends_on.col >= cls.starts_on.col


class CampaignTargets(Row):
    """The contract of the users that campaigns were sent to."""

    campaign_id = _identifier()
    user_id = _identifier()


class Coupons(Row):
    """The contract of what coupons can be redeemed for."""

    coupon_id = _identifier()
    item_id = _identifier()
    campaign_id = _identifier()


class CouponRedemptions(Row):
    """The contract of redeemed coupons."""

    user_id = _identifier()
    coupon_id = _identifier()
    campaign_id = _identifier()
    redeemed_on = dy.Date(nullable=False)


CAMPAIGN_CONTRACTS: dict[str, type[dy.Schema]] = {
    "campaigns": Campaigns,
    "campaign_targets": CampaignTargets,
    "coupons": Coupons,
    "coupon_redemptions": CouponRedemptions,
}
