"""The stage of a session: browsing, comparing, or about to buy."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Stage = Literal["browsing", "comparing", "about_to_buy"]

LEAST_COMPARED = 2
"""Distinct items of one category that a session looked at before it is called comparing."""

COMPARED_SHARE = 0.6
"""Share of the session's events that one category has at least while items are compared."""


def stage_of(
    probability: float,
    about_to_buy_from: float,
    session_items: npt.NDArray[np.int32],
    session_categories: npt.NDArray[np.int32],
) -> Stage:
    """The stage of one session.

    Args:
        probability: Of a purchase in this session.
        about_to_buy_from: The probability from which a session is about to buy.
        session_items: [E] item indices of the session's events, -1 = unknown.
        session_categories: [E] their category codes, 0 = unknown.
    """
    if probability >= about_to_buy_from:
        return "about_to_buy"
    items = session_items[session_items >= 0]
    distinct, times = np.unique(items, return_counts=True)
    if len(distinct) >= LEAST_COMPARED:
        # Who comes back to an item after another one compares, whatever the catalogue knows of them.
        if (times > 1).any() and _comes_back(items):
            return "comparing"
        known = session_categories[session_categories > 0]
        if len(known):
            top = np.bincount(known).argmax()
            of_top = np.unique(session_items[(session_categories == top) & (session_items >= 0)])
            share = np.count_nonzero(session_categories == top) / len(session_categories)
            if len(of_top) >= LEAST_COMPARED and share >= COMPARED_SHARE:
                return "comparing"
    return "browsing"


def _comes_back(items: npt.NDArray[np.int32]) -> bool:
    """Whether an item appears again after another one stood between."""
    changes = np.append(True, items[1:] != items[:-1])
    visits = items[changes]
    return len(np.unique(visits)) < len(visits)
