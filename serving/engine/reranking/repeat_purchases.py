"""Re-ranking rule: demote items that were bought a moment ago or are in the cart."""

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.purchase_history import CART, HOUR_S, PurchaseHistory
from serving.engine.reranking.settings import RerankSettings
from serving.engine.user_batch import UserBatch

Integers = npt.NDArray[np.int32]


def is_repurchase_too_soon(
    bundle: Bundle, users: UserBatch, items: Integers, settings: RerankSettings, history: PurchaseHistory
) -> npt.NDArray[np.bool_]:
    """[B, C] whether the user does not need the item yet: it is in the cart, or was bought a moment ago.

    With `repurchase_interval_share`, a moment is measured by the user's own habit: bread bought every second
    day is due again the next day, washing powder bought every two months is not due for weeks.
    """
    rows = np.arange(len(items))[:, None]
    too_soon = np.zeros(items.shape, bool)
    if len(history.keys):
        rows_of = history.find(rows, items)
        patience_s: npt.NDArray[np.float64] | float = settings.just_bought_hours * HOUR_S
        if settings.repurchase_interval_share > 0:
            interval_s = np.nan_to_num(history.interval_s, nan=0.0)
            patience_s = np.maximum(patience_s, settings.repurchase_interval_share * interval_s[rows_of])
        too_soon = (rows_of >= 0) & (history.last_age_s[rows_of] < patience_s)
    if CART in bundle.spec.event_types and settings.in_cart_hours > 0:
        in_cart = (users.history_types == bundle.spec.event_types.index(CART) + 1) & (
            users.history_ages_s < settings.in_cart_hours * HOUR_S
        )
        at_user, at_event = np.nonzero(in_cart & (users.history_items >= 0))
        if len(at_user):
            keys = at_user * np.int64(bundle.n_items) + users.history_items[at_user, at_event]
            too_soon |= np.isin(rows * np.int64(bundle.n_items) + items, keys) & (items >= 0)
    return too_soon
