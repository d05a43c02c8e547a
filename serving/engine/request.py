"""The request for a list, and the ranked lists that answer it."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from serving.engine.filtering import Filters
from serving.engine.reranking import RerankSettings

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

Surface = Literal["home", "item", "cart", "category"]
Relation = Literal["similar", "bought_together"]


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """Where a list is shown, how long it is, and which items may appear."""

    surface: Surface = "home"
    k: int = 10
    """Items of the answer at most."""
    item_id: str | None = None
    """The open product, on the surface `item`."""
    relation: Relation = "similar"
    """Which of the two lists of the surface `item`."""
    cart: tuple[str, ...] = ()
    """Item ids in the cart; they are in no list."""
    category: str | None = None
    """The open category on the surface `category`; where the product of `item` is unknown, its category."""
    filters: Filters = field(default_factory=Filters)
    reranking: RerankSettings | None = None
    """The surface's own by default."""


@dataclass(frozen=True, slots=True)
class RankedLists:
    """B lists of at most k items."""

    items: Integers
    """[B, k] item indices, -1 behind the last one."""
    scores: Floats
    """[B, k] scores, falling except where re-ranking stepped in; -inf behind the last item."""
    sources: npt.NDArray[np.int8]
    """[B, k] into `Recommender.source_names`: which source offered the item best."""

    def reordered(self, order: npt.NDArray[np.int64]) -> "RankedLists":
        """The lists with the columns `order` [B, k'] of each."""
        return RankedLists(
            np.take_along_axis(self.items, order, 1),
            np.take_along_axis(self.scores, order, 1),
            np.take_along_axis(self.sources, order, 1),
        )
