"""The columns that a source can bring, what else shops call them, and which must be there."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "identifier",
    "text",
    "number",
    "money",
    "position",
    "flag",
    "consent",
    "stock",
    "list",
    "instant",
    "day",
    "event_type",
    "category",
    "age",
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a contract, as ingest looks for it."""

    name: str
    kind: Kind
    required: bool = False
    also: tuple[str, ...] = ()
    """Names that mean the same; the column's own name goes first where both are there."""

    otherwise: tuple[str, ...] = ()
    """Those of them that stand in where a row has no value, such as a visitor who has not logged in."""


TABLES: dict[str, tuple[Column, ...]] = {
    "events": (
        Column("event_id", "identifier"),
        Column(
            "event_at",
            "instant",
            required=True,
            also=("timestamp", "event_time", "occurred_at", "event_timestamp"),
        ),
        Column(
            "user_id",
            "identifier",
            required=True,
            also=("customer_id", "visitor_id", "user_pseudo_id", "anonymous_id"),
            otherwise=("visitor_id", "user_pseudo_id", "anonymous_id"),
        ),
        Column("session_id", "identifier"),
        Column(
            "event_type", "event_type", required=True, also=("behavior_type", "behaviour_type", "event_name")
        ),
        Column("item_id", "identifier", required=True, also=("product_id",)),
        Column("search_query", "text"),
        Column("quantity", "number"),
        Column("price", "money"),
        Column("discount", "money"),
        Column("rating", "number"),
        Column("request_id", "identifier"),
        Column("position", "position"),
        Column("surface", "identifier"),
        Column("source", "identifier"),
    ),
    "items": (
        Column("item_id", "identifier", required=True, also=("product_id",)),
        Column("title", "text", also=("name", "product_name")),
        Column("description", "text"),
        Column("category", "category"),
        Column("brand", "text"),
        Column("price", "money"),
        Column("attributes", "list"),
        Column("image_url", "text"),
        Column("available", "stock", also=("availability", "in_stock")),
        Column("updated_at", "instant", also=("last_modified", "last_updated", "modified_at")),
    ),
    "users": (
        Column("user_id", "identifier", required=True, also=("customer_id",)),
        Column("gender", "text"),
        Column("age_band", "age", also=("age",)),
        Column("location", "text"),
        Column("signup_at", "instant"),
        Column("consent", "consent"),
        Column("attributes", "list"),
        Column("updated_at", "instant"),
    ),
    "campaigns": (
        Column("campaign_id", "identifier", required=True),
        Column("campaign_type", "text"),
        Column("starts_on", "day", required=True),
        Column("ends_on", "day", required=True),
    ),
    "campaign_targets": (
        Column("campaign_id", "identifier", required=True),
        Column("user_id", "identifier", required=True),
    ),
    "coupons": (
        Column("coupon_id", "identifier", required=True),
        Column("item_id", "identifier", required=True),
        Column("campaign_id", "identifier", required=True),
    ),
    "coupon_redemptions": (
        Column("user_id", "identifier", required=True),
        Column("coupon_id", "identifier", required=True),
        Column("campaign_id", "identifier", required=True),
        Column("redeemed_on", "day", required=True),
    ),
}
"""Every column of every table that ingest fills from a source."""

EVENT_TYPE_NAMES = {
    "add_to_cart": "cart",
    "addtocart": "cart",
    "browse": "view",
    "buy": "purchase",
    "click": "view",
    "select_item": "view",
    "transaction": "purchase",
    "view_item": "view",
}
"""What shops call the event types of the contract."""


def expected(table: str) -> str:
    """The table's columns as an error message lists them, the required ones first."""
    columns = TABLES[table]
    required = ", ".join(column.name for column in columns if column.required)
    optional = ", ".join(column.name for column in columns if not column.required)
    return f"{required} (required); {optional} (optional)" if optional else required
