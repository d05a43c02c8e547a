"""Lists for the surfaces of a shop: home, item, cart and category, for known and unknown shoppers."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine.candidates import Candidates, Mask, most_popular, source_named
from serving.engine.candidates.retrieve import retrieve
from serving.engine.purchase_history import PurchaseHistory, purchase_history
from serving.engine.ranking import Encoder, Ranker, as_candidates
from serving.engine.related_items import complements_of, popular_fallback, similar_items
from serving.engine.request import RankedLists, RecommendationRequest, Relation
from serving.engine.reranking import RerankSettings
from serving.engine.reranking.rerank import rerank
from serving.engine.user_batch import UserBatch, empty_user

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

RELATED_SOURCES = ("similar", "bought_together")
"""Sources of the item and cart surfaces."""

RERANKING: dict[str, RerankSettings] = {
    "home": RerankSettings(),
    "category": RerankSettings(max_per_category=0),
    "similar": RerankSettings(max_per_category=0),
    "bought_together": RerankSettings(),
}
"""By surface, or by relation on the item and cart surfaces: where all is of one kind, no limit per kind."""

PERSONAL_WEIGHT: dict[str, float] = {"similar": 0.3, "bought_together": 0.4}
"""What the shopper's own ranking counts where the relation counts 1."""


class Recommender:
    """Retrieval, filtering, ranking and re-ranking over one release; threads may share it."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the graphs that the bundle has; without them the candidate sources alone make the lists.

        Raises:
            BundleError: A graph is not what the spec says, or the spec names an unknown candidate source.
        """
        self.bundle = bundle
        self._specificity = [source_named(name).specificity * 1e-4 for name in bundle.spec.sources]
        self.source_names = tuple(dict.fromkeys((*bundle.spec.sources, "popularity", *RELATED_SOURCES)))
        self._encoder = Encoder(bundle) if bundle.query_encoder_path else None
        self._ranker = Ranker(bundle) if bundle.ranker_path else None

    def warm_up(self) -> None:
        """Run the whole chain once for nobody, so that the first shopper does not wait."""
        nobody = empty_user(self.bundle)
        self.discounted_rank(nobody, self.bundle.popularity_order[None, :10], None)
        self.rank_items(nobody, RecommendationRequest())

    def rank_items(
        self, users: UserBatch, request: RecommendationRequest, history: PurchaseHistory | None = None
    ) -> RankedLists:
        """The same lists as arrays, without texts; evaluation reads these."""
        bundle = self.bundle
        history = purchase_history(bundle, users) if history is None else history
        filters = replace(request.filters, exclude_ids=(*request.filters.exclude_ids, *request.cart))
        allowed = filters.mask(bundle)
        if request.surface == "item" and (item := bundle.index_of(request.item_id)) >= 0:
            return self._related(users, request, [item], request.relation, allowed, history)
        in_cart = bundle.indices_of(request.cart)
        if request.surface == "cart" and (in_cart >= 0).any():
            return self._related(
                users, request, in_cart[in_cart >= 0].tolist(), "bought_together", allowed, history
            )
        if request.category and request.surface in ("category", "item"):
            inside = bundle.catalogue.within(request.category)
            inside = inside if allowed is None else inside & allowed
            # A category that the release does not know: what is good anywhere, rather than nothing.
            allowed = inside if inside.any() else allowed
        return self._personal(users, request, allowed, history)

    def discounted_rank(self, users: UserBatch, items: Integers, allowed: Mask | None) -> Floats:
        """[B, T] DCG discount of each item's rank in the ranker's order of `items`: 1 / log2(1 + rank).

        1 for the first, .63 for the second, .29 for the tenth (Järvelin, Kekäläinen 2002).
        The ranker sees the items as it would among the users' own candidate items.
        """
        queries = self._encoder.encode(users) if self._encoder else None
        offered = retrieve(self.bundle, users, queries, allowed=allowed)
        scores = self._scores(users, as_candidates(self.bundle, items, queries, offered))
        places = 1 + np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
        return np.asarray(1 / np.log2(1 + places), np.float32)

    def _scores(self, users: UserBatch, candidates: Candidates) -> Floats:
        """[B, C] the ranker's scores; without a ranker 1 / (place in the merge). -inf at padding."""
        if self._ranker is not None:
            return self._ranker.rank(users, candidates).scores
        places = np.arange(1, candidates.items.shape[1] + 1, dtype=np.float32)
        return np.where(candidates.items >= 0, 1 / places, np.float32(-np.inf))

    def _personal(
        self, users: UserBatch, request: RecommendationRequest, allowed: Mask | None, history: PurchaseHistory
    ) -> RankedLists:
        """Home and category: retrieval and ranking; popular items for users without history."""
        bundle, shape = self.bundle, (len(users), self.bundle.spec.candidates)
        lists = RankedLists(
            np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int8)
        )
        warm = users.has_history
        if warm.any():
            some = users.rows(np.flatnonzero(warm))
            queries = self._encoder.encode(some) if self._encoder else None
            candidates = retrieve(bundle, some, queries, allowed=allowed)
            # Where two sources put an item equally high, the one that knows more of the shopper is named.
            lists.items[warm] = candidates.items
            lists.scores[warm] = self._scores(some, candidates)
            lists.sources[warm] = np.argmax(candidates.source_scores + np.array(self._specificity), axis=2)
        if not warm.all():
            popular = most_popular(bundle, shape[1], allowed)
            cold = np.ix_(~warm, np.arange(len(popular)))
            lists.items[cold], lists.scores[cold] = popular, bundle.popularity[popular]
            lists.sources[cold] = self.source_names.index("popularity")
        return self._finished(users, request, lists, request.surface, history)

    def _related(
        self,
        users: UserBatch,
        request: RecommendationRequest,
        anchors: list[int],
        relation: Relation,
        allowed: Mask | None,
        history: PurchaseHistory,
    ) -> RankedLists:
        """Item and cart: related items, re-ordered for the user, then popular items as filler."""
        bundle, width = self.bundle, self.bundle.spec.candidates
        if relation == "similar":
            strength = similar_items(bundle, anchors[0], allowed, width)
        else:
            strength = complements_of(bundle, anchors, allowed, width)
        related = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)].astype(np.int32)
        filler = popular_fallback(bundle, anchors, related, allowed, request.k - len(related))
        items = np.tile(np.concatenate([related, filler]), (len(users), 1))
        scores = np.zeros(items.shape, np.float32)
        scores[:, : len(related)] = strength[related] / max(float(strength.max()), 1e-9)
        scores[:, len(related) :] = -0.01 * np.arange(1, len(filler) + 1)
        warm = np.flatnonzero(users.has_history)
        if len(warm) and len(related):
            own = self.discounted_rank(users.rows(warm), items[warm, : len(related)], allowed)
            scores[warm, : len(related)] += PERSONAL_WEIGHT[relation] * own
        sources = np.full(items.shape, self.source_names.index(relation), np.int8)
        sources[:, len(related) :] = self.source_names.index("popularity")
        return self._finished(users, request, RankedLists(items, scores, sources), relation, history)

    def _finished(
        self,
        users: UserBatch,
        request: RecommendationRequest,
        lists: RankedLists,
        kind: str,
        history: PurchaseHistory,
    ) -> RankedLists:
        """The lists sorted by score, re-ranked and cut to k."""
        lists = lists.reordered(np.argsort(-lists.scores, axis=1, kind="stable"))
        settings = request.reranking or RERANKING.get(kind, RerankSettings())
        return lists.reordered(rerank(self.bundle, users, lists.items, settings, history)[:, : request.k])
