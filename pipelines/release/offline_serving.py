"""What a bundle would have answered: lists and probabilities by the very code that serves shoppers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation import GroundTruth, Outcome
from serving.bundle import Bundle, Spec
from serving.engine import Encoder, Filters, Ranker, RecommendationRequest, Recommender, UserBatch
from serving.engine.candidates.retrieve import retrieve

LIST_LENGTH = 100
"""Places that are measured: what a page shows, and the recall of what lies behind it."""

USERS_AT_ONCE = 256

OUTCOME_USERS = 1000
"""Users, spread evenly over all, whose candidate items tell how far the probabilities can be trusted."""


def served_lists(bundle: Bundle, users: UserBatch, length: int = LIST_LENGTH) -> NDArray[np.int32]:
    """Item indices `[n_users, length]` of each user's home list, best first, -1 as padding at the end."""
    recommender = Recommender(bundle)
    lists = np.full((len(users), length), -1, np.int32)
    for rows in _chunks(len(users)):
        items = recommender.rank_items(users.rows(rows), RecommendationRequest("home", k=length)).items
        lists[rows, : items.shape[1]] = items
    return lists


def served_outcomes(
    bundle: Bundle, users: UserBatch, truth_of_task: Mapping[str, GroundTruth]
) -> dict[str, Outcome]:
    """Each task's probability for every candidate item of up to `OUTCOME_USERS` users, beside what happened.

    Args:
        bundle: One with both graphs; without a ranker there is nothing to measure.
        users: The users, in the order of the truth.
        truth_of_task: Output of the ranker, such as `purchase` → what the users did of that kind.
    """
    tasks = [name for name in bundle.spec.ranker_outputs if name in truth_of_task]
    if bundle.ranker_path is None or not tasks:
        return {}
    encoder = Encoder(bundle) if bundle.query_encoder_path else None
    ranker, on_offer = Ranker(bundle), Filters().mask(bundle)
    parts: dict[str, list[tuple[NDArray[np.bool_], NDArray[np.float32]]]] = {task: [] for task in tasks}
    places = []
    sampled = np.arange(0, len(users), max(1, -(-len(users) // OUTCOME_USERS)))
    for part in _chunks(len(sampled)):
        row_numbers = sampled[part]
        some = users.rows(row_numbers)
        queries = encoder.encode(some) if encoder else None
        candidates = retrieve(bundle, some, queries, allowed=on_offer)
        offered = candidates.items >= 0
        outputs = ranker.rank(some, candidates).outputs
        places.append(np.broadcast_to(row_numbers[:, None], offered.shape)[offered])
        for task in tasks:
            hits = truth_of_task[task].take(row_numbers).relevance(candidates.items)
            parts[task].append((hits[offered], outputs[task][offered]))
    users_of = np.concatenate(places)
    return {
        task: Outcome(
            labels=np.concatenate([labels for labels, _ in found]),
            probabilities=np.clip(np.concatenate([said for _, said in found]), 0.0, 1.0),
            users=users_of,
        )
        for task, found in parts.items()
    }


def probability_tasks(spec: Spec) -> list[str]:
    """Tasks of the ranker that give the probability of an event; an expected rating is none."""
    return [task for task in spec.ranker_outputs if set(event_types_of(task)) <= set(spec.event_types)]


def event_types_of(task: str) -> tuple[str, ...]:
    """Event types that fulfil a task of the ranker: `purchase`, or either of two for `view_or_cart`."""
    return tuple(task.split("_or_"))


def _chunks(total: int) -> list[slice]:
    return [slice(start, min(start + USERS_AT_ONCE, total)) for start in range(0, total, USERS_AT_ONCE)]
