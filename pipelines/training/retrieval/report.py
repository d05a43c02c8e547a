"""How much of what users took the candidate stage offers, on validation."""

import numpy as np

from pipelines.training.item_state import write_quick_state
from pipelines.training.training_set import VALIDATION, TrainingSet
from serving.bundle import Bundle
from serving.ranking import Encoder
from serving.retrieval import retrieve
from serving.sources import nearest

RECALL_AT = 100


def recalls(material: TrainingSet) -> dict[str, float]:
    """`recall_at_100` of all sources, `recall_at_candidates` of all C, and that of the towers alone."""
    requests = material.requests(VALIDATION)
    write_quick_state(material, requests.at)
    bundle = Bundle.open(material.workdir)
    queries = Encoder(bundle).encode(requests.users)
    labels = material.labels(material.split.validation, material.target_codes)
    wanted = np.bincount(labels // bundle.n_items, minlength=len(material.user_ids))[requests.rows]
    lists = {
        "recall_at_100": retrieve(bundle, requests.users, queries, limit=RECALL_AT).items,
        "recall_at_candidates": retrieve(bundle, requests.users, queries).items,
        "two_tower_recall_at_100": np.concatenate(
            [
                nearest(
                    bundle, queries[start : start + 256], len(queries[start : start + 256]), RECALL_AT, None
                )
                for start in range(0, len(queries), 256)
            ]
        ),
    }
    asked = wanted > 0
    recall = {}
    for name, items in lists.items():
        hits = np.isin(requests.rows[:, None] * np.int64(bundle.n_items) + items, labels) & (items >= 0)
        recall[name] = float((hits.sum(axis=1)[asked] / wanted[asked]).mean()) if asked.any() else 0.0
    return recall
