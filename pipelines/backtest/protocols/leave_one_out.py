"""Leave-one-out: the last event of each user is the test, the second last the validation, the rest training.

The protocol of published tables. It splits by position, not by time, so what other users did later is known:
good for comparing with those tables, never for promoting a release.
"""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.backtest.data import Dataset, known_shop
from pipelines.backtest.protocols.ground_truth import gather_answers
from pipelines.backtest.protocols.split import BacktestSplit, Cutoff, all_of
from pipelines.errors import BacktestError
from pipelines.evaluation import ItemSets, positions
from pipelines.training.data import EvaluationPoint, Interactions, LabelledPoint, ModelSplit

LEAST_EVENTS = 3
"""Users with fewer events are trained on whole and not tested."""

VALIDATION_SHARE = 0.15
"""Share of the tested users whose validation events choices are made by; the second stage learns from the
others'."""

FOLDS = 5
"""Parts of those others, at most: the second stage is told of each item how often the users of the other
parts took it there, and of no user what that user took."""

Fit = Literal["train", "train+validation"]


def cut(dataset: Dataset) -> Cutoff:
    """All events but the last one of each user with three or more.

    Raises:
        BacktestError: Fewer than two users have three events.
    """
    user_ids = dataset.events["user_id"].combine_chunks()
    users = pc.rank(user_ids, tiebreaker="dense").to_numpy().astype(np.int64) - 1
    sizes = np.bincount(users)
    is_tested = sizes[users] >= LEAST_EVENTS
    is_last = np.append(users[1:] != users[:-1], True)
    held = is_tested & is_last
    if held.sum() < 2:
        raise BacktestError(
            f"{dataset.name}: expected at least two users with {LEAST_EVENTS} or more events for protocol "
            f"leave-one-out, received {int(held.sum())}; use another protocol or more events"
        )
    return Cutoff(~held, user_ids.filter(pa.array(held)))


def prepare(
    dataset: Dataset, cut: Cutoff, *, fit: Fit = "train", keep_seen: bool = False, seed: int = 0
) -> BacktestSplit:
    """The trial of the events before the test, and each tested user's last event as the answer.

    Args:
        dataset: Events by user, then time.
        cut: What `cut` found.
        fit: Whether what is counted for the test may also count the validation events. They are part of the
            tested users' histories either way.
        keep_seen: Whether items that a user had before may be listed again.
        seed: Of the draw of validation users.
    """
    shop = known_shop(dataset, cut.known)
    tested = positions(cut.users, shop.user_ids)
    known = shop.interactions
    is_validation = np.zeros(len(known), bool)
    is_validation[np.searchsorted(known.users, tested, "right") - 1] = True
    training = known.rows(~is_validation)
    labels = known.rows(is_validation)
    chosen, *folds = _parts(len(tested), seed)
    future = dataset.events.filter(pa.array(~cut.known))
    return BacktestSplit(
        trial=ModelSplit(
            catalogue=shop.catalogue,
            n_users=len(shop.user_ids),
            event_types=shop.event_types,
            target_types=shop.target_types,
            learning=training,
            ranking=tuple(_labelled(training, labels, tested, fold) for fold in folds),
            validation=_labelled(training, labels, tested, chosen),
            repeats=keep_seen,
            seed=seed,
            folds=True,
        ),
        test=EvaluationPoint(known=training if fit == "train" else known, histories=all_of(known, tested)),
        answers=gather_answers(
            future["user_id"].combine_chunks(),
            future["item_id"].combine_chunks(),
            future["event_type"].combine_chunks(),
            positions(future["user_id"], cut.users),
            shop.catalogue["item_id"].combine_chunks(),
        ),
        counts={"users_trained_on_only": len(shop.user_ids) - len(tested)},
    )


def _parts(n: int, seed: int) -> list[NDArray[np.int64]]:
    """Places of the tested users that are drawn for validation, one at least, then those of each fold."""
    drawn = np.random.default_rng(seed).permutation(n)
    chosen, others = np.split(drawn, [max(1, round(VALIDATION_SHARE * n))])
    return [np.sort(part) for part in (chosen, *np.array_split(others, min(FOLDS, len(others))))]


def _labelled(
    training: Interactions, labels: Interactions, tested: NDArray[np.int64], places: NDArray[np.int64]
) -> LabelledPoint:
    """Requests of some tested users after their training events, labelled by their validation events."""
    items = labels.items[places]
    return LabelledPoint(
        known=training,
        histories=all_of(training, tested[places]),
        wanted=ItemSets(np.arange(len(items) + 1), items),
    )
