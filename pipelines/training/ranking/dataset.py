"""Ranking rows: the lists that retrieval offers at an instant, with signals, features and labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.training.candidate_generation import generate_candidates
from pipelines.training.data import Interactions, TrainingData
from pipelines.training.item_statistics import write_quick_state
from pipelines.training.ranking.features import signals
from pipelines.training.ranking.model import EXPECTED_RATING
from pipelines.training.tf import Tensor, tf
from serving.bundle import Bundle
from serving.engine import UserBatch

LIST_BATCH_SIZE = 32
LEAST_LENGTH = 16
"""Events that signals are computed from at least, known or not: some look at a certain place."""


@dataclass(frozen=True, slots=True)
class RankingRows:
    """R requests with the C items that retrieval offered to each."""

    items: npt.NDArray[np.int32]
    """[R, C] item indices, -1 = padding."""
    signals: npt.NDArray[np.float16]
    """[R, C, S]"""
    retrieval_scores: npt.NDArray[np.float32]
    """[R, C]"""
    source_scores: npt.NDArray[np.float32]
    """[R, C, O]"""
    source_strengths: npt.NDArray[np.float32]
    """[R, C, O]"""
    user_features: npt.NDArray[np.float32]
    """[R, U]"""
    user_profile: npt.NDArray[np.int32]
    """[R, P]"""
    labels: npt.NDArray[np.float32]
    """[R, C, T] by task: 0 or 1, for ratings the rating; NaN = no label."""
    wanted: npt.NDArray[np.int64]
    """[R] different items that the user took in the window, offered or not."""
    item_features: npt.NDArray[np.float32]
    """[n, F] features of all items at the instant."""

    def __len__(self) -> int:
        return len(self.items)


def tasks_of(event_types: tuple[str, ...], target_types: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks of a shop: its target, then the other things that users do, the expected rating last."""
    others = [
        name for name in ("purchase", "cart", "view") if name in event_types and name not in target_types
    ]
    ratings = [EXPECTED_RATING] if "rating" in event_types else []
    return (target_types[0], *others, *ratings)


def telling(rows: RankingRows) -> npt.NDArray[np.bool_]:
    """[R] in which lists anything was taken by the first task."""
    return np.asarray((np.nan_to_num(rows.labels[..., 0]) > 0).any(axis=1))


def ranking_rows(material: TrainingData, name: str) -> RankingRows:
    """Retrieve for the requests of that name as serving would have at their instant, and label the lists."""
    requests = material.requests(name)
    write_quick_state(material, name)
    bundle = Bundle.open(material.workdir)
    candidates = generate_candidates(bundle, requests.users)
    targets = material.labels(name, material.target_types)
    return RankingRows(
        items=candidates.items,
        signals=compute_signals(bundle, requests.users, candidates.items),
        retrieval_scores=candidates.retrieval_scores,
        source_scores=candidates.source_scores,
        source_strengths=candidates.source_strengths,
        user_features=requests.users.features,
        user_profile=requests.users.profile,
        labels=_labels(material, name, requests.rows, candidates.items),
        wanted=np.bincount(targets // bundle.n_items, minlength=material.n_users)[requests.rows],
        item_features=np.array(bundle.item_features),
    )


def compute_signals(
    bundle: Bundle, users: UserBatch, items: npt.NDArray[np.int32]
) -> npt.NDArray[np.float16]:
    """[R, C, S] the graph's own signals, computed for many users at once."""
    n_types = len(bundle.spec.event_types)
    lengths = np.count_nonzero(users.history_types, axis=1)
    # Padding adds nothing to a signal: users of like histories go together, cut to the longest of them.
    order, parts = np.argsort(lengths, kind="stable"), []
    for start in range(0, len(items), LIST_BATCH_SIZE):
        part = order[start : start + LIST_BATCH_SIZE]
        longest = max(LEAST_LENGTH, int(lengths[part].max(initial=0)))
        some = users.rows(part)
        parts.append(
            _signals(
                bundle.history_codes(some.history_items[:, :longest]),
                some.history_types[:, :longest],
                some.history_ages_s[:, :longest],
                bundle.history_codes(items[part]),
                n_types,
            ).numpy()
        )
    computed = np.concatenate(parts)
    signals_of = np.empty_like(computed)
    signals_of[order] = computed
    return signals_of


@tf.function(autograph=False, reduce_retracing=True)
def _signals(codes: Tensor, types: Tensor, ages_s: Tensor, offered: Tensor, n_types: int) -> Tensor:
    return tf.cast(signals(codes, types, ages_s, offered, n_types), tf.float16)


def _labels(
    material: TrainingData, name: str, rows: npt.NDArray[np.int64], items: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """[R, C, T] what the users did with the offered items in the window of that name."""
    n_items = len(material.item_features(name))
    offered = rows[:, None] * np.int64(n_items) + items
    labels = []
    for task in tasks_of(material.event_types, material.target_types):
        if task == EXPECTED_RATING:
            labels.append(_ratings(material.ratings(name), n_items, offered))
            continue
        names = material.target_types if task == material.target_types[0] else (task,)
        taken = material.labels(name, names)
        labels.append(np.where(items >= 0, np.isin(offered, taken), False).astype(np.float32))
    return np.stack(labels, axis=-1)


def _ratings(given: Interactions, n_items: int, offered: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """[R, C] the last rating that a user gave an item, NaN where there is none."""
    if len(given) == 0:
        return np.full(offered.shape, np.nan, np.float32)
    keys = given.users * np.int64(n_items) + given.items
    order = np.lexsort((given.times, keys))
    last = np.append(keys[order][1:] != keys[order][:-1], True)
    keys, ratings = keys[order][last], given.ratings[order][last]
    places = np.minimum(np.searchsorted(keys, offered), len(keys) - 1)
    return np.where(keys[places] == offered, ratings[places], np.nan).astype(np.float32)
