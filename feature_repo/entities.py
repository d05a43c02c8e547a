"""Entities: whom and what features are about. Keys are strings, one to each entity."""

from feast import Entity, ValueType

OWNER = "recommendations@aisle.example"
"""Who answers for the features."""

user = Entity(
    name="user",
    join_keys=["user_id"],
    value_type=ValueType.STRING,
    description="A shopper, by the shop's own id.",
    tags={"domain": "shop", "pii": "pseudonymous"},
    owner=OWNER,
)

item = Entity(
    name="item",
    join_keys=["item_id"],
    value_type=ValueType.STRING,
    description="A product of the catalogue, by the shop's own id.",
    tags={"domain": "catalogue", "pii": "none"},
    owner=OWNER,
)

user_category = Entity(
    name="user_category",
    join_keys=["user_category_id"],
    value_type=ValueType.STRING,
    description="A shopper and a category, joined as `user_id|category`.",
    tags={"domain": "shop", "pii": "pseudonymous"},
    owner=OWNER,
)
