"""From ranked arrays to the items of an answer: titles, prices, and the reason for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.bundle import Bundle, levels_of
from serving.engine import (
    PurchaseHistory,
    RankedLists,
    RecommendationRequest,
    Recommender,
    UserBatch,
)
from serving.engine.purchase_history import purchase_history
from serving.explanations.explainer import Anchor, Explainer
from serving.explanations.reasons import Reason


def _described_as(description: str) -> Any:
    """A field with the sentence that the OpenAPI document gives it."""
    return field(metadata={"description": description})


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One item of a list, as answers and the OpenAPI document spell it. A new field is added here alone."""

    rank: int = _described_as("Place in the list, from 1.")
    item_id: str = _described_as("Id of the item.")
    title: str | None = _described_as("Name of the item.")
    brand: str | None = _described_as("Brand of the item.")
    category: str | None = _described_as("Category path, levels joined by ' > '.")
    price: float | None = _described_as("Price of one unit.")
    image_url: str | None = _described_as("Address of a picture.")
    score: float = _described_as("What the list is sorted by; comparable within one list only.")
    source: str = _described_as("The candidate source that ranked the item highest: two_tower, buy_again …")
    reason: str = _described_as("Why it is here, a sentence for the shopper.")
    reason_code: str = _described_as("The same, for programs.")


def recommend(
    recommender: Recommender, users: UserBatch, request: RecommendationRequest, language: str = "en"
) -> list[list[Recommendation]]:
    """One list for each user, best first, with names, prices and reasons."""
    bundle = recommender.bundle
    history = purchase_history(bundle, users)
    ranked = recommender.rank_items(users, request, history)
    anchors, category = _anchors(bundle, request), _category_name(bundle, request)
    return [
        _described(recommender, ranked, row, users, history, anchors, category, language)
        for row in range(len(users))
    ]


def describe(
    bundle: Bundle, item: int, score: float, rank: int, source: str, reason: Reason, language: str
) -> Recommendation:
    """One item of an answer, from its index."""
    facts = bundle.item(item)
    return Recommendation(
        rank=rank,
        item_id=facts.item_id,
        title=facts.title,
        brand=facts.brand,
        category=facts.category,
        price=facts.price,
        image_url=facts.image_url,
        score=score,
        source=source,
        reason=reason.text(language),
        reason_code=reason.code,
    )


def _described(
    recommender: Recommender,
    ranked: RankedLists,
    row: int,
    users: UserBatch,
    history: PurchaseHistory,
    anchors: Sequence[Anchor],
    category: str | None,
    language: str,
) -> list[Recommendation]:
    bundle = recommender.bundle
    explainer = Explainer(bundle, users.rows(slice(row, row + 1)), history.of_user(row))
    answer = []
    for index in range(int(np.count_nonzero(ranked.items[row] >= 0))):
        item, source = int(ranked.items[row, index]), recommender.source_names[ranked.sources[row, index]]
        reason = explainer.explain(item, source, anchors, category)
        score = float(ranked.scores[row, index])
        answer.append(describe(bundle, item, score, index + 1, source, reason, language))
    return answer


def _anchors(bundle: Bundle, request: RecommendationRequest) -> list[Anchor]:
    """The items that the list is about: the open product, or those in the cart."""
    if request.surface == "item" and (item := bundle.index_of(request.item_id)) >= 0:
        return [Anchor(item, complement=request.relation == "bought_together")]
    if request.surface != "cart":
        return []
    return [Anchor(item, complement=True) for item in bundle.indices_of(request.cart).tolist() if item >= 0]


def _category_name(bundle: Bundle, request: RecommendationRequest) -> str | None:
    """The last level of the category that the list is about, as the catalogue writes it."""
    category = request.category if request.surface in ("category", "item") else None
    levels = levels_of(category or request.filters.category or "")
    codes = bundle.catalogue.codes_within(levels)
    return bundle.catalogue.levels[codes[0]][len(levels) - 1] if len(codes) else None
