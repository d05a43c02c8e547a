"""Profiles: what users said of themselves and what the catalogue says of items, since when it was known."""

import ibis.expr.types as ir

from pipelines.features.transforms.inputs import FeatureInputs
from pipelines.lake import CATEGORY_SEPARATOR

USER_ATTRIBUTES = (
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)
"""Attributes of the form `name:value` in the users' table that become features."""


def user_profile(shop: FeatureInputs) -> ir.Table:
    """One row for each user and change of the profile; without consent, its values are null."""
    users = shop.users
    said = {name: users[name] for name in ("gender", "age_band", "location")}
    said |= {name: attribute(users.attributes, name) for name in USER_ATTRIBUTES}
    return users.select(
        "user_id",
        known_at=users.updated_at,
        **{name: users.consent.ifelse(value, None) for name, value in said.items()},
    )


def item_profile(shop: FeatureInputs) -> ir.Table:
    """One row for each item and change of the catalogue."""
    items = shop.items
    levels = items.category.nullif("").split(CATEGORY_SEPARATOR)
    return items.select(
        "item_id",
        known_at=items.updated_at,
        title=items.title,
        category=items.category.nullif(""),
        category_1=levels[0],
        category_2=levels[1],
        category_3=levels[2],
        brand=items.brand.nullif(""),
        price=items.price,
        available=items.available,
        attributes=items.attributes,
    )


def attribute(attributes: ir.ArrayValue, name: str) -> ir.StringValue:
    """Value of the first `name:value` in a list of attributes, or null."""
    prefix = f"{name}:"
    return attributes.filter(lambda one: one.startswith(prefix))[0].substr(len(prefix)).nullif("")
