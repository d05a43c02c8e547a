"""Why an item is in a list, in words that a shopper reads.

A reason is a code with parameters; the sentences stand in one table per language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_LANGUAGE = "en"

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "buy_often": "You buy this almost every day",
        "buy_rhythm": "You buy this about every {days} days",
        "bought_today": "You bought this today",
        "bought_yesterday": "You bought this yesterday",
        "bought_before": "You bought this {days} days ago",
        "looked_at": "You looked at this recently",
        "in_cart": "It is in your cart",
        "bought_with": "Often bought with {title}",
        "because_bought": "Because you bought {title}",
        "because_carted": "Because you chose {title}",
        "because_looked": "Because you looked at {title}",
        "similar": "Similar to {title}",
        "for_category": "Because you often shop in {category}",
        "for_you": "Picked for you",
        "popular_in": "Popular in {category}",
        "popular": "Popular this week",
        "matches": "Matches your search",
    },
    "zh": {
        "buy_often": "您几乎每天都买",
        "buy_rhythm": "您大约每 {days} 天买一次",
        "bought_today": "您今天买过",
        "bought_yesterday": "您昨天买过",
        "bought_before": "您 {days} 天前买过",
        "looked_at": "您最近看过",
        "in_cart": "已在您的购物车中",
        "bought_with": "常与“{title}”一起购买",
        "because_bought": "因为您买过“{title}”",
        "because_carted": "因为您选了“{title}”",
        "because_looked": "因为您看过“{title}”",
        "similar": "与“{title}”相似",
        "for_category": "因为您常逛“{category}”",
        "for_you": "为您挑选",
        "popular_in": "“{category}”中的热门商品",
        "popular": "本周热门",
        "matches": "符合您的搜索",
    },
}
"""Sentences by language and code; every language has every code."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, independent of language."""

    code: str
    """Key of `SENTENCES`."""
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    """What the sentence's places are filled with."""

    def text(self, language: str = DEFAULT_LANGUAGE) -> str:
        """The sentence; in English where the language, or `zh` of `zh-CN`, is not in the table."""
        table = SENTENCES.get(language.lower()) or SENTENCES.get(language.lower().partition("-")[0])
        return (table or SENTENCES[DEFAULT_LANGUAGE])[self.code].format_map(dict(self.parameters))


def bought(days_bought: int, interval_days: float, days_ago: int) -> Reason:
    """The reason of an item that the user has bought.

    Args:
        days_bought: On how many days.
        interval_days: Mean time between those days; not looked at below three of them.
        days_ago: Whole days since the last time.
    """
    if days_bought >= 3 and interval_days > 0:
        days = round(interval_days)
        return Reason("buy_rhythm", {"days": days}) if days > 1 else Reason("buy_often")
    if days_ago <= 1:
        return Reason("bought_yesterday" if days_ago == 1 else "bought_today")
    return Reason("bought_before", {"days": days_ago})
