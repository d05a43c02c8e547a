"""A sealed release of the tiny shop, made without training: enough for every list and every search.

Its own sources work as in any release; there are no graphs, so query encoder and ranker are named missing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serving.bundle import ProfileFeature, Spec, write_array, write_items, write_spec
from serving.bundle.seal import seal
from serving.search.index import build
from tests import tiny_shop

SPEC = Spec(
    history_length=32,
    history_length_retrieval=16,
    candidates=40,
    event_types=("view", "cart", "purchase"),
    code_columns=("item", "category_1", "category_2", "category_3", "brand"),
    user_features=("purchases_30d",),
    profile_features=(ProfileFeature("gender", ("F", "M")),),
    item_features=("price",),
    item_vocabulary_size=tiny_shop.ITEMS,
)

FACTS: Mapping[str, Any] = {
    "as_of": "2024-05-01T00:00:00+00:00",
    "lake_versions": {"events": 3, "items": 1, "users": 1},
    "feature_services": ["retrieval_v1", "ranking_v1"],
    "metrics": {"ndcg@10": {"value": 0.31, "ci95": [0.29, 0.33]}},
    "gate": {"passed": True, "reasons": ["ndcg@10 is above every baseline"]},
    "code_revision": "0000000",
}


def write_release(directory: Path, key: Ed25519PrivateKey, **facts: Any) -> Path:
    """Write and seal a bundle of the tiny shop's catalogue; `facts` replace those of `FACTS`."""
    directory.mkdir(parents=True)
    items = tiny_shop.items()
    size = items.num_rows
    write_spec(directory, SPEC)
    write_items(directory, items)
    random = np.random.default_rng(7)
    vectors = random.normal(size=(size, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_array(directory, "item_vectors", vectors)
    numbers = np.arange(size)
    codes = np.stack(
        [numbers + 1, numbers // 20 + 1, numbers // 5 + 1, numbers % 10 + 1, numbers % 7 + 1], axis=1
    )
    write_array(directory, "item_codes", codes)
    write_array(directory, "item_features", items["price"].to_numpy()[:, None])
    events = tiny_shop.events()
    bought = [
        row["item_id"]
        for row in events.select(["item_id", "event_type"]).to_pylist()
        if row["event_type"] == "purchase"
    ]
    counts = np.bincount([int(item_id[1:]) for item_id in bought], minlength=size)
    write_array(directory, "popularity", counts.astype(np.float32))
    # Item 2i is often bought with item 2i + 1, and like those of its own fives.
    write_array(directory, "complements", (numbers ^ 1)[:, None])
    write_array(directory, "complement_scores", np.full((size, 1), 0.5))
    fives = numbers[:, None] // 5 * 5 + np.arange(5)
    fives[fives == numbers[:, None]] = -1
    neighbours = np.sort(fives, axis=1)[:, ::-1][:, :4]
    write_array(directory, "neighbours", neighbours)
    write_array(directory, "neighbour_scores", np.where(neighbours >= 0, 0.4, 0.0))
    # The next item of the same five follows, and looks like it.
    following = np.where(numbers % 5 < 4, numbers + 1, -1)[:, None]
    for name, scores in (("followers", "follower_scores"), ("lookalikes", "lookalike_scores")):
        write_array(directory, name, following)
        write_array(directory, scores, np.where(following >= 0, 0.3, 0.0))
    build(directory, items)
    seal(directory, {**FACTS, **facts}, key)
    return directory
