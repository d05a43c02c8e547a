"""Who was champion, since when and why: the history of promotions, as pure functions over its entries.

MLflow keeps an alias but not where it was before. So every move is written down as an entry of the registered
model's tag, and what does not fit the last entry was moved by hand, in the MLflow UI.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipelines.errors import ReleaseError

KEPT_ENTRIES = 200
"""Moves that are kept; older ones can no longer be rolled back to."""


class Move(BaseModel):
    """One move of alias `champion`."""

    model_config = ConfigDict(frozen=True)

    version: int
    """The version that became champion."""

    kind: Literal["promotion", "rollback", "by hand"]
    """How: by `promote`, by `rollback`, or noticed after it was moved in the MLflow UI."""

    at: AwareDatetime
    """When; for a move by hand, when it was noticed."""

    by: str
    """Who asked for it."""

    reason: str
    """Why."""


_MOVES = TypeAdapter(tuple[Move, ...])


def read_moves(text: str | None) -> tuple[Move, ...]:
    """The moves in the tag's text, oldest first.

    Raises:
        ReleaseError: The text was changed to something else.
    """
    if not text:
        return ()
    try:
        return _MOVES.validate_json(text)
    except ValidationError as error:
        raise ReleaseError(
            "expected the registered model's tag `champion_history` to hold the moves of alias champion as "
            f"JSON, but it was changed: {error.errors()[0]['msg']}; correct or delete the tag in MLflow"
        ) from error


def write_moves(moves: Sequence[Move]) -> str:
    """The tag's text for these moves; the oldest beyond `KEPT_ENTRIES` are let go."""
    return json.dumps([move.model_dump(mode="json") for move in moves[-KEPT_ENTRIES:]])


def with_move_by_hand(moves: Sequence[Move], champion: int | None, noticed_at: datetime) -> tuple[Move, ...]:
    """The moves, and one more where the champion is not the version that the last of them left there."""
    last = moves[-1].version if moves else None
    if champion is None or champion == last:
        return tuple(moves)
    return (
        *moves,
        Move(
            version=champion,
            kind="by hand",
            at=noticed_at,
            by="unknown",
            reason="the alias was moved outside of Aisle, such as in the MLflow UI",
        ),
    )


def line_of_champions(moves: Sequence[Move]) -> tuple[int, ...]:
    """The versions that a rollback can go back through, the champion last.

    A promotion adds its version; a rollback takes away everything after the version that it went back to. So
    a version that was rolled back from is never gone back to by the next rollback.
    """
    line: list[int] = []
    for move in moves:
        if move.kind == "rollback" and move.version in line:
            last = len(line) - 1 - line[::-1].index(move.version)
            del line[last + 1 :]
        elif not line or line[-1] != move.version:
            line.append(move.version)
    return tuple(line)


def champion_before(moves: Sequence[Move], available: Sequence[int]) -> int | None:
    """The version to roll back to: the nearest earlier champion that is still available."""
    line = line_of_champions(moves)
    if not line:
        return None
    current = line[-1]
    return next(
        (version for version in reversed(line[:-1]) if version in available and version != current), None
    )
