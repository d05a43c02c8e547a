"""Search of the catalogue: BM25, forgiving of misspelling, ranked for the person by the release's ranker."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.engine import (
    Filters,
    RecommendationRequest,
    Recommender,
    UserBatch,
    empty_user,
)
from serving.explanations import MESSAGES, Explainer, Reason, Recommendation, recommend, sentence
from serving.explanations.describe import describe
from serving.search.analysis import SURFACE_FIELDS
from serving.search.index import Hits, TextIndex
from serving.search.normalization import cleaned, code_of
from serving.search.price_limits import PricedText, price_limits
from serving.search.spelling import nearest_word

Match = Literal["exact", "fuzzy", "browse", "nothing"]

RANKED = 200
"""Best text matches that are ranked for the person; behind them the order of BM25 stays."""
PERSONAL_WEIGHT = 0.3
"""What the person's ranking counts where the best text match counts 1."""
POPULARITY_WEIGHT = 0.15
"""What popularity counts for a person of whom nothing is known; the ranker knows it for the others."""


NO_HITS = Hits(np.zeros(0, np.int32), np.zeros(0, np.float32), 0)
NO_FACETS: dict[str, list[dict[str, Any]]] = {"category": [], "brand": [], "price": []}


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a shopper looks for."""

    text: str = ""
    """Any characters at all; empty = browse."""
    k: int = 20
    offset: int = 0
    """Results to skip."""
    filters: Filters = field(default_factory=Filters)
    language: str = "en"


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """One page of results."""

    items: list[Recommendation]
    total: int
    """All results, on whichever page."""
    facets: dict[str, list[dict[str, Any]]]
    """category, brand: {value, count}; price: {from, to, count}; over all results."""
    match: Match
    message: str | None
    """What the shopper should know of how the results came about."""
    did_you_mean: str | None
    """The words that were searched for instead."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """How what was typed is understood."""

    groups: list[list[str]]
    needed: int | None
    match: Match
    message: str | None = None
    corrected: str | None = None


class SearchEngine:
    """Search over one release; threads may share it. A release without a text index lets shoppers browse."""

    def __init__(self, bundle: Bundle, recommender: Recommender) -> None:
        """Open the release's text index.

        Raises:
            BundleError: the index is not what the format says.
        """
        self._bundle = bundle
        self._recommender = recommender
        self._index = TextIndex.open(bundle.directory) if bundle.text_index_path else None
        self._price_bounds = price_bounds(bundle.catalogue.price)
        self._popularity = np.empty(bundle.n_items, np.float32)
        self._popularity[bundle.popularity_order] = np.linspace(1, 0, bundle.n_items, dtype=np.float32)

    def search(self, request: SearchRequest, users: UserBatch | None = None) -> SearchAnswer:
        """One page of results for the person, `users` being a batch of one; None = nobody known.

        Limits of price in the text are filters, unless nothing is found within them.
        """
        priced = price_limits(cleaned(request.text))
        if priced.min_price is not None or priced.max_price is not None:
            filters = _within(request.filters, priced)
            answer = self._search(replace(request, text=priced.text, filters=filters), users)
            if answer.total:
                message = answer.message or sentence(MESSAGES, "priced", request.language, {})
                return replace(answer, message=message)
        return self._search(request, users)

    def _search(self, request: SearchRequest, users: UserBatch | None) -> SearchAnswer:
        """One page of results for the text as it stands."""
        user = empty_user(self._bundle) if users is None else users
        text = cleaned(request.text)
        index = self._index
        words = index.words(text) if index else []
        wanted = max(RANKED, request.offset + request.k)
        named = index.with_code(code_of(text), request.filters, wanted) if index else NO_HITS
        if index is None or not (words or named.total):
            return self._browse(request, user, text if index is None else "")
        if named.total and any(map(str.isdigit, text)):
            # Who types a part number wants that part, and none that shares some of its signs.
            return self._page(request, user, named, ParsedQuery([], None, "exact"), NO_FACETS)
        reading = self._understand(index, text, words, request)
        if reading.match == "nothing" and not named.total:
            return self._instead(request, user, reading)
        if reading.match == "nothing":
            return self._page(request, user, named, ParsedQuery([], None, "exact"), NO_FACETS)
        hits = self._for_person(index.search(reading.groups, request.filters, wanted, reading.needed), user)
        facets = index.facets(reading.groups, request.filters, self._price_bounds, reading.needed)
        return self._page(request, user, _with_first(named.items, hits), reading, facets)

    def _page(
        self,
        request: SearchRequest,
        user: UserBatch,
        hits: Hits,
        reading: ParsedQuery,
        facets: dict[str, list[dict[str, Any]]],
    ) -> SearchAnswer:
        """The part of the hits that was asked for, described for the shopper."""
        page = slice(request.offset, request.offset + request.k)
        explainer = Explainer(self._bundle, user)
        shown = []
        for place, (item, score) in enumerate(
            zip(hits.items[page].tolist(), hits.scores[page].tolist(), strict=True), start=request.offset + 1
        ):
            reason = explainer.own(item) or Reason("matches")
            shown.append(describe(self._bundle, item, score, place, "search", reason, request.language))
        return SearchAnswer(
            items=shown,
            total=hits.total,
            facets=facets,
            match=reading.match,
            message=reading.message,
            did_you_mean=reading.corrected,
        )

    def _understand(
        self, index: TextIndex, text: str, words: list[str], request: SearchRequest
    ) -> ParsedQuery:
        """The strictest reading of the words that finds something."""
        filters, language = request.filters, request.language
        groups = [self._forms(index, word) for word in words]
        known = [group for group in groups if group]
        if len(known) == len(groups) and index.count(groups, filters):
            return ParsedQuery(groups, None, "exact")
        corrections = [
            group[:1] or self._corrected(index, word) for group, word in zip(groups, words, strict=True)
        ]
        mended = [group or correction for group, correction in zip(groups, corrections, strict=True)]
        corrected = " ".join(
            correction[0] if correction and not group else word
            for word, group, correction in zip(words, groups, corrections, strict=True)
            if group or correction
        )
        usable = [group for group in mended if group]
        if len(known) < len(groups) and usable and index.count(usable, filters):
            instead = sentence(
                MESSAGES, "corrected", language, {"text": _quoted(text), "corrected": corrected}
            )
            return ParsedQuery(usable, None, "fuzzy", instead, corrected)
        # As many of the words as any item has: two of three before one of three.
        for needed in range(len(usable) - 1, 0, -1):
            if index.count(usable, filters, needed):
                return ParsedQuery(
                    usable, needed, "fuzzy", sentence(MESSAGES, "some", language, {"text": _quoted(text)})
                )
        found_elsewhere = bool(usable) and index.count(usable, Filters(in_stock_only=False), 1) > 0
        reason = sentence(
            MESSAGES, "filtered" if found_elsewhere else "nothing", language, {"text": _quoted(text)}
        )
        return ParsedQuery([], None, "nothing", reason)

    def _forms(self, index: TextIndex, word: str) -> list[str]:
        """The word where the catalogue has it, else the words that it is the beginning of."""
        if index.is_known(word):
            return [word]
        return index.completions(word) if len(word) >= 3 and not _has_digit(word) else []

    def _corrected(self, index: TextIndex, word: str) -> list[str]:
        """The catalogue's word that was probably meant, or nothing; a number is meant as it is written."""
        if len(word) < 3 or _has_digit(word):
            return []
        catalogue = [self._bundle.items.column(name) for name in SURFACE_FIELDS]
        near = index.near_words(word).tolist()
        texts = {column[item].as_py() or "" for item in near for column in catalogue}
        meant = nearest_word(word, [other for text in texts for other in index.words_of(text)])
        return [] if meant is None else [meant]

    def _for_person(self, hits: Hits, user: UserBatch) -> Hits:
        """The hits, the first of them in an order that knows the person."""
        first = hits.items[:RANKED]
        scores = hits.scores / max(float(hits.scores.max(initial=0)), 1e-9)
        if not user.has_history[0]:
            scores += POPULARITY_WEIGHT * self._popularity[hits.items]
        elif len(first):
            scores[:RANKED] += (
                PERSONAL_WEIGHT * self._recommender.discounted_rank(user, first[None, :], None)[0]
            )
        order = np.argsort(-scores[:RANKED], kind="stable")
        order = np.concatenate([order, np.arange(len(order), len(hits.items))])
        return Hits(hits.items[order], scores[order].astype(np.float32), hits.total)

    def _browse(self, request: SearchRequest, user: UserBatch, text: str) -> SearchAnswer:
        """Nothing to look for: what suits the person, within the filters."""
        mask = request.filters.mask(self._bundle)
        total = self._bundle.n_items if mask is None else int(mask.sum())
        items = self._suggested(request, user, request.offset)
        code = "unmet" if total == 0 else "nothing" if text else None
        message = sentence(MESSAGES, code, request.language, {"text": _quoted(text)}) if code else None
        match: Match = "nothing" if text else "browse"
        return SearchAnswer(
            items, 0 if text else total, self._facets_of_all(request.filters), match, message, None
        )

    def _instead(self, request: SearchRequest, user: UserBatch, reading: ParsedQuery) -> SearchAnswer:
        """No result: what suits the person within the filters, else within none; said so in the message."""
        items = self._suggested(request, user, 0)
        if not items:
            items = self._suggested(SearchRequest(k=request.k, language=request.language), user, 0)
        return SearchAnswer(items, 0, NO_FACETS, "nothing", reading.message, None)

    def _suggested(self, request: SearchRequest, user: UserBatch, offset: int) -> list[Recommendation]:
        wanted = min(offset + request.k, self._bundle.n_items)
        context = RecommendationRequest(
            surface="home", k=min(wanted, self._bundle.spec.candidates), filters=request.filters
        )
        (items,) = recommend(self._recommender, user, context, request.language)
        return items[offset:]

    def _facets_of_all(self, filters: Filters) -> dict[str, list[dict[str, Any]]]:
        if self._index is None:
            return NO_FACETS
        return self._index.facets([], filters, self._price_bounds)


