"""Users as the arrays that the graphs and the candidate sources read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.bundle import Bundle, Spec
from serving.errors import FeatureLookupError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

HISTORY_COLUMNS = ("item_ids", "event_types", "event_times")


@dataclass(frozen=True, slots=True)
class UserBatch:
    """B users at the instants of their requests."""

    history_items: Integers
    """[B, N] item indices of the last N events, newest first; -1 = padding, or not in the catalogue."""
    history_types: Integers
    """[B, N] 1-based codes into `spec.event_types`; 0 = padding."""
    history_ages_s: Floats
    """[B, N] seconds from the event to the request, >= 0; 0 where padding."""
    features: Floats
    """[B, U] raw values in the order of `spec.user_features`; NaN = unknown."""
    profile: Integers
    """[B, P] 1-based codes into the values of each of `spec.profile_features`; 0 = unknown."""

    def __len__(self) -> int:
        return len(self.history_items)

    def rows(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> "UserBatch":
        """Some of the users, in the order chosen."""
        return UserBatch(**{entry.name: getattr(self, entry.name)[chosen] for entry in fields(self)})

    @property
    def has_history(self) -> npt.NDArray[np.bool_]:
        """[B] whether any event on an item of the catalogue is known of the user."""
        known: npt.NDArray[np.bool_] = np.any(self.history_items >= 0, axis=1)
        return known


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """An event that has not come back through the feature store yet."""

    item_id: str
    event_type: str
    event_time_s: int
    """Unix seconds."""


def user_batch(bundle: Bundle, rows: Sequence[Mapping[str, Any]], at: Sequence[float] | Floats) -> UserBatch:
    """Users from rows of the feature store.

    Args:
        bundle: The release whose item indices and codes are used.
        rows: One mapping per user with `item_ids`, `event_types`, `event_times` (unix seconds; three lists of
            one length, newest first), the features by name and the profile by name. What is missing or None
            is unknown. A reference `view:name` or `view__name` is met by the key `name` too.
        at: [B] unix seconds of the requests. Events after them, and events of types that the release does
            not know, are left out.
    """
    histories = [_history_of(row) for row in rows]
    lengths = np.fromiter((len(history[0]) for history in histories), np.int64, len(rows))
    flat_ids = [item_id for history in histories for item_id in history[0]]
    codes = {name: code for code, name in enumerate(bundle.spec.event_types, start=1)}
    flat_types = [codes.get(name, 0) for history in histories for name in history[1]]
    flat_times = [time for history in histories for time in history[2]]
    spec = bundle.spec
    features = [[_number(_value(row, name)) for name in spec.user_features] for row in rows]
    profile_codes = _profile_codes(spec)
    profile = [
        [known.get(_text(_value(row, name)), 0) for name, known in profile_codes.items()] for row in rows
    ]
    return UserBatch(
        *_padded_history(
            spec,
            bundle.indices_of(flat_ids),
            np.array(flat_types, np.int32),
            np.array(flat_times, np.float64),
            lengths,
            np.asarray(at, np.float64),
        ),
        features=np.array(features, np.float32).reshape(len(rows), len(spec.user_features)),
        profile=np.array(profile, np.int32).reshape(len(rows), len(spec.profile_features)),
    )


def user_batch_from_table(bundle: Bundle, table: pa.Table, at: npt.NDArray[np.float64]) -> UserBatch:
    """The same from a table with the same columns, such as Feast's historical features return.

    A column that is missing is unknown for every user.
    """
    spec, size = bundle.spec, table.num_rows
    names = {name: _column_name(table, name) for name in (*HISTORY_COLUMNS, *spec.user_features)}
    if all(names[name] is not None for name in HISTORY_COLUMNS):
        ids, types, times = (table.column(names[name]).combine_chunks() for name in HISTORY_COLUMNS)
        lengths, *others = (
            pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
            for column in (ids, types, times)
        )
        if not all(np.array_equal(lengths, other) for other in others):
            raise FeatureLookupError(f"Expected {HISTORY_COLUMNS} of one length per user, received others.")
        flat = [pc.list_flatten(column) for column in (ids, types, times)]
        items = _codes_in(flat[0], bundle.items.column("item_id").combine_chunks()) - 1
        type_codes = _codes_in(flat[1], pa.array(spec.event_types))
        seconds = flat[2].cast(pa.float64()).to_numpy(zero_copy_only=False)
    else:
        lengths = np.zeros(size, np.int64)
        items, type_codes, seconds = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    features = np.full((size, len(spec.user_features)), np.nan, np.float32)
    for place, name in enumerate(spec.user_features):
        if (column := names[name]) is not None:
            numbers = pc.fill_null(table.column(column).cast(pa.float64()), float("nan"))
            features[:, place] = numbers.to_numpy()
    profile = np.zeros((size, len(spec.profile_features)), np.int32)
    for place, feature in enumerate(spec.profile_features):
        if (column := _column_name(table, feature.name)) is not None:
            texts = table.column(column).cast(pa.string()).combine_chunks()
            profile[:, place] = _codes_in(texts, pa.array(feature.values, pa.string()))
    history = _padded_history(spec, items, type_codes, seconds, lengths, np.asarray(at, np.float64))
    return UserBatch(*history, features=features, profile=profile)


def empty_user(bundle: Bundle) -> UserBatch:
    """A batch of one user without history, features or profile."""
    return user_batch(bundle, [{}], [0.0])


def with_live_events(row: Mapping[str, Any], events: Iterable[RecentEvent]) -> dict[str, Any]:
    """A feature row whose history starts with the user's live events, newest first, each event once.

    Events that the feature store has caught up with (same item, type and second) are not doubled.
    """
    history = list(zip(*_history_of(row), strict=True))
    known = set(history)
    fresh = [(event.item_id, event.event_type, int(event.event_time_s)) for event in events]
    merged = history + [event for event in dict.fromkeys(fresh) if event not in known]
    merged.sort(key=lambda event: -event[2])
    columns = [list(column) for column in zip(*merged, strict=True)] or [[], [], []]
    return {**row, **dict(zip(HISTORY_COLUMNS, columns, strict=True))}


def _padded_history(
    spec: Spec,
    items: Integers,
    types: Integers,
    seconds: npt.NDArray[np.float64],
    lengths: npt.NDArray[np.int64],
    at: npt.NDArray[np.float64],
) -> tuple[Integers, Integers, Floats]:
    """`[B, N]` item indices, type codes and ages from all users' events one after the other."""
    users = np.repeat(np.arange(len(lengths)), lengths)
    ages = at[users] - seconds
    known = (ages >= 0) & (types > 0)
    users, items, types, ages = users[known], items[known], types[known], ages[known]
    kept = np.bincount(users, minlength=len(lengths))
    places = np.arange(len(users)) - np.repeat(np.cumsum(kept) - kept, kept)
    recent = places < spec.history_length
    at_place = (users[recent], places[recent])
    shape = (len(lengths), spec.history_length)
    padded_items, padded_types = np.full(shape, -1, np.int32), np.zeros(shape, np.int32)
    padded_ages = np.zeros(shape, np.float32)
    padded_items[at_place] = items[recent]
    padded_types[at_place] = types[recent]
    padded_ages[at_place] = ages[recent]
    return padded_items, padded_types, padded_ages


def _history_of(row: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    ids, types, times = (_value(row, name) for name in HISTORY_COLUMNS)
    ids, types, times = (() if part is None else part for part in (ids, types, times))
    shortest = min(len(ids), len(types), len(times))
    return ids[:shortest], types[:shortest], times[:shortest]


def _value(row: Mapping[str, Any], name: str) -> Any:
    return row[name] if name in row else row.get(_bare(name))


def _bare(name: str) -> str:
    """The feature's own name without its view's."""
    return name.rpartition(":")[2].rpartition("__")[2]


def _column_name(table: pa.Table, name: str) -> str | None:
    for column in (name, _bare(name)):
        if column in table.column_names:
            return column
    return None


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _profile_codes(spec: Spec) -> dict[str, dict[str | None, int]]:
    return {
        feature.name: dict(zip(feature.values, range(1, len(feature.values) + 1), strict=True))
        for feature in spec.profile_features
    }


def _codes_in(values: pa.Array, known: pa.Array) -> Integers:
    """1-based place of every value in `known`, 0 where it is not there."""
    if len(known) == 0:
        return np.zeros(len(values), np.int32)
    found = pc.index_in(values, value_set=known)
    codes: Integers = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int32) + 1
    return codes
