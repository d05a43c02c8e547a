"""How much of the candidate places each source is worth, decided on validation."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipelines.training.item_state import write_quick_state
from pipelines.training.material import VALIDATION, Material
from serving.bundle import Bundle, write_spec
from serving.ranking import Encoder
from serving.retrieval import Candidates, retrieve

LEAST_SHARE = 0.005
"""A source without which less than this share of the found items would be lost does not need its places."""

ASIDE = 0.05
"""What is left of such a source's weight: enough to tell the ranker what it thinks of the others' items."""

MOST_USERS = 1_000
"""Requests that are looked at, drawn once and for all."""


def weigh_sources(material: Material) -> dict[str, float]:
    """Set the sources aside that find next to nothing alone, one by one; write and return the weights."""
    bundle, rows, offered, labels = _offers(material)
    hits = taken(offered, rows, labels, bundle.n_items)
    finders = (offered.source_scores > 0)[hits]
    weights = dict(bundle.spec.source_weights)
    for source in idle_sources(finders, bundle.spec.sources):
        weights[source] = weights.get(source, 1.0) * ASIDE
    write_spec(material.workdir, replace(bundle.spec, source_weights=weights))
    return weights


def idle_sources(finders: npt.NDArray[np.bool_], sources: tuple[str, ...]) -> list[str]:
    """The sources that can go one after the other while nearly everything is still found.

    Args:
        finders: [H, S] which sources offered each item that was found.
        sources: Their names.
    """
    staying = dict.fromkeys(range(len(sources)))
    idle: list[str] = []
    while len(staying) > 1 and len(finders):
        found = finders[:, list(staying)].any(axis=1).sum()
        left = {
            place: int(finders[:, [other for other in staying if other != place]].any(axis=1).sum())
            for place in staying
        }
        least = max(left, key=lambda place: left[place])
        if found - left[least] >= LEAST_SHARE * len(finders):
            break
        del staying[least]
        idle.append(sources[least])
    return idle


def recalls(material: Material) -> dict[str, float]:
    """What share of the items that users took the sources offer, on validation.

    Returns:
        `recall_at_100` of all sources, `recall_at_candidates` of all C, and `<source>_recall` of the items
        that the source offers among the C.
    """
    bundle, rows, offered, labels = _offers(material)
    wanted = np.bincount(labels // bundle.n_items, minlength=material.n_users)[rows]
    hits = taken(offered, rows, labels, bundle.n_items)
    told: Mapping[str, npt.NDArray[np.bool_]] = {
        "recall_at_100": hits[:, :100],
        "recall_at_candidates": hits,
        **{
            f"{source}_recall": hits & (offered.source_scores[..., place] > 0)
            for place, source in enumerate(bundle.spec.sources)
        },
    }
    return {name: _recall(found, wanted) for name, found in told.items()}


def taken(
    offered: Candidates, rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], n_items: int
) -> npt.NDArray[np.bool_]:
    """[B, C] which of the offered items the users of these rows took; `labels` as `Material` gives them."""
    hits: npt.NDArray[np.bool_] = np.isin(rows[:, None] * np.int64(n_items) + offered.items, labels)
    return hits & (offered.items >= 0)


def _offers(
    material: Material,
) -> tuple[Bundle, npt.NDArray[np.int64], Candidates, npt.NDArray[np.int64]]:
    """What the sources offer to a sample of the validation requests: bundle, user rows, offers, labels."""
    requests = material.requests(VALIDATION)
    write_quick_state(material, VALIDATION)
    bundle = Bundle.open(material.workdir)
    chosen = np.sort(np.random.default_rng(0).permutation(len(requests.rows))[:MOST_USERS])
    users = requests.users.rows(chosen)
    offered = retrieve(bundle, users, Encoder(bundle).encode(users))
    return bundle, requests.rows[chosen], offered, material.labels(VALIDATION, material.target_types)


def _recall(hits: npt.NDArray[np.bool_], wanted: npt.NDArray[np.int64]) -> float:
    asked = wanted > 0
    return float((hits.sum(axis=1)[asked] / wanted[asked]).mean()) if asked.any() else 0.0
