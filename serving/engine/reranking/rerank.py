"""Re-ranking: the rules applied to ranked lists, in order."""

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.purchase_history import PurchaseHistory, purchase_history
from serving.engine.reranking.category_diversity import rank_in_category
from serving.engine.reranking.repeat_purchases import is_repurchase_too_soon
from serving.engine.reranking.settings import RerankSettings
from serving.engine.user_batch import UserBatch

Integers = npt.NDArray[np.int32]


def rerank(
    bundle: Bundle,
    users: UserBatch,
    items: Integers,
    settings: RerankSettings,
    history: PurchaseHistory | None = None,
) -> npt.NDArray[np.int64]:
    """[B, C] the new order of ranked lists, as columns of `items` [B, C] (-1 = padding stays behind)."""
    history = purchase_history(bundle, users) if history is None else history
    width = items.shape[1]
    ranks = np.broadcast_to(np.arange(width), items.shape).astype(np.int64)
    key = ranks + width * 1_000 * (items < 0)
    too_soon = is_repurchase_too_soon(bundle, users, items, settings, history)
    if too_soon.any():
        key = key + width * 100 * too_soon
    if settings.max_per_category > 0:
        order = np.argsort(key, axis=1, kind="stable")
        surplus = rank_in_category(bundle, np.take_along_axis(items, order, 1)) // settings.max_per_category
        demotion = np.empty_like(surplus)
        np.put_along_axis(demotion, order, surplus, 1)
        key = key + demotion * settings.window
    return np.argsort(key, axis=1, kind="stable")
