"""A bundle of eight items that one can follow by hand.

Vectors point into the four directions fruit, bakery, dairy, other: items of one shelf are alike. Bananas are
bought with bread, bread with butter; after bananas shoppers took bread, after bread butter. The lamp was
never sold, and stands alone in its category.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from serving.bundle import ProfileFeature, Spec, write_array, write_items, write_spec

BANANA, APPLE, PEAR, BREAD, ROLL, BUTTER, CHEESE, LAMP = range(8)
IDS = ("banana", "apple", "pear", "bread", "roll", "butter", "cheese", "lamp")
TITLES = (
    "Bananas, 1 KG",
    "Red Apples",
    "Green Pears",
    "Dark Bread",
    "Crisp Roll",
    "Salted Butter",
    "Blue Cheese",
    "Desk Lamp",
)
NOW = 1_000_000_000.0
DAY = 86_400

SPEC = Spec(
    history_length=6,
    history_length_retrieval=4,
    candidates=10,
    event_types=("view", "cart", "purchase"),
    code_columns=("item", "category_1", "brand"),
    user_features=("purchases_30d", "user_activity:recency_days"),
    profile_features=(ProfileFeature("gender", ("F", "M")), ProfileFeature("income", ("low", "high"))),
    item_features=("price_level", "buyers_30d"),
    sources=("two_tower", "buy_again", "item_knn", "popularity"),
    ranker_outputs=("purchase",),
    item_vocabulary_size=7,
    personal_half_life_days=1.0,
)


def items() -> pa.Table:
    """The catalogue; the pear is not available, the lamp has neither brand nor price."""
    fresh = "Grocery > Fresh"
    return pa.table(
        {
            "item_id": IDS,
            "title": TITLES,
            "description": [f"A good {name} for every day" for name in IDS],
            "category": [
                f"{fresh} > Fruit",
                f"{fresh} > Fruit",
                f"{fresh} > Fruit",
                f"{fresh} > Bakery",
                f"{fresh} > Bakery",
                "Grocery > Chilled > Dairy",
                "Grocery > Chilled > Dairy",
                "Home > Light",
            ],
            "brand": ["Sunny", "Sunny", "Orchard", "Mill", "Mill", "Alpine", "Alpine", None],
            "price": [1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 5.0, None],
            "available": [True, True, False, True, True, True, True, True],
        }
    )


def write_tiny_bundle(directory: Path) -> Path:
    """Write everything but the graphs and the text index into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    write_spec(directory, SPEC)
    write_items(directory, items())
    shelf = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    vectors = np.zeros((8, 4), np.float32)
    vectors[np.arange(8), shelf] = 1.0
    # Within a shelf the first item is the purest; the others lean a little to the side.
    vectors[[APPLE, ROLL, CHEESE], 3] = 0.25
    vectors[PEAR, 3] = 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_array(directory, "item_vectors", vectors)
    codes = np.array([[1, 1, 1], [2, 1, 1], [3, 1, 2], [4, 1, 3], [5, 1, 3], [6, 1, 4], [7, 1, 4], [0, 2, 0]])
    write_array(directory, "item_codes", codes)
    features = np.full((8, 2), np.nan)
    features[:7, 0] = [1, 2, 3, 4, 1.5, 2.5, 5]
    write_array(directory, "item_features", features)
    write_array(directory, "popularity", np.array([8.0, 4, 3, 7, 1, 6, 2, 0]))
    neighbours = np.full((8, 2), -1)
    neighbours[BANANA], neighbours[APPLE] = (APPLE, PEAR), (BANANA, PEAR)
    neighbours[BREAD, 0], neighbours[ROLL, 0] = ROLL, BREAD
    write_array(directory, "neighbours", neighbours)
    write_array(directory, "neighbour_scores", np.where(neighbours >= 0, [0.5, 0.25], 0))
    complements = np.full((8, 2), -1)
    complements[BANANA, 0], complements[BREAD] = BREAD, (BUTTER, BANANA)
    complements[BUTTER, 0] = BREAD
    write_array(directory, "complements", complements)
    write_array(directory, "complement_scores", np.where(complements >= 0, [0.8, 0.4], 0))
    followers = np.full((8, 2), -1)
    followers[BANANA], followers[BREAD, 0] = (BREAD, BUTTER), BUTTER
    write_array(directory, "followers", followers)
    write_array(directory, "follower_scores", np.where(followers >= 0, [3.0, 1.0], 0))
    lookalikes = np.full((8, 2), -1)
    lookalikes[BANANA], lookalikes[APPLE] = (APPLE, PEAR), (BANANA, PEAR)
    lookalikes[BREAD, 0], lookalikes[ROLL, 0] = ROLL, BREAD
    write_array(directory, "lookalikes", lookalikes)
    write_array(directory, "lookalike_scores", np.where(lookalikes >= 0, [0.9, 0.6], 0))
    return directory


def add_graphs(directory: Path) -> None:
    """Convert the tiny graphs in a process of its own."""
    program = [sys.executable, "-m", "tests.serving.tiny_graphs", str(directory)]
    root = Path(__file__).parents[2]
    result = subprocess.run(program, cwd=root, capture_output=True, text=True, timeout=240, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr[-4000:])


def history(*events: tuple[str, str, float]) -> dict:
    """A feature row from (item_id, event_type, days before NOW), newest first."""
    return {
        "item_ids": [item_id for item_id, _, _ in events],
        "event_types": [event_type for _, event_type, _ in events],
        "event_times": [int(NOW - days * DAY) for _, _, days in events],
    }
