"""Interactions: which categories, brands and items belong to whom and to each other."""

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from pipelines.features.transforms.calendar import Span, instant_literal, start_of_day
from pipelines.features.transforms.config import FeatureConfig
from pipelines.features.transforms.inputs import MICRO, FeatureInputs
from pipelines.features.transforms.windows import changes_of_windows, ratio, running_totals
from pipelines.lake import CATEGORY_SEPARATOR

WEEK_DAYS = 7
MONDAY_OFFSET = 3
"""Day 0, 1970-01-01, was a Thursday: day 4 was the first Monday."""


def user_category(shop: FeatureInputs, config: FeatureConfig) -> ir.Table:
    """One row for each user, category and day on which a value changes."""
    actions = _with_category(shop, config)
    actions = actions.filter(actions.category.notnull())
    key = actions.user_id.concat("|", actions.category)
    days = shop.keep(
        actions.mutate(user_category_id=key)
        .group_by(["user_category_id", "day"])
        .aggregate(
            actions=ibis._.count(),
            purchases=(ibis._.event_type == "purchase").sum(),
            spend=ibis._.spend.sum(),
        )
    )
    marks = days.select("user_category_id", day=days.day + 1, last_day=days.day)
    t = running_totals(
        "user_category_id",
        [
            *changes_of_windows(
                days,
                "user_category_id",
                {"actions": (30,), "purchases": (30,), "spend": (30,)},
                shop.span,
                totals=("purchases",),
            ),
            marks,
        ],
        span=shop.span,
        keep=shop.keep,
        last=("last_day",),
    )
    return t.select(
        "user_category_id",
        known_at=start_of_day(t.day),
        actions_30d=t.actions_30d,
        purchases_30d=t.purchases_30d,
        purchases_total=t.purchases_total,
        spend_30d=t.spend_30d / MICRO,
        recency_days=t.day - t.last_day,
    )


def user_affinity(shop: FeatureInputs, config: FeatureConfig) -> ir.Table:
    """One row for each user and week: the categories and brands of the last weeks, strongest first."""
    actions = _with_category(shop, config)
    week = (actions.day + MONDAY_OFFSET) // WEEK_DAYS
    actions = actions.mutate(week=week)
    categories = _strongest(actions, "category", shop.span, config)
    brands = _strongest(actions, "brand", shop.span, config)
    both = categories.outer_join(brands, ["user_id", "week"])
    known_week = ibis.coalesce(both.week, both.week_right)
    return both.select(
        user_id=ibis.coalesce(both.user_id, both.user_id_right),
        known_at=start_of_day(known_week * WEEK_DAYS - MONDAY_OFFSET),
        top_categories=both.top_category,
        top_category_shares=both.top_category_share,
        top_brands=both.top_brand,
        top_brand_shares=both.top_brand_share,
    )


