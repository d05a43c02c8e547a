from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.item_facts import GROUPS, Catalogue

CUTOFF = datetime(2024, 4, 1, tzinfo=UTC)
ITEMS = ["best", "good", "seldom", "fresh", "untouched"]
CATEGORIES = ["Food > Bread", "Food > Cheese", "Garden", None, "Garden > Tools"]


def events(*rows):
    items, types, days_before = zip(*rows, strict=True)
    return pa.table(
        {
            "item_id": pa.array(items, pa.string()),
            "event_type": pa.array(types, pa.string()),
            "event_at": pa.array(
                [CUTOFF - timedelta(days=days) for days in days_before], pa.timestamp("us", tz="UTC")
            ),
        }
    )


HISTORY = events(
    *[("best", "purchase", 40)] * 4,
    *[("good", "purchase", 40)] * 2,
    ("seldom", "view", 60),
    ("seldom", "purchase", 30),
    ("fresh", "purchase", 3),
    ("gone", "purchase", 3),
    (None, "purchase", 3),
)


def facts(table=HISTORY):
    return Catalogue.from_tables(ITEMS, CATEGORIES, table, CUTOFF, ["purchase"])


def test_popularity_counts_wishes_only():
    assert facts().popularity.tolist() == [4, 2, 1, 1, 0]


def test_the_head_holds_half_of_the_wishes_and_new_items_stand_apart():
    # Eight wishes of listed items: `best` alone holds half.
    assert [GROUPS[code] for code in facts().groups] == ["head", "tail", "tail", "new", "new"]


def test_events_from_the_cutoff_on_change_nothing():
    later = events(*[("untouched", "purchase", 0)] * 50, *[("seldom", "purchase", -5)] * 50)
    seen = facts(pa.concat_tables([HISTORY, later]))
    assert seen.popularity.tolist() == facts().popularity.tolist()
    assert seen.groups.tolist() == facts().groups.tolist()


def test_the_first_level_of_the_category_path_is_used():
    catalogue = facts()
    names = [None if c < 0 else catalogue.category_names[c] for c in catalogue.categories]
    assert names == ["Food", "Food", "Garden", None, "Garden"]


def test_slices_are_named_by_group_and_by_the_categories_wished_for():
    truth = GroundTruth(np.array([0, 2, 4]), np.array([0, 1, 2, 9], np.int32), pa.array(["a", "b"]), 5)
    masks = facts().slices(truth)
    assert list(masks) == ["item:head", "item:tail", "item:new", "category:Food", "category:Garden"]
    assert masks["category:Garden"].tolist() == [False, False, True, False, True]
    assert sum(masks[f"item:{name}"].astype(int) for name in GROUPS).tolist() == [1] * 5


def test_a_shop_without_history_has_only_new_items():
    catalogue = facts(HISTORY.slice(0, 0))
    assert catalogue.popularity.tolist() == [0] * 5
    assert [GROUPS[code] for code in catalogue.groups] == ["new"] * 5


def test_in_a_young_shop_items_are_new_only_before_their_first_event():
    young = events(*[("best", "purchase", 4)] * 3, ("good", "purchase", 2), ("seldom", "view", 1))
    assert [GROUPS[code] for code in facts(young).groups] == ["head", "tail", "tail", "new", "new"]


def test_a_shop_without_categories_has_none():
    catalogue = Catalogue.from_tables(ITEMS, [None] * 5, HISTORY, CUTOFF, ["purchase"])
    assert catalogue.categories.tolist() == [-1] * 5
    assert catalogue.category_names == ()
