"""Columns of the lake's own tables. A field that may be null says so; all others never are.

Delta keeps no order of rows, and `event_on` is the partition: it stands in the path of a file, not inside it.
"""

import pyarrow as pa

from serving.bundle import CATEGORY_SEPARATOR as CATEGORY_SEPARATOR

TIMESTAMP = pa.timestamp("us", tz="UTC")


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


EVENTS = pa.schema(
    [
        _required("event_id", pa.string()),
        _required("event_at", TIMESTAMP),
        _required("event_on", pa.date32()),
        _required("user_id", pa.string()),
        pa.field("session_id", pa.string()),
        _required("event_type", pa.string()),
        pa.field("item_id", pa.string()),
        pa.field("search_query", pa.string()),
        pa.field("quantity", pa.float64()),
        pa.field("price", pa.float64()),
        pa.field("discount", pa.float64()),
        pa.field("rating", pa.float64()),
        pa.field("request_id", pa.string()),
        pa.field("position", pa.int32()),
        pa.field("surface", pa.string()),
        _required("source", pa.string()),
    ]
)
"""One row for each thing that a user did. `price` is what one unit cost, `discount` what was taken off it."""

ITEMS = pa.schema(
    [
        _required("item_id", pa.string()),
        _required("title", pa.string()),
        _required("description", pa.string()),
        _required("category", pa.string()),
        _required("brand", pa.string()),
        pa.field("price", pa.float64()),
        _required("attributes", pa.list_(pa.string())),
        pa.field("image_url", pa.string()),
        _required("available", pa.bool_()),
        _required("updated_at", TIMESTAMP),
    ]
)
"""What the shop sells, one row for each state of an item; `category` is a path joined by ` > `."""

USERS = pa.schema(
    [
        _required("user_id", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("age_band", pa.string()),
        pa.field("location", pa.string()),
        pa.field("signup_at", TIMESTAMP),
        _required("consent", pa.bool_()),
        _required("attributes", pa.list_(pa.string())),
        _required("updated_at", TIMESTAMP),
    ]
)
"""Who shops, one row for each state of a user; an attribute reads `name:value`."""

CAMPAIGNS = pa.schema(
    [
        _required("campaign_id", pa.string()),
        pa.field("campaign_type", pa.string()),
        _required("starts_on", pa.date32()),
        _required("ends_on", pa.date32()),
    ]
)
"""Marketing campaigns, first and last day included."""

CAMPAIGN_TARGETS = pa.schema([_required("campaign_id", pa.string()), _required("user_id", pa.string())])
"""Which users a campaign was sent to."""

COUPONS = pa.schema(
    [
        _required("coupon_id", pa.string()),
        _required("item_id", pa.string()),
        _required("campaign_id", pa.string()),
    ]
)
"""Which items a coupon of a campaign can be redeemed for."""

COUPON_REDEMPTIONS = pa.schema(
    [
        _required("user_id", pa.string()),
        _required("coupon_id", pa.string()),
        _required("campaign_id", pa.string()),
        _required("redeemed_on", pa.date32()),
    ]
)
"""Coupons that users redeemed."""

QUARANTINE = pa.schema(
    [
        _required("quarantine_id", pa.string()),
        _required("quarantined_at", TIMESTAMP),
        _required("table", pa.string()),
        _required("source", pa.string()),
        _required("reason", pa.string()),
        _required("content", pa.string()),
        _required("batch_id", pa.string()),
    ]
)
"""Rows that broke a contract: why, where they came from, and as JSON what they held."""

INGEST_STATE = pa.schema(
    [
        _required("source", pa.string()),
        _required("part", pa.string()),
        _required("position", pa.int64()),
        _required("updated_at", TIMESTAMP),
    ]
)
"""How far each part of a source has been read; the greatest position counts."""

REMOVED_EVENTS = EVENTS.append(_required("removed_at", TIMESTAMP)).append(_required("reason", pa.string()))
"""Events that were taken out, with all they held, when and why; ingest leaves the same content out."""

SCHEMAS: dict[str, pa.Schema] = {
    "events": EVENTS,
    "items": ITEMS,
    "users": USERS,
    "campaigns": CAMPAIGNS,
    "campaign_targets": CAMPAIGN_TARGETS,
    "coupons": COUPONS,
    "coupon_redemptions": COUPON_REDEMPTIONS,
    "quarantine": QUARANTINE,
    "removed_events": REMOVED_EVENTS,
    "ingest_state": INGEST_STATE,
}

PARTITIONS: dict[str, tuple[str, ...]] = {"events": ("event_on",)}
"""Columns whose values split a table into folders."""

KEYS: dict[str, tuple[str, ...]] = {
    "events": ("event_id", "source"),
    "items": ("item_id", "updated_at"),
    "users": ("user_id", "updated_at"),
    "campaigns": ("campaign_id",),
    "campaign_targets": ("campaign_id", "user_id"),
    "coupons": ("coupon_id", "item_id", "campaign_id"),
    "coupon_redemptions": ("user_id", "coupon_id", "campaign_id", "redeemed_on"),
    "quarantine": ("quarantine_id",),
    "removed_events": ("event_id", "source", "removed_at"),
    "ingest_state": ("source", "part", "position"),
}
"""Columns that tell one row of a table from every other."""
