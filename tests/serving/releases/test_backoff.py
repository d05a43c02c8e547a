"""When a failed download is tried again."""

from serving.releases.backoff import Backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_failure_doubles_the_wait_up_to_five_minutes() -> None:
    clock = Clock()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    waits = []
    for _ in range(10):
        backoff.failed("1", "no route")
        before = clock.now
        while backoff.waits_for("1"):
            clock.now += 1.0
        waits.append(clock.now - before)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert (backoff.failures, backoff.reason) == (10, "no route")


def test_jitter_takes_away_at_most_half() -> None:
    clock = Clock()
    backoff = Backoff(clock, jitter=lambda: 0.0)
    backoff.failed("1", "no route")
    clock.now += 0.9
    assert backoff.waits_for("1")
    clock.now += 0.2
    assert not backoff.waits_for("1")


def test_another_version_does_not_wait_and_begins_anew() -> None:
    clock = Clock()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    for _ in range(5):
        backoff.failed("1", "no route")
    assert not backoff.waits_for("2")
    backoff.failed("2", "no route")
    assert backoff.failures == 1
