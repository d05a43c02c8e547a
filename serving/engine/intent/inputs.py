"""What the intent model reads of a user: the running session, and the sessions before it, as numbers.

Everything is a function of the user's last N events, their ages and the hour, so that training and serving
compute the same numbers by the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

SESSION_TIMEOUT_S = 1_800.0
"""Seconds without an event after which a session has ended."""

SEQUENCE_LENGTH = 24
"""Newest events that the model reads one by one."""

VIEW, CART, PURCHASE, OTHER = 1, 2, 3, 4
ROLES = 4
"""Event types as the model distinguishes them; 0 = padding."""

LONG_AGO_S = 180 * 86_400.0
"""Stands for "never" among times since something."""

NUMBERS = (
    "session_events",
    "session_items",
    "session_views",
    "session_carts",
    "session_purchases",
    "session_duration",
    "session_gap",
    "session_mean_gap",
    "session_open_carts",
    "newest_is_view",
    "newest_is_cart",
    "newest_is_purchase",
    "second_is_cart",
    "second_is_purchase",
    "third_is_cart",
    "third_is_purchase",
    "same_item_as_second",
    "item_times_in_session",
    "item_times_before",
    "item_carted_before",
    "item_bought_before",
    "since_purchase",
    "since_cart",
    "since_session",
    "open_carts",
    "earlier_sessions",
    "earlier_purchase_share",
    "last_session_purchased",
    "last_session_carted",
    "earlier_views",
    "earlier_carts",
    "earlier_purchases",
    "history_span",
    "history_is_full",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
)
"""The F numbers of `IntentInputs.numbers`, in order."""

SEQUENCE_CHANNELS = 10
"""Width of a step of `IntentInputs.sequence`."""


@dataclass(frozen=True, slots=True)
class IntentInputs:
    """B users as the intent model reads them."""

    numbers: Floats
    """[B, F], in the order of `NUMBERS`."""
    sequence: Floats
    """[B, L, C] the newest L events, oldest first, padded with zeros in front."""
    in_session: Bools
    """[B, N] which events of the history belong to the running session."""
    shares: Floats
    """[B, 2, S] shares of the session's and of the whole history's events by group; sums are at most 1."""


def event_roles(event_types: Sequence[str], target_types: Sequence[str]) -> Integers:
    """[T + 1] the role of each event type's code: target types are purchases, `cart` and `view` themselves.

    Args:
        event_types: A type's code is its 1-based place.
        target_types: Types that mean: the user has bought it.
    """
    named = {"view": VIEW, "cart": CART, **dict.fromkeys(target_types, PURCHASE)}
    return np.array([0, *(named.get(name, OTHER) for name in event_types)], np.int32)


def intent_inputs(
    items: Integers,
    roles: Integers,
    ages_s: Floats,
    at_s: npt.NDArray[np.float64],
    item_groups: Integers,
    n_groups: Sequence[int],
) -> IntentInputs:
    """What the model reads of users whose newest event is part of their running session.

    Times count from the newest event, not from the request: the same events give the same numbers.

    Args:
        items: [B, N] item indices of the last N events, newest first, -1 = padding or unknown.
        roles: [B, N] their roles; 0 = padding.
        ages_s: [B, N] seconds from each event to the request.
        at_s: [B] unix seconds of the requests.
        item_groups: [I, G] the item's 1-based code in each of G groupings, such as category; 0 = unknown.
        n_groups: [G] codes of each grouping; S is their sum.
    """
    known = roles > 0
    since = np.where(known, np.maximum(ages_s - ages_s[:, :1], 0), np.float32(0))
    gaps = np.zeros_like(since)
    gaps[:, :-1] = np.where(known[:, 1:], since[:, 1:] - since[:, :-1], 0)
    session = np.zeros(since.shape, np.int32)
    session[:, 1:] = np.cumsum(gaps[:, :-1] > SESSION_TIMEOUT_S, axis=1)
    inside = known & (session == 0)
    before = known & ~inside
    view, cart, purchase = (roles == role for role in (VIEW, CART, PURCHASE))
    same = (items == items[:, :1]) & known & (items[:, :1] >= 0)
    is_newest, bought_later = _repeats(items, purchase)
    open_carts, new_in_session = cart & ~bought_later, inside & is_newest

    counted = (
        inside,
        new_in_session,
        *(inside & kind for kind in (view, cart, purchase, open_carts, same)),
        before & same,
        open_carts,
        *(before & kind for kind in (view, cart, purchase)),
    )
    n_counted = np.stack(counted).sum(axis=2)
    counts = np.log1p(n_counted).astype(np.float32)
    n_inside = n_counted[0]
    newest_of = np.where(np.stack((purchase, cart, before)), since, LONG_AGO_S).min(axis=2)
    times_since = _log_seconds(np.minimum(newest_of, LONG_AGO_S))
    duration = np.where(inside, since, 0).max(axis=1)
    has_second = n_inside > 1
    sessions = session.max(axis=1, where=known, initial=0)
    bought_sessions = _sessions_with(session, before & purchase)
    days = np.asarray(at_s, np.float64) - ages_s[:, 0]
    hour, weekday = days % 86_400 / 86_400, days % 604_800 / 604_800
    columns = (
        *counts[:5],
        _log_seconds(duration),
        np.where(has_second, _log_seconds(gaps[:, 0]), -1),
        np.where(has_second, _log_seconds(duration / np.maximum(n_inside - 1, 1)), -1),
        counts[5],
        *(kind[:, 0] for kind in (view, cart, purchase)),
        *((inside & kind)[:, place] for place in (1, 2) for kind in (cart, purchase)),
        (same & inside)[:, 1],
        counts[6],
        counts[7],
        (same & cart)[:, 1:].any(axis=1),
        (same & purchase)[:, 1:].any(axis=1),
        *times_since,
        counts[8],
        np.log1p(sessions),
        (bought_sessions + 0.5) / (sessions + 2.0),
        (purchase & (session == 1)).any(axis=1),
        (cart & (session == 1)).any(axis=1),
        *counts[9:],
        _log_seconds(since.max(axis=1)),
        known[:, -1],
        *(turn(2 * np.pi * part) for part in (hour, weekday) for turn in (np.sin, np.cos)),
    )
    numbers = np.array(columns, np.float32).T
    return IntentInputs(
        numbers,
        _sequence(roles, since, gaps, inside, same, open_carts),
        inside,
        _shares(items, inside, known, item_groups, n_groups),
    )


def _sequence(
    roles: Integers, since: Floats, gaps: Floats, inside: Bools, same: Bools, open_carts: Bools
) -> Floats:
    """[B, L, C] one step for each of the newest events, the newest last."""
    part = [array[:, :SEQUENCE_LENGTH] for array in (roles, since, gaps, inside, same, open_carts)]
    role, age, gap, in_session, same_item, is_open = part
    known = role > 0
    channels = (
        known,
        *(role == one for one in (VIEW, CART, PURCHASE, OTHER)),
        _log_seconds(age),
        _log_seconds(gap),
        in_session,
        same_item,
        is_open,
    )
    steps = np.array(channels, np.float32).transpose(1, 2, 0) * known[..., None]
    length = steps.shape[1]
    padded = np.zeros((len(steps), SEQUENCE_LENGTH, SEQUENCE_CHANNELS), np.float32)
    padded[:, SEQUENCE_LENGTH - length :] = steps[:, ::-1]
    return padded


def _shares(
    items: Integers, inside: Bools, known: Bools, item_groups: Integers, n_groups: Sequence[int]
) -> Floats:
    """[B, 2, S] how a user's events spread over the groups: those of the session, and all that are known."""
    size = sum(n_groups)
    shares = np.zeros((len(items), 2, size), np.float32)
    rows = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
    first = 0
    for column, count in enumerate(n_groups):
        codes = np.where(items >= 0, item_groups[items, column], 0)
        for place, which in enumerate((inside, known)):
            counted = which & (codes > 0)
            keys = rows[counted] * count + codes[counted] - 1
            sums = np.bincount(keys, minlength=len(items) * count).reshape(len(items), count)
            totals = np.maximum(np.count_nonzero(which, axis=1), 1)[:, None]
            shares[:, place, first : first + count] = sums / totals
        first += count
    return shares