def _with_first(items: npt.NDArray[np.int32], hits: Hits) -> Hits:
    """The hits, led by some items."""
    if not len(items):
        return hits
    others = ~np.isin(hits.items, items)
    highest = hits.scores.max(initial=0)
    return Hits(
        np.concatenate([items, hits.items[others]]),
        np.concatenate([np.full(len(items), 1 + highest, np.float32), hits.scores[others]]),
        hits.total + int(len(items) - np.count_nonzero(~others)),
    )


def _within(filters: Filters, priced: PricedText) -> Filters:
    """The filters, narrowed by the limits."""
    lows = [bound for bound in (filters.min_price, priced.min_price) if bound is not None]
    highs = [bound for bound in (filters.max_price, priced.max_price) if bound is not None]
    return replace(filters, min_price=max(lows, default=None), max_price=min(highs, default=None))


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _quoted(text: str) -> str:
    """What was typed, short enough to be repeated to the shopper."""
    return text if len(text) <= 40 else f"{text[:39].rstrip()}…"


def price_bounds(prices: npt.NDArray[np.float64]) -> Sequence[float]:
    """Round prices that cut the catalogue into up to five ranges of about equal size."""
    known = prices[np.isfinite(prices) & (prices > 0)]
    if known.size == 0:
        return ()
    cuts = np.quantile(known, (0.2, 0.4, 0.6, 0.8))
    return tuple(sorted({_rounded(float(cut)) for cut in cuts}))


def _rounded(price: float) -> float:
    """The nearest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(price))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(steps[np.argmin(np.abs(steps - price / power))] * power, 6))
