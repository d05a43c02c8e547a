"""The champion as it would stand at the candidate's cutoff, so that both are measured on equal terms.

A champion's graphs and vectors stay what they are. What is merely counted (popularity, neighbours, what is
bought together, item features) is taken from the candidate's bundle: the champion's own would be older than
the cutoff, or, when it was released inside the test window, would have seen the answers.
"""

import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.runtime import read_instant
from serving.bundle import Bundle, write_array

LINKED = {
    "neighbours": "neighbour_scores",
    "complements": "complement_scores",
    "followers": "follower_scores",
    "lookalikes": "lookalike_scores",
}
"""Arrays of item indices `[n, M]`, and the array of scores beside each."""


def with_item_state_of(champion: Bundle, candidate: Bundle, directory: Path) -> Bundle:
    """A copy of the champion in `directory`, its counted arrays those of the candidate's bundle.

    Items that only one of the two knows keep nothing: popularity 0, no neighbours, unknown features.
    """
    shutil.copytree(champion.directory, directory)
    (directory / "manifest.json").unlink(missing_ok=True)
    there = candidate.indices_of(champion.items["item_id"].to_pylist())
    back = champion.indices_of(candidate.items["item_id"].to_pylist())
    known = there >= 0
    popularity = np.where(known, candidate.popularity[there], 0.0)
    write_array(directory, "popularity", popularity)
    if "trending" in champion.spec.sources:
        write_array(directory, "trending", np.where(known, candidate.trending[there], 0.0))
    write_array(directory, "item_features", _features(champion, candidate, there))
    for name, scores in LINKED.items():
        links, strengths = _links(getattr(candidate, name), getattr(candidate, scores), there, back)
        write_array(directory, name, links)
        write_array(directory, scores, strengths)
    return Bundle.open(directory)


def learned_before(champion_learned_until: str | None, test_from: datetime) -> bool:
    """Whether the champion's learned parts end before the test window begins; if unsaid, they may not."""
    return champion_learned_until is not None and read_instant(champion_learned_until) <= test_from


def _features(champion: Bundle, candidate: Bundle, there: NDArray[np.int32]) -> NDArray[np.float32]:
    """The candidate's features by name, in the champion's order of items and columns; NaN = unknown."""
    columns = {name: place for place, name in enumerate(candidate.spec.item_features)}
    features = np.full((len(there), len(champion.spec.item_features)), np.nan, np.float32)
    for place, name in enumerate(champion.spec.item_features):
        if name in columns:
            features[:, place] = np.where(there >= 0, candidate.item_features[there, columns[name]], np.nan)
    return features


def _links(
    links: NDArray[np.int32],
    strengths: NDArray[np.float32],
    there: NDArray[np.int32],
    back: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Links and their strengths in the champion's item indices, those that it knows first."""
    own = np.where((there >= 0)[:, None], links[there], -1)
    moved = np.where(own >= 0, back[own], -1).astype(np.int32)
    weights = np.where(moved >= 0, strengths[there], 0.0).astype(np.float32)
    order = np.argsort(moved < 0, axis=1, kind="stable")
    return np.take_along_axis(moved, order, 1), np.take_along_axis(weights, order, 1)