def _log_seconds(seconds: npt.NDArray[Any]) -> Floats:
    """Times as numbers of about one size: log10 of one second more."""
    return np.asarray(np.log10(1 + seconds), np.float32)


def _repeats(items: Integers, purchase: Bools) -> tuple[Bools, Bools]:
    """[B, N] each: whether no newer event has the item, and whether a newer event bought it.

    Events on unknown items count each by itself, and are never bought.
    """
    order = np.argsort(items, axis=1, kind="stable")
    rows = np.arange(len(items))[:, None]
    sorted_items, sorted_purchases = items[rows, order], purchase[rows, order]
    starts = np.ones(items.shape, bool)
    starts[:, 1:] = sorted_items[:, 1:] != sorted_items[:, :-1]
    # Purchases of one item before this place (newer events stand in front), counted from the item's start.
    counted: npt.NDArray[np.int64] = np.cumsum(sorted_purchases, axis=1) - sorted_purchases
    at_start = np.maximum.accumulate(np.where(starts, counted, 0), axis=1)
    is_known = sorted_items >= 0
    newest, bought = np.zeros(items.shape, bool), np.zeros(items.shape, bool)
    newest[rows, order] = starts | ~is_known
    bought[rows, order] = (counted > at_start) & is_known
    return newest, bought


def _sessions_with(session: Integers, which: Bools) -> npt.NDArray[np.int64]:
    """[B] number of distinct sessions with at least one of the events."""
    n_sessions = session.shape[1]
    keys = np.arange(len(session))[:, None] * n_sessions + session
    present = np.zeros(len(session) * n_sessions, bool)
    present[keys[which]] = True
    return np.asarray(np.count_nonzero(present.reshape(len(session), n_sessions), axis=1), np.int64)
