"""Finding the reason of each shown item in the user's history and the release's neighbour lists."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.bundle import EVENT_WEIGHTS, Bundle
from serving.engine import CART, DAY_S, PurchaseHistory, UserBatch
from serving.engine.candidates import SOURCES
from serving.engine.purchase_history import purchase_history
from serving.explanations.reasons import Reason, bought

CATEGORY_HABIT = 3
"""Least number of recent events in a category for saying that a shopper often shops there."""
HABIT_DAYS = 90
"""Age up to which an event counts for such a habit: who came often last year does not come often."""
RECENT_DAYS = 7
"""Age up to which a look is called recent; the days are counted beyond it."""
ANCHORS = 50
"""Distinct items of the history that a reason may name."""
BECAUSE = {"view": "because_looked", CART: "because_carted", "rating": "because_rated"}
"""Reason by the type of the user's last event on an item; of other types, a shop's success is a purchase."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """An item that the list is about: the open product, or one in the cart."""

    index: int
    complement: bool
    """Whether the list holds what goes with it, not what is like it."""


class Explainer:
    """Reasons for the items shown to one user."""

    def __init__(self, bundle: Bundle, user: UserBatch, history: PurchaseHistory | None = None) -> None:
        """Look the user's history through once; `user` is a batch of one, and `history` its purchases."""
        self._bundle = bundle
        history = purchase_history(bundle, user) if history is None else history
        self._history = history
        # Where looking or rating is all that a shop knows, nothing is said to be bought.
        buys = not set(BECAUSE) & set(bundle.spec.target_types)
        self._bought = {item: row for row, item in enumerate(history.keys.tolist()) if buys}
        known = user.history_items[0] >= 0
        self._items = user.history_items[0][known]
        self._types = user.history_types[0][known]
        self._ages = user.history_ages_s[0][known]
        newest_first = list(dict.fromkeys(self._items.tolist()))
        self._newest = dict(
            zip(reversed(self._items.tolist()), range(len(self._items) - 1, -1, -1), strict=True)
        )
        liked = [item for item in newest_first if self._because(self._type_name(self._newest[item]))]
        self._distinct = np.array(liked[:ANCHORS], np.int32)
        self._near = {
            False: np.concatenate(
                [bundle.neighbours[self._distinct], bundle.followers[self._distinct]], axis=1
            ),
            True: bundle.complements[self._distinct],
        }
        counts = np.array(
            [self._because(self._type_name(event)) is not None for event in range(len(self._items))], bool
        )
        habitual = self._items[counts & (self._ages <= HABIT_DAYS * DAY_S)]
        self._categories = Counter(bundle.catalogue.category_codes[habitual].tolist())

    def explain(
        self, item: int, source: str, anchors: Sequence[Anchor] = (), category: str | None = None
    ) -> Reason:
        """Why that item is in the list.

        Args:
            item: Its index.
            source: The candidate source that offered it best.
            anchors: What the list is about; none on the home page.
            category: The name of the category that the list is about.
        """
        return (
            self._because_of_anchor(item, source, anchors)
            or self.own(item)
            or self._because_of_history(item, source)
            or self._because_of_taste(item, source, category)
        )

    def _because_of_anchor(self, item: int, source: str, anchors: Sequence[Anchor]) -> Reason | None:
        best, best_score = None, 0.0
        for anchor in anchors:
            if not anchor.complement:
                continue
            row, scores = self._bundle.complements[anchor.index], self._bundle.complement_scores[anchor.index]
            found = np.flatnonzero(row == item)
            if found.size and scores[found[0]] > best_score:
                best, best_score = anchor.index, float(scores[found[0]])
        if best is not None:
            return Reason("bought_with", {"title": self._title(best)})
        if anchors and not anchors[0].complement and not _is_general(source):
            own = self.own(item)
            return own or Reason("similar", {"title": self._title(anchors[0].index)})
        return None

    def own(self, item: int) -> Reason | None:
        """The user's purchases of the item or last event on it as the reason; None without such events."""
        row = self._bought.get(item)
        if row is not None:
            interval = float(self._history.interval_s[row]) / DAY_S
            days_ago = math.floor(float(self._history.last_age_s[row]) / DAY_S)
            return bought(int(self._history.days[row]), interval, days_ago)
        newest = self._newest.get(item)
        if newest is None:
            return None
        kind, days = self._type_name(newest), math.floor(float(self._ages[newest]) / DAY_S)
        if kind == CART:
            return Reason("carted_before", {"days": days}) if days > 1 else Reason("in_cart")
        if kind == "rating":
            return Reason("rated")
        if kind != "view":
            return None
        return Reason("looked_at") if days < RECENT_DAYS else Reason("looked_at_before", {"days": days})

    def _because_of_history(self, item: int, source: str) -> Reason | None:
        """Names the latest item of the history to whose lists this one belongs."""
        if _is_general(source):
            return None
        for complement, related in self._near.items():
            near = np.flatnonzero((related == item).any(axis=1))
            if not near.size:
                continue
            latest = int(self._distinct[near[0]])
            code = self._because(self._type_name(self._newest[latest]))
            return Reason(
                "bought_with" if complement or code is None else code, {"title": self._title(latest)}
            )
        return None

    def _because(self, kind: str) -> str | None:
        """The reason that an event of this type gives for related items; None if it is no liking."""
        spec = self._bundle.spec
        if kind in BECAUSE or kind in spec.target_types:
            return BECAUSE.get(kind, "because_bought")
        liking = {**EVENT_WEIGHTS, **spec.event_weights}.get(kind, 0.0) > 0
        if not liking:
            return None
        return "because_bought" if kind == "purchase" else "because_liked"

    def _because_of_taste(self, item: int, source: str, category: str | None) -> Reason:
        code = int(self._bundle.catalogue.category_codes[item])
        if _is_general(source) and source != "popularity":
            return Reason(SOURCES[source].reason)
        if source == "popularity" or not len(self._items):
            return Reason("popular_in", {"category": category}) if category else Reason("popular")
        if code >= 0 and self._categories[code] >= CATEGORY_HABIT:
            return Reason("for_category", {"category": self._bundle.catalogue.levels[code][-1]})
        return Reason("for_you")

    def _title(self, item: int) -> str:
        return str(self._bundle.items.column("title")[item].as_py())

    def _type_name(self, event: int) -> str:
        return self._bundle.spec.event_types[int(self._types[event]) - 1]


def _is_general(source: str) -> bool:
    """Whether the source's list is the same for every user."""
    return source in SOURCES and SOURCES[source].specificity == 0
