"""Events since the last feature build, in memory, so that the next list reflects them."""

import heapq
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from serving.bundle import EVENT_WEIGHTS, NOT_HISTORY
from serving.engine import RecentEvent

COUNTED_ITEMS = 100_000
"""Items whose popularity is counted; beyond it the least popular ones are forgotten."""

WEEK_DAYS = 7
"""Days, today included, that "this week" spans."""

DAY_S = 86_400


class RecentEvents:
    """The newest events of each user, and what is popular among them.

    Args:
        events_per_user: Newest events held for one user.
        users: Users held; beyond it the least recently active one is dropped.
    """

    def __init__(self, events_per_user: int, users: int) -> None:
        self._events_per_user = events_per_user
        self._users = users
        self._events: OrderedDict[str, deque[RecentEvent]] = OrderedDict()
        self._weights: defaultdict[str, float] = defaultdict(float)
        self._weights_by_day: dict[int, defaultdict[str, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Add events, mappings with the columns of the event contract."""
        with self._lock:
            for event in events:
                item_id, event_type = event.get("item_id"), event["event_type"]
                if item_id is None or event_type in NOT_HISTORY:
                    continue
                at = int(datetime.fromisoformat(event["event_at"]).timestamp())
                self._append(event["user_id"], RecentEvent(item_id, event_type, at))
                self._count(item_id, max(0.0, EVENT_WEIGHTS.get(event_type, 0.0)), at // DAY_S)

    def of(self, user_id: str) -> list[RecentEvent]:
        """The user's newest events, newest first; of one second, the one that arrived last first."""
        with self._lock:
            latest_first = list(self._events.get(user_id, ()))[::-1]
        return sorted(latest_first, key=lambda event: -event.event_time_s)

    def recent_users(self, k: int) -> list[str]:
        """The `k` users who acted last, the latest first."""
        with self._lock:
            newest = reversed(self._events)
            return [user_id for user_id, _ in zip(newest, range(k), strict=False)]

    def popular(self, k: int) -> list[tuple[str, float]]:
        """The `k` items with the largest weights of their events, whenever these were."""
        with self._lock:
            return _largest(self._weights, k)

    def popular_this_week(self, k: int, now: datetime) -> list[tuple[str, float]]:
        """The `k` items with the largest weights of their events of the week before `now`."""
        today = int(now.timestamp()) // DAY_S
        weights: defaultdict[str, float] = defaultdict(float)
        with self._lock:
            for day in range(today - WEEK_DAYS + 1, today + 1):
                for item_id, weight in self._weights_by_day.get(day, {}).items():
                    weights[item_id] += weight
        return _largest(weights, k)

    def _count(self, item_id: str, weight: float, day: int) -> None:
        """Add an event's weight to the item's popularity; days before the newest week are dropped."""
        if weight <= 0:
            return
        by_day = self._weights_by_day
        for weights in (self._weights, by_day.setdefault(day, defaultdict(float))):
            weights[item_id] += weight
            if len(weights) > 2 * COUNTED_ITEMS:
                largest = _largest(weights, COUNTED_ITEMS)
                weights.clear()
                weights.update(largest)
        while len(by_day) > WEEK_DAYS:
            del by_day[min(by_day)]

    def _append(self, user_id: str, event: RecentEvent) -> None:
        events = self._events.get(user_id)
        if events is None:
            events = self._events[user_id] = deque(maxlen=self._events_per_user)
            if len(self._events) > self._users:
                self._events.popitem(last=False)
        else:
            self._events.move_to_end(user_id)
        events.append(event)


def _largest(weights: Mapping[str, float], k: int) -> list[tuple[str, float]]:
    return heapq.nlargest(k, weights.items(), key=lambda entry: entry[1])
