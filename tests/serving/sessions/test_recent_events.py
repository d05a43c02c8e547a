from datetime import UTC, datetime, timedelta

from serving.sessions.recent_events import RecentEvents

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def event(item_id: str, event_type: str, days_ago: float) -> dict[str, object]:
    at = NOW - timedelta(days=days_ago)
    return {"user_id": "u", "item_id": item_id, "event_type": event_type, "event_at": at.isoformat()}


def test_popular_this_week_counts_the_events_of_seven_days_and_no_older_ones():
    recent = RecentEvents(10, 10)
    recent.add([event("old", "purchase", 30), event("old", "purchase", 8), event("new", "view", 6)])
    recent.add([event("new", "view", 0), event("cart", "cart", 1)])
    assert recent.popular_this_week(5, NOW) == [("cart", 0.3), ("new", 0.2)]
    assert recent.popular(1) == [("old", 2.0)]
    assert recent.popular_this_week(5, NOW + timedelta(days=30)) == []


def test_what_speaks_against_an_item_does_not_make_it_popular():
    recent = RecentEvents(10, 10)
    recent.add([event("back", "return", 1), event("odd", "stroke", 1), event("seen", "view", 1)])
    assert recent.popular(5) == recent.popular_this_week(5, NOW) == [("seen", 0.1)]
