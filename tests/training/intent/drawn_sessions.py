"""Sessions of which the rule is known: who puts an item into the cart buys it four times in five."""

import numpy as np

from pipelines.training.data import Interactions

TYPES = ("cart", "purchase", "view")


def drawn_sessions(n_sessions: int = 1_500, seed: int = 0) -> Interactions:
    """Three views, then a cart in half of the sessions, then a purchase in four fifths of those."""
    random = np.random.default_rng(seed)
    n_users = n_sessions // 3
    rows = []
    for session in range(n_sessions):
        user, start = session % n_users, 10_000 * (session // n_users + 1) * 5 + session
        items = random.integers(0, 6, 3)
        rows += [(user, item, 3, start + 30 * place) for place, item in enumerate(items)]
        if random.random() < 0.5:
            rows.append((user, items[-1], 1, start + 100))
            if random.random() < 0.8:
                rows.append((user, items[-1], 2, start + 150))
    table = np.array(rows)
    table = table[np.lexsort((table[:, 3], table[:, 0]))]
    return Interactions(
        users=table[:, 0].astype(np.int32),
        items=table[:, 1].astype(np.int32),
        types=table[:, 2].astype(np.int32),
        times=table[:, 3].astype(np.int64),
        baskets=np.arange(len(table)),
        ratings=np.full(len(table), np.nan, np.float32),
    )
