"""Why an item is in a list, in words that a shopper reads.

A reason is a code with parameters; `serving.explanations.messages` turns it into a sentence of a language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.explanations.messages import DEFAULT_LANGUAGE, SENTENCES, sentence


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, independent of language."""

    code: str
    """Key of `SENTENCES`."""
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    """What the sentence's places are filled with."""

    def text(self, language: str = DEFAULT_LANGUAGE) -> str:
        """The sentence, in English where the language is not in the table."""
        return sentence(SENTENCES, self.code, language, self.parameters)


def bought(days_bought: int, interval_days: float, days_ago: int) -> Reason:
    """The reason of an item that the user has bought.

    Args:
        days_bought: On how many days.
        interval_days: Mean time between those days; read from three days on.
        days_ago: Whole days since the last time. A habit that has paused for over two intervals is told as
            a purchase of the past.
    """
    if days_bought >= 3 and interval_days > 0 and days_ago <= 2 * interval_days:
        days = round(interval_days)
        return Reason("buy_rhythm", {"days": days}) if days > 1 else Reason("buy_often")
    if days_ago <= 1:
        return Reason("bought_yesterday" if days_ago == 1 else "bought_today")
    return Reason("bought_before", {"days": days_ago})
