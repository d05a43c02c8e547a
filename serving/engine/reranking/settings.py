"""How a surface re-ranks its lists."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RerankSettings:
    """How a surface orders its list after the ranker."""

    max_per_category: int = 3
    """Items of one category among `window` ranks; further ones are demoted. 0 = no limit.

    Three of ten cost .001 NDCG@10 on the same list.
    """
    window: int = 10
    """Ranks that one page shows; a surplus item is demoted by so many."""
    just_bought_hours: float = 2.0
    """Items bought within this time are demoted behind all others: it is the same visit."""
    in_cart_hours: float = 12.0
    """Items put into the cart within this time are demoted behind all others."""
    repurchase_interval_share: float = 0.0
    """Items bought repeatedly are also demoted for this share of the user's own interval between purchases.

    0 leaves it to the ranker, which knows how long ago each item was bought. On Complete Journey, whose
    households buy again less regularly than one thinks, a list made from habit alone has an NDCG@10 of .319
    for the next 14 days; two hours cost nothing (+.0003), a share of .02 costs .004, of .1 .015, of .25 .034.
    """
