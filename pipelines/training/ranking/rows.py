"""Ranking rows: the lists that retrieval offers at an instant, with signals, features and labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.evaluation.split import Window
from pipelines.training.item_state import write_quick_state
from pipelines.training.ranking.model import EXPECTED_RATING
from pipelines.training.ranking.signals import signals
from pipelines.training.tensorflow import Tensor, tf
from pipelines.training.training_set import VALIDATION, TrainingSet, codes_of
from serving.bundle import Bundle
from serving.ranking import Encoder
from serving.retrieval import retrieve
from serving.users import UserBatch

AT_ONCE = 32


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


def ranking_rows(material: TrainingSet, name: str) -> RankingRows:
    """Retrieve for the requests of that name as serving would have at their instant, and label the lists."""
    requests = material.requests(name)
    write_quick_state(material, requests.at)
    bundle = Bundle.open(material.workdir)
    queries = Encoder(bundle).encode(requests.users)
    candidates = retrieve(bundle, requests.users, queries)
    window = material.split.validation if name == VALIDATION else material.split.labels_of(requests.at)
    targets = material.labels(window, material.target_codes)
    return RankingRows(
        items=candidates.items,
        signals=compute_signals(bundle, requests.users, candidates.items),
        retrieval_scores=candidates.retrieval_scores,
        source_scores=candidates.source_scores,
        user_features=requests.users.features,
        user_profile=requests.users.profile,
        labels=_labels(material, window, requests.rows, candidates.items),
        wanted=np.bincount(targets // bundle.n_items, minlength=len(material.user_ids))[requests.rows],
        item_features=np.array(bundle.item_features),
    )


def compute_signals(
    bundle: Bundle, users: UserBatch, items: npt.NDArray[np.int32]
) -> npt.NDArray[np.float16]:
    """[R, C, S] the graph's own signals, computed for many users at once."""
    n_types = len(bundle.spec.event_types)

    parts = []
    for start in range(0, len(items), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        parts.append(
            _signals(
                bundle.history_codes(users.history_items[part]),
                users.history_types[part],
                users.history_ages_s[part],
                bundle.history_codes(items[part]),
                n_types,
            ).numpy()
        )
    return np.concatenate(parts)


@tf.function(reduce_retracing=True)
def _signals(codes: Tensor, types: Tensor, ages_s: Tensor, offered: Tensor, n_types: int) -> Tensor:
    return tf.cast(signals(codes, types, ages_s, offered, n_types), tf.float16)


def _labels(
    material: TrainingSet, window: Window, rows: npt.NDArray[np.int64], items: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """[R, C, T] what the users did with the offered items in the window."""
    offered = rows[:, None] * np.int64(len(material.item_ids)) + items
    labels = []
    for task in tasks_of(material.event_types, material.target_types):
        if task == EXPECTED_RATING:
            labels.append(_ratings(material, window, offered))
            continue
        names = material.target_types if task == material.target_types[0] else (task,)
        taken = material.labels(window, codes_of(material.event_types, names))
        labels.append(np.where(items >= 0, np.isin(offered, taken), False).astype(np.float32))
    return np.stack(labels, axis=-1)


def _ratings(
    material: TrainingSet, window: Window, offered: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """[R, C] the last rating that a user gave an item in the window, NaN where there is none."""
    given = material.interactions.between(window.starts_at, window.ends_at)
    given = given.rows(np.isfinite(given.ratings))
    if len(given) == 0:
        return np.full(offered.shape, np.nan, np.float32)
    keys = given.users * np.int64(len(material.item_ids)) + given.items
    order = np.lexsort((given.times, keys))
    last = np.append(keys[order][1:] != keys[order][:-1], True)
    keys, ratings = keys[order][last], given.ratings[order][last]
    places = np.minimum(np.searchsorted(keys, offered), len(keys) - 1)
    return np.where(keys[places] == offered, ratings[places], np.nan).astype(np.float32)
