"""Training examples of intent: one for each event, labelled by what came later in its session."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.training.data import Interactions
from serving.engine.intent import CART, PURCHASE, SESSION_TIMEOUT_S, IntentInputs, intent_inputs

CHUNK = 8_192
"""Examples whose inputs are computed together, to bound memory."""


@dataclass(frozen=True, slots=True)
class IntentExamples:
    """E moments of sessions, in order of user and time."""

    numbers: npt.NDArray[np.float32]
    """[E, F], as `IntentInputs` has them."""
    sequence: npt.NDArray[np.float32]
    """[E, L, C]"""
    shares: npt.NDArray[np.float32]
    """[E, 2, S]"""
    purchase: npt.NDArray[np.float32]
    """[E] 1 if something was bought later in the session."""
    category: npt.NDArray[np.int32]
    """[E] 1-based category code of the session's next step, 0 = unknown or none."""
    price_band: npt.NDArray[np.int32]
    """[E] 1-based price band of it, 0 = unknown or none."""
    session_starts_s: npt.NDArray[np.int64]
    """[E] unix seconds at which the session began: a split by it never parts a session."""
    event_number: npt.NDArray[np.int64]
    """[E] 1-based place of the event in its session."""
    role: npt.NDArray[np.int32]
    """[E] role of the event: view, cart, purchase or other."""

    def __len__(self) -> int:
        return len(self.purchase)

    def rows(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Self:
        """Some of the examples."""
        return type(self)(**{entry.name: getattr(self, entry.name)[chosen] for entry in fields(self)})


def intent_examples(
    events: Interactions,
    roles: npt.NDArray[np.int32],
    groups: npt.NDArray[np.int32],
    sizes: tuple[int, int],
    history_length: int,
    most: int | None = None,
    seed: int = 0,
) -> IntentExamples:
    """Examples of all events, or of a seeded draw of `most` of them.

    Args:
        events: What users did, by user, then time.
        roles: [T + 1] the role of each event type's code.
        groups: [I, 2] category and price band codes of the items.
        sizes: How many categories and price bands there are.
        history_length: Newest events that the inputs are computed from (N).
        most: Examples at most.
        seed: Of the draw.
    """
    n_events = len(events)
    index = np.arange(n_events)
    new_user = np.append(True, events.users[1:] != events.users[:-1])[:n_events]
    waited = np.append(0, np.diff(events.times))[:n_events] > SESSION_TIMEOUT_S
    new_session = new_user | waited
    session = np.cumsum(new_session) - 1
    starts = np.flatnonzero(new_session)
    role = roles[events.types]
    step_ahead = _next_step(session, role, index)
    target = np.where(step_ahead >= 0, events.items[step_ahead], -1)
    codes = np.where(target[:, None] >= 0, groups[target], 0)
    chosen = index
    if most is not None and n_events > most:
        chosen = np.sort(np.random.default_rng(seed).choice(n_events, most, replace=False))
    user_starts = np.maximum.accumulate(np.where(new_user, index, 0))
    parts = [
        _inputs(events, role, user_starts, groups, sizes, history_length, chosen[begin : begin + CHUNK])
        for begin in range(0, len(chosen), CHUNK)
    ]
    return IntentExamples(
        numbers=np.concatenate([part.numbers for part in parts]),
        sequence=np.concatenate([part.sequence for part in parts]),
        shares=np.concatenate([part.shares for part in parts]),
        purchase=_bought_later(session, role)[chosen],
        category=codes[chosen, 0],
        price_band=codes[chosen, 1],
        session_starts_s=events.times[starts][session][chosen],
        event_number=(index - starts[session] + 1)[chosen],
        role=role[chosen],
    )


def _inputs(
    events: Interactions,
    role: npt.NDArray[np.int32],
    user_starts: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int32],
    sizes: tuple[int, int],
    history_length: int,
    chosen: npt.NDArray[np.int64],
) -> IntentInputs:
    """The inputs right after each chosen event."""
    rows = chosen[:, None] - np.arange(history_length)
    known = rows >= user_starts[chosen, None]
    rows = np.maximum(rows, 0)
    return intent_inputs(
        np.where(known, events.items[rows], -1).astype(np.int32),
        np.where(known, role[rows], 0).astype(np.int32),
        np.where(known, events.times[chosen, None] - events.times[rows], 0).astype(np.float32),
        events.times[chosen].astype(np.float64),
        groups,
        sizes,
    )


def _bought_later(session: npt.NDArray[np.int64], role: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """[E] whether a purchase follows in the same session."""
    bought = (role == PURCHASE).astype(np.int64)
    so_far = np.cumsum(bought)
    ends = np.append(np.flatnonzero(np.diff(session)), len(session) - 1)[: session[-1] + 1]
    return np.asarray(so_far[ends][session] > so_far, np.float32)


def _next_step(
    session: npt.NDArray[np.int64], role: npt.NDArray[np.int32], index: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """[E] row of the next cart or purchase of the session, else of its next event, else -1."""
    n_events = len(index)
    beyond = np.int64(n_events)
    strong = np.where((role == CART) | (role == PURCHASE), index, beyond)
    # The next strong row after each: a running minimum from the end, shifted by one.
    after = np.append(np.minimum.accumulate(strong[::-1])[::-1][1:], beyond)[:n_events]
    following = np.minimum(index + 1, n_events - 1)
    sessions = np.append(session, -1)
    by_strength = np.where(sessions[after] == session, after, -1)
    by_order = np.where((session[following] == session) & (following > index), following, -1)
    return np.where(by_strength >= 0, by_strength, by_order)
