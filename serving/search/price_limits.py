"""Limits of price in a search query: `shoes under 50`, `10-20 €`, `100元以下`."""

import re
from dataclasses import dataclass

from serving.search.normalization import UNITS

_CURRENCY = r"(?:[$€£¥₹]|usd|eur|euros?|gbp|dollars?|pounds sterling|bucks|rmb|cny|yuan|元|块)"
_NUMBER = r"(\d{1,7}(?:[.,]\d{1,2})?)(?![\d.,]*\d)"
_UNIT = "|".join(
    sorted((*UNITS, "years?", "months?", "yrs?", "days?", "hours?", "%", "degrees?"), key=len)[::-1]
)
_TO = r"(?:-|\u2013|to|到|至)"
_AT_MOST = r"(?:under|below|less than|cheaper than|up to|at most|no more than|max(?:imum)?|<=?)"
_AT_LEAST = r"(?:over|above|more than|from|at least|min(?:imum)?|>=?)"
_END = rf"(?!\s*(?:{_UNIT}|-|\w*\d)(?!\w))(?=\s|$|[,;.!?])"

_RULES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), bounds)
    for pattern, bounds in (
        (rf"(?<!\w)between\s+{_CURRENCY}?\s?{_NUMBER}\s?{_CURRENCY}?\s+and\s+{_CURRENCY}?\s?{_NUMBER}"
         rf"(?:\s?{_CURRENCY}(?!\w))?{_END}", ("low", "high")),
        (rf"(?<!\w){_CURRENCY}\s?{_NUMBER}\s?{_TO}\s?{_CURRENCY}?\s?{_NUMBER}{_END}", ("low", "high")),
        (rf"(?<![\w.]){_NUMBER}\s?{_TO}\s?{_NUMBER}\s?{_CURRENCY}(?![a-z])(?:之间)?",
         ("low", "high")),
        (rf"(?<!\w){_AT_MOST}\s?{_CURRENCY}\s?{_NUMBER}{_END}", ("high",)),
        (rf"(?<!\w){_AT_MOST}\s?{_NUMBER}\s?{_CURRENCY}(?!\w)", ("high",)),
        (rf"(?<!\w)(?:under|below|less than|cheaper than)\s{_NUMBER}\s*$", ("high",)),
        (rf"(?<!\w){_AT_LEAST}\s?{_CURRENCY}\s?{_NUMBER}{_END}", ("low",)),
        (rf"(?<!\w){_AT_LEAST}\s?{_NUMBER}\s?{_CURRENCY}(?!\w)", ("low",)),
        (rf"(?<![\w.]){_NUMBER}\s?{_CURRENCY}\s?(?:以下|以内|以內)", ("high",)),
        (rf"(?<![\w.]){_NUMBER}\s?{_CURRENCY}\s?以上", ("low",)),
        (rf"(?:低于|不超过|少于)\s?{_NUMBER}\s?{_CURRENCY}?", ("high",)),
        (rf"(?:高于|不低于|超过)\s?{_NUMBER}\s?{_CURRENCY}?", ("low",)),
    )
)  # fmt: skip
"""Phrases that limit the price, and which of their numbers is the lower and which the upper limit.

A bare number counts as a price behind `under` and its like at the end alone: `vitamins over 50` and
`under 5 kg` are no prices.
"""


@dataclass(frozen=True, slots=True)
class PricedText:
    """A search query with its limits of price taken out."""

    text: str
    """What is looked for."""
    min_price: float | None = None
    max_price: float | None = None


def price_limits(text: str) -> PricedText:
    """Take the limits of price out of a text in the form of `cleaned`."""
    found: dict[str, float] = {}
    for pattern, bounds in _RULES:
        match = pattern.search(text)
        if match is None or any(bound in found for bound in bounds):
            continue
        numbers = [float(number.replace(",", ".")) for number in match.groups()]
        found |= dict(zip(bounds, numbers, strict=True))
        text = f"{text[: match.start()]} {text[match.end() :]}"
    low, high = found.get("low"), found.get("high")
    if low is not None and high is not None and low > high:
        low, high = high, low
    return PricedText(" ".join(text.split()), low, high)
