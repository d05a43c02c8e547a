"""Few ratings for tests."""

import numpy as np

from pipelines.training.ratings import Ratings


def ratings(
    *rows: tuple[int, int, float],
    n_users: int | None = None,
    n_items: int | None = None,
    user_features: np.ndarray | None = None,
    item_features: np.ndarray | None = None,
) -> Ratings:
    """Rows of (user, item, rating)."""
    users, items = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    return Ratings(
        users,
        items,
        np.array([row[2] for row in rows], np.float64),
        np.zeros((n_users or users.max() + 1, 0)) if user_features is None else user_features,
        np.zeros((n_items or items.max() + 1, 0)) if item_features is None else item_features,
    )


def tastes(n_users: int = 60, n_items: int = 40, share: float = 0.5, seed: int = 0) -> Ratings:
    """Two kinds of users and of items: each user likes items of its own kind (5), not the others (1)."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < share)
    values = np.where(users % 2 == items % 2, 5.0, 1.0)
    order = rng.permutation(len(users))
    kind = np.eye(2)
    return Ratings(
        users[order],
        items[order],
        values[order],
        kind[np.arange(n_users) % 2],
        kind[np.arange(n_items) % 2],
    )
