"""The plan of windows that keeps training, validation and test apart in time.

Time runs left to right and `H` is the horizon. Requests are made at the start of a window and labelled by
what the users did in it:

    first event … retrieval_until | ranking requests, H/2 apart, over H | validation H | test H | as_of

Nothing learned may look at or after `test_from`; retrieval sees only what lies before `retrieval_until`, so
that the ranking stage is trained on candidate items whose retrieval scores did not see its labels.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from pipelines.errors import EvaluationError

RETRIEVAL_SHARE = 0.4
"""Least share of the shop's whole span that is left to train retrieval on."""

SHORTEST_SPAN = timedelta(hours=1)
"""A shop with less history than this cannot be split in time at all."""


class Window(BaseModel):
    """A span of time."""

    model_config = ConfigDict(frozen=True)

    starts_at: AwareDatetime
    """First instant inside the window."""

    ends_at: AwareDatetime
    """First instant after the window."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise ValueError(
                f"a window must start before it ends, received {self.starts_at} to {self.ends_at}"
            )
        return self

    def contains(self, instants: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of the UTC instants `[n]` lie in the window."""
        inside: NDArray[np.bool_] = (instants >= utc64(self.starts_at)) & (instants < utc64(self.ends_at))
        return inside


class TimeSplit(BaseModel):
    """Where training ends and each window of labels begins; serialisable as JSON."""

    model_config = ConfigDict(frozen=True)

    first_event_at: AwareDatetime
    """Instant of the shop's first event."""

    as_of: AwareDatetime
    """Exclusive cutoff: no event at or after it exists for this training."""

    horizon: timedelta
    """Length of every window of labels; shorter than asked where the shop's history is short."""

    test_from: AwareDatetime
    """Start of the test window, which ends at `as_of`."""

    validation_from: AwareDatetime
    """Start of the validation window, which ends at `test_from`."""

    ranking_instants: tuple[AwareDatetime, ...]
    """Instants of the ranking stage's training requests, oldest first; labels end by `validation_from`."""

    retrieval_until: AwareDatetime
    """Exclusive end of what retrieval is trained on: the first ranking instant."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        instants = [self.first_event_at, self.retrieval_until, *self.ranking_instants]
        ordered = all(a <= b for a, b in pairwise(instants))
        labelled = bool(self.ranking_instants) and (
            self.ranking_instants[-1] + self.horizon <= self.validation_from
        )
        apart = self.validation_from + self.horizon <= self.test_from < self.as_of
        if not (ordered and labelled and apart and self.retrieval_until == self.ranking_instants[0]):
            raise ValueError(
                "the windows of a time split must follow each other without overlap: retrieval, ranking "
                f"requests with their labels, validation, test; received {self!r}"
            )
        return self

    @classmethod
    def plan(
        cls, first_event_at: datetime, as_of: datetime, horizon_days: float = 14, ranking_requests: int = 4
    ) -> "TimeSplit":
        """Plan the windows of a shop whose events run from `first_event_at` until before `as_of`.

        The horizon shrinks where the windows would leave retrieval less than `RETRIEVAL_SHARE` of the span:
        to whole days while there is one, else to whole seconds.

        Raises:
            EvaluationError: The span is shorter than `SHORTEST_SPAN`, or an argument is out of range.
        """
        if horizon_days <= 0 or ranking_requests < 1:
            raise EvaluationError(
                "expected a horizon above 0 days and at least 1 ranking request, received "
                f"{horizon_days} days and {ranking_requests} requests"
            )
        first_event_at, as_of = first_event_at.astimezone(UTC), as_of.astimezone(UTC)
        span = as_of - first_event_at
        if span < SHORTEST_SPAN:
            raise EvaluationError(
                f"expected at least {SHORTEST_SPAN} of events to split in time, received {span} "
                f"(first event {first_event_at.isoformat()}, as_of {as_of.isoformat()}); ingest more history"
            )
        horizons_needed = 3 + (ranking_requests - 1) / 2
        longest = span * (1 - RETRIEVAL_SHARE) / horizons_needed
        horizon = min(timedelta(days=horizon_days), _rounded_down(longest))
        validation_from = as_of - 2 * horizon
        instants = [validation_from - horizon - horizon / 2 * step for step in range(ranking_requests)]
        return cls(
            first_event_at=first_event_at,
            as_of=as_of,
            horizon=horizon,
            test_from=as_of - horizon,
            validation_from=validation_from,
            ranking_instants=tuple(reversed(instants)),
            retrieval_until=instants[-1],
        )

    @property
    def test(self) -> Window:
        """The window whose events are the truth of the gate."""
        return Window(starts_at=self.test_from, ends_at=self.as_of)

    @property
    def validation(self) -> Window:
        """The window for choosing: early stopping, weights, thresholds."""
        return self.labels_of(self.validation_from)

    def labels_of(self, instant: datetime) -> Window:
        """The window that labels a request made at `instant`."""
        return Window(starts_at=instant, ends_at=instant + self.horizon)


def _rounded_down(span: timedelta) -> timedelta:
    """Whole days while there is one, else whole seconds."""
    return timedelta(days=span.days) if span.days >= 1 else timedelta(seconds=int(span.total_seconds()))


def utc64(instant: datetime) -> np.datetime64:
    """The instant as numpy's zoneless microseconds, which are UTC everywhere here."""
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")
