# ruff: noqa: RUF001 - Chinese is written with its own punctuation
"""Every sentence that a shopper reads, by language. A language is added here and nowhere else."""

from collections.abc import Mapping

DEFAULT_LANGUAGE = "en"

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "buy_often": "You buy this almost every day",
        "buy_rhythm": "You buy this about every {days} days",
        "bought_today": "You bought this less than a day ago",
        "bought_yesterday": "You bought this a day ago",
        "bought_before": "You bought this {days} days ago",
        "looked_at": "You looked at this recently",
        "looked_at_before": "You looked at this {days} days ago",
        "in_cart": "You put this into your cart",
        "carted_before": "You put this into your cart {days} days ago",
        "rated": "You rated this",
        "bought_with": "Often bought with {title}",
        "because_bought": "Because you bought {title}",
        "because_carted": "Because you chose {title}",
        "because_looked": "Because you looked at {title}",
        "because_rated": "Because you rated {title}",
        "because_liked": "Because of your interest in {title}",
        "similar": "Similar to {title}",
        "for_category": "Because you often shop in {category}",
        "for_you": "Picked for you",
        "popular_in": "Popular in {category}",
        "popular": "Popular with shoppers",
        "popular_this_week": "Popular this week",
        "trending": "Gaining popularity",
        "matches": "Matches your search",
    },
    "zh": {
        "buy_often": "您几乎每天都买",
        "buy_rhythm": "您大约每 {days} 天买一次",
        "bought_today": "您在 24 小时内买过",
        "bought_yesterday": "您 1 天前买过",
        "bought_before": "您 {days} 天前买过",
        "looked_at": "您最近看过",
        "looked_at_before": "您 {days} 天前看过",
        "in_cart": "您加入过购物车",
        "carted_before": "您 {days} 天前加入过购物车",
        "rated": "您评价过",
        "bought_with": "常与“{title}”一起购买",
        "because_bought": "因为您买过“{title}”",
        "because_carted": "因为您选了“{title}”",
        "because_looked": "因为您看过“{title}”",
        "because_rated": "因为您评价过“{title}”",
        "because_liked": "因为您对“{title}”感兴趣",
        "similar": "与“{title}”相似",
        "for_category": "因为您常逛“{category}”",
        "for_you": "为您挑选",
        "popular_in": "“{category}”中的热门商品",
        "popular": "受顾客欢迎",
        "popular_this_week": "本周热门",
        "trending": "热度上升",
        "matches": "符合您的搜索",
    },
}
"""Why an item is in a list: by language and the reason's code; every language has every code."""

MESSAGES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "corrected": "Nothing is called “{text}”. These are the results for “{corrected}”.",
        "some": "Nothing matches all of “{text}”. These match a part of it.",
        "filtered": "Nothing that matches “{text}” meets your filters. These may be of interest instead.",
        "nothing": "Nothing matches “{text}”. These may be of interest instead.",
        "priced": "These cost what you asked for.",
        "unmet": "No item meets your filters.",
    },
    "zh": {
        "corrected": "没有找到“{text}”，以下是“{corrected}”的结果。",
        "some": "没有商品完全符合“{text}”，以下商品部分符合。",
        "filtered": "符合“{text}”的商品都不满足您的筛选条件，您可能对以下商品感兴趣。",
        "nothing": "没有找到“{text}”，您可能对以下商品感兴趣。",
        "priced": "以下商品符合您要求的价格。",
        "unmet": "没有商品满足您的筛选条件。",
    },
}
"""What an answer to a search says of itself."""


def sentence(
    table: Mapping[str, Mapping[str, str]], code: str, language: str, parameters: Mapping[str, str | int]
) -> str:
    """The sentence of that code; in English where the language, or `zh` of `zh-CN`, is not in the table."""
    known = table.get(language.lower()) or table.get(language.lower().partition("-")[0])
    return (known or table[DEFAULT_LANGUAGE])[code].format_map(dict(parameters))
