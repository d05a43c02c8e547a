"""Results of tasks in words, for the line that a person sees when a task has ended."""

from collections.abc import Callable, Mapping
from typing import Any

PHRASES: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("rows_in", lambda n: f"{n:,} rows in"),
    ("accepted", lambda n: f"{n:,} accepted"),
    ("quarantined", lambda n: f"{n:,} quarantined" if n else ""),
    ("duplicates", lambda n: f"{n:,} duplicates" if n else ""),
    ("rows", lambda n: f"{n:,} rows"),
    ("recall_at_100", lambda x: f"recall@100 {x:.3f}"),
    ("auc", lambda x: f"AUC {x:.3f}"),
    ("version", lambda v: f"version {v}"),
    ("gate", lambda g: f"gate {g}" if isinstance(g, str) else ""),
    ("alias", lambda a: f"alias {a}" if a else ""),
    ("reason", lambda r: brief(str(r))),
)


def brief(reason: str) -> str:
    """A reason without the figures in brackets behind it; MLflow and the report hold those."""
    return reason.partition(" (")[0]


def in_words(result: Any) -> str:
    """What a task returned, as a person reads it; empty where there is nothing to say."""
    if not isinstance(result, Mapping):
        return ""
    said = [phrase(result[key]) for key, phrase in PHRASES if result.get(key) is not None]
    said += _quality(result)
    return ", ".join(part for part in said if part)


def _quality(result: Mapping[str, Any]) -> list[str]:
    release = result.get("release")
    baselines = result.get("baselines")
    if not isinstance(release, Mapping) or not isinstance(baselines, Mapping):
        return []
    best = max(baselines, key=lambda name: baselines[name]["ndcg_at_10"])
    return [
        f"NDCG@10 {release['ndcg_at_10']:.4f}",
        f"best baseline ({best.replace('_', ' ')}) {baselines[best]['ndcg_at_10']:.4f}",
    ]
