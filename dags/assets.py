"""The assets that join the DAGs, and the facts that travel in their events.

An asset event says in `extra` which instant its content stands for, `as_of` (ISO 8601, UTC,
exclusive), and the versions to read. A run started by an asset has no logical date, so this is the
only clock it has.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Asset

SHOP_DATA = Asset("shop_data", uri="aisle://lake/shop_data")
"""New rows are in the lake; `extra`: as_of, versions."""

FEATURES = Asset("features", uri="aisle://lake/features")
"""The feature tables are built; `extra`: as_of, versions."""

ONLINE_FEATURES = Asset("online_features", uri="aisle://feast/online")
"""The online store answers with the values of an instant; `extra`: as_of."""

RELEASE = Asset("release", uri="aisle://registry/release")
"""A release was registered; `extra`: as_of, version, gate."""


def fact(
    name: str,
    params: Mapping[str, Any],
    triggering_asset_events: Mapping[Any, Sequence[Any]] | None,
) -> Any:
    """The fact `name` this run works with: given by hand in its parameters, else from the newest asset event.

    None where neither says it: the step then takes what is newest itself.
    """
    if params.get(name) is not None:
        return params[name]
    events = [event for events in (triggering_asset_events or {}).values() for event in events]
    newest = max(events, key=lambda event: event.timestamp, default=None)
    return None if newest is None else newest.extra.get(name)