def item_pairs(shop: FeatureInputs, config: FeatureConfig) -> ir.Table:
    """One row for each item that shares baskets with others, known at `as_of`.

    The strength of a pair is its shared baskets over the root of both items' baskets (cosine).
    """
    since = instant_literal(shop.as_of - timedelta(days=config.pair_days))
    bought = shop.events.filter(
        shop.events.event_type == "purchase", shop.events.item_id.notnull(), shop.events.event_at >= since
    )
    lines = (
        bought.mutate(basket=bought.user_id.concat("|", bought.visit)).select("basket", "item_id").distinct()
    )
    sizes = lines.group_by("basket").aggregate(n_items=lines.count())
    sizes = sizes.filter(sizes.n_items.between(2, config.pair_basket_items)).select("basket")
    items = lines.group_by("item_id").aggregate(n_baskets=lines.count())
    often = items.filter(items.n_baskets >= config.pair_baskets)
    lines = lines.semi_join(sizes, "basket").semi_join(often, "item_id")
    # Pairs are counted over numbers, not strings: the join has millions of rows.
    codes = lines.select("item_id").distinct().mutate(code=ibis.row_number().over(order_by="item_id"))
    coded = shop.keep(lines.join(codes, "item_id").select("basket", "code"))
    other = coded.view()
    pairs = coded.join(other, [coded.basket == other.basket, coded.code != other.code])
    pairs = pairs.select(code=coded.code, other=other.code)
    pairs = pairs.group_by(["code", "other"]).aggregate(shared=pairs.count())
    pairs = pairs.filter(pairs.shared >= config.pair_baskets)
    names = codes.join(items, "item_id").select("code", "item_id", "n_baskets")
    left, right = names.view(), names.view()
    named = pairs.join(left, pairs.code == left.code).join(right, pairs.other == right.code)
    named = named.select(
        item_id=left.item_id,
        pair_id=right.item_id,
        score=pairs.shared / (left.n_baskets * right.n_baskets).cast("float64").sqrt(),
    )
    strongest_first = [named.score.desc(), named.pair_id]
    place = ibis.row_number().over(ibis.window(group_by="item_id", order_by=strongest_first))
    named = named.mutate(place=place).filter(ibis._.place < config.pair_length)
    return (
        named.group_by("item_id")
        .aggregate(
            pair_ids=named.pair_id.collect(order_by=named.place),
            pair_scores=named.score.collect(order_by=named.place),
        )
        .mutate(known_at=instant_literal(shop.as_of))
        .select("item_id", "known_at", "pair_ids", "pair_scores")
    )


def _with_category(shop: FeatureInputs, config: FeatureConfig) -> ir.Table:
    """Actions with category and brand of their item, as the catalogue said when `as_of` came."""
    newest = ibis.row_number().over(ibis.window(group_by="item_id", order_by=shop.items.updated_at.desc()))
    items = shop.items.mutate(age=newest).filter(ibis._.age == 0)
    levels = items.category.nullif("").split(CATEGORY_SEPARATOR)[: config.category_levels]
    items = items.select("item_id", brand=items.brand.nullif(""), category=levels.join(CATEGORY_SEPARATOR))
    actions = shop.events.filter(shop.events.event_type != "impression")
    return actions.select("user_id", "item_id", "day", "event_type", "spend").join(items, "item_id")


def _strongest(actions: ir.Table, name: str, span: Span, config: FeatureConfig) -> ir.Table:
    """`user_id week top_<name> top_<name>_share`, by actions of the weeks before each week."""
    weekly = (
        actions.filter(actions[name].notnull())
        .group_by(["user_id", name, "week"])
        .aggregate(n=ibis._.count())
    )
    # What was done counts from the week after it until its weeks are over: two changes each, summed up.
    entering = weekly.select("user_id", name, week=weekly.week + 1, n=weekly.n)
    leaving = weekly.select("user_id", name, week=weekly.week + 1 + config.affinity_weeks, n=-weekly.n)
    changes = entering.union(leaving).group_by(["user_id", name, "week"]).aggregate(n=ibis._.n.sum())
    of_pair = ibis.window(group_by=["user_id", name], order_by="week")
    so_far = ibis.cumulative_window(group_by=["user_id", name], order_by="week")
    states = changes.mutate(
        n=changes.n.sum().over(so_far).cast("int64"), until=changes.week.lead().over(of_pair)
    )
    states = states.filter(states.n > 0)
    first, last = ((day + MONDAY_OFFSET) // WEEK_DAYS for day in (span.from_day, span.until_day))
    weeks = ibis.range(ibis.greatest(states.week, first), ibis.least(states.until, last + 1))
    seen = states.select("user_id", name, "n", week=weeks.unnest())
    of_week = ibis.window(group_by=["user_id", "week"])
    order = ibis.window(group_by=["user_id", "week"], order_by=[seen.n.desc(), seen[name]])
    seen = seen.mutate(
        place=ibis.row_number().over(order), share=ratio(seen.n, seen.n.sum().over(of_week).cast("int64"))
    )
    top = seen.filter(seen.place < config.affinity_length)
    return top.group_by(["user_id", "week"]).aggregate(
        **{
            f"top_{name}": top[name].collect(order_by=top.place),
            f"top_{name}_share": top.share.collect(order_by=top.place),
        }
    )
