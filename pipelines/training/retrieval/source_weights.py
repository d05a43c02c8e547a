"""How much of the candidate places each source is worth, decided on validation."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipelines.training.candidate_generation import generate_candidates
from pipelines.training.data import VALIDATION, TrainingData
from pipelines.training.fit import Figures, paired_z_score
from pipelines.training.item_statistics import write_quick_state
from serving.bundle import Bundle, write_spec
from serving.engine import Encoder, UserBatch
from serving.engine.candidates import candidates_by_source, parts_of, weights_of
from serving.engine.candidates.merge import merge

LEAST_SHARE = 0.005
"""Of the found items: what a source has to find alone to keep its places."""

IDLE_WEIGHT_FACTOR = 0.05
"""What is left of such a source's weight: enough to tell the ranker what it thinks of the others' items."""

FACTORS = (0.25, 0.5, 2.0, 4.0)
"""By which the weight of a source that keeps its places is multiplied, if more is found then."""

ERRORS = 1.0
"""By how many standard errors more has to be found: in a small shop a single item more is chance."""

MOST_USERS = 1_000
"""Requests that are looked at, drawn once and for all."""


def fit_source_weights(material: TrainingData) -> dict[str, float]:
    """Set the sources aside that find next to nothing alone, and weigh the others; write and return weights.

    They are those with which most of what users took on validation is among the candidates.
    """
    bundle, rows, users, labels = _sample(material)
    spec, queries = bundle.spec, Encoder(bundle).encode(users)
    offered = [
        (rows[part], candidates_by_source(bundle, users.rows(part), queries[part], spec.candidates))
        for part in parts_of(bundle, len(users))
    ]

    def finders(weights: list[float]) -> tuple[npt.NDArray[np.bool_], Figures]:
        """[H, S] which sources offered each item that is found with these weights, and [U] how many are."""
        offering, found = [], []
        for some_rows, offers in offered:
            items, scores, _ = merge(offers, weights, spec.candidates)
            hits = taken(items, some_rows, labels, bundle.n_items)
            offering.append((scores > 0)[hits])
            found.append(hits.sum(axis=1).astype(np.float64))
        return np.concatenate(offering), np.concatenate(found)

    weights = list(weights_of(spec).values())
    aside = {spec.sources.index(source) for source in redundant_sources(finders(weights)[0], spec.sources)}
    weights = [
        weight * IDLE_WEIGHT_FACTOR if place in aside else weight for place, weight in enumerate(weights)
    ]
    staying = [place for place in range(len(weights)) if place not in aside]
    weights = best_weights(weights, staying, lambda tried: finders(tried)[1])
    named = {**spec.source_weights, **dict(zip(spec.sources, weights, strict=True))}
    write_spec(material.workdir, replace(spec, source_weights=named))
    return named


def best_weights(
    weights: list[float], staying: list[int], found: Callable[[list[float]], Figures]
) -> list[float]:
    """The weights with which most is found, one source's changed after the other's where it pays.

    Args:
        weights: To begin with.
        staying: Places of those that may change.
        found: [U] how many items of each request are found with such weights.
    """
    before = found(weights)
    for place in staying:
        tries = [[*weights[:place], weights[place] * factor, *weights[place + 1 :]] for factor in FACTORS]
        counts = [found(tried) for tried in tries]
        most = int(np.argmax([count.sum() for count in counts]))
        if paired_z_score(counts[most], before) > ERRORS:
            weights, before = tries[most], counts[most]
    return weights


def redundant_sources(finders: npt.NDArray[np.bool_], sources: tuple[str, ...]) -> list[str]:
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


def recalls(material: TrainingData) -> dict[str, float]:
    """What share of the items that users took the sources offer, on validation.

    Returns:
        `recall_at_100` of all sources, `recall_at_candidates` of all C, and `<source>_recall` of the items
        that the source offers among the C.
    """
    bundle, rows, users, labels = _sample(material)
    offered = generate_candidates(bundle, users)
    wanted = np.bincount(labels // bundle.n_items, minlength=material.n_users)[rows]
    hits = taken(offered.items, rows, labels, bundle.n_items)
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
    items: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], n_items: int
) -> npt.NDArray[np.bool_]:
    """[B, C] which of the items the users of these rows took; `labels` as `TrainingData` gives them."""
    hits: npt.NDArray[np.bool_] = np.isin(rows[:, None] * np.int64(n_items) + items, labels)
    return hits & (items >= 0)


def _sample(
    material: TrainingData,
) -> tuple[Bundle, npt.NDArray[np.int64], UserBatch, npt.NDArray[np.int64]]:
    """A sample of the validation requests: bundle, user rows, users, and the labels of those rows."""
    requests = material.requests(VALIDATION)
    write_quick_state(material, VALIDATION)
    bundle = Bundle.open(material.workdir)
    chosen = np.sort(np.random.default_rng(0).permutation(len(requests.rows))[:MOST_USERS])
    labels = material.labels(VALIDATION, material.target_types)
    rows = requests.rows[chosen]
    return bundle, rows, requests.users.rows(chosen), labels[np.isin(labels // bundle.n_items, rows)]


def _recall(hits: npt.NDArray[np.bool_], wanted: npt.NDArray[np.int64]) -> float:
    asked = wanted > 0
    return float((hits.sum(axis=1)[asked] / wanted[asked]).mean()) if asked.any() else 0.0
