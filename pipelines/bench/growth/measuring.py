"""Measuring shops of many sizes, one part after the other."""

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.bench.growth.names import GROWTH_PARTS
from pipelines.bench.growth.shop import users_of
from pipelines.errors import AisleError
from pipelines.runtime import Console, Limits, run_isolated

Size = tuple[int, int]
"""Events and items."""


def sizes(events: Iterable[int], items: Iterable[int], with_events: int, with_items: int) -> list[Size]:
    """The shops to measure, smallest first: events grow beside `with_items`, items beside `with_events`."""
    wanted = {*((size, with_items) for size in events), *((with_events, size) for size in items)}
    return sorted(wanted, key=lambda size: size[0] + 10 * size[1])


def measure(
    size: Size, budget: str, limit_s: float, console: Console, until: str = GROWTH_PARTS[-1]
) -> dict[str, Any]:
    """What every part of a training took in a shop of that size, each in a process of its own.

    Args:
        size: Events and items.
        budget: How long models are trained.
        limit_s: Seconds after which a part is killed; those behind it are then not measured.
        console: Where a person sees it.
        until: The last part to measure.

    Returns:
        `events`, `items`, `users`, `budget`, `load` of the machine at the end, and by part `seconds`,
        `cpu_seconds` and `peak_mb`, or `ended`: why there are none.
    """
    from pipelines.bench.growth import parts

    events, items = size
    limits = Limits(limit_s)
    told: dict[str, Any] = {"events": events, "items": items, "users": users_of(events), "budget": budget}
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as home:
        with console.step(f"Draw {events:,} events, {items:,} items"):
            run_isolated(parts.draw, limits, home=home, events=events, items=items)
        for part in GROWTH_PARTS[: GROWTH_PARTS.index(until) + 1]:
            try:
                with console.step(part):
                    told[part] = run_isolated(getattr(parts, part), limits, home=home, budget=budget)
            except AisleError as error:
                told[part] = {"ended": str(error).splitlines()[0]}
                break
    return {**told, "load": round(os.getloadavg()[0], 1)}


def kept(path: Path) -> list[dict[str, Any]]:
    """What was measured before and written there."""
    return list(json.loads(path.read_text("utf-8"))["shops"]) if path.exists() else []


def with_shop(shops: Sequence[dict[str, Any]], shop: dict[str, Any]) -> list[dict[str, Any]]:
    """The shops and this one, in the place of one of the same size."""
    size = (shop["events"], shop["items"])
    return [*(one for one in shops if (one["events"], one["items"]) != size), shop]
