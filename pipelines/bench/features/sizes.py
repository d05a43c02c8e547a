"""How much data a benchmark takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of each part."""

    entity_rows: int
    """Rows of the training set that is joined."""

    view_rows: int
    """Rows of each of its two feature views."""

    entities: int
    """Entities of each view that is materialized."""

    peer_entities: int
    """Entities that Feast's own path materializes: from some thousands on it takes as long for each."""

    events: int
    """Events that features are built from."""

    @classmethod
    def of(cls, scale: float) -> "Sizes":
        """A share of the full sizes."""
        return cls(
            entity_rows=max(100, round(1_400_000 * scale)),
            view_rows=max(100, round(400_000 * scale)),
            entities=max(100, round(50_000 * scale)),
            peer_entities=max(100, round(10_000 * scale)),
            events=max(1_000, round(1_500_000 * scale)),
        )
