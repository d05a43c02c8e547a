"""Those weights of a retrieval model whose rows stand for something of the shop: items, words, features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.training.config import RetrievalConfig
from pipelines.training.data import PROFILE_VALUES, VOCABULARY_WORDS
from pipelines.training.retrieval.item_tower import content_names
from pipelines.training.retrieval.model import SequenceRetrieval
from serving.bundle import Bundle

Names = npt.NDArray[np.str_]
"""[R] what each row of a table stands for, each name once; "" for the row of what has no name."""


@dataclass(frozen=True, slots=True)
class NamedWeights:
    """One table of weights."""

    weights: Any
    """The variable, [R, width]."""
    names: Names
    """[R]"""
    most: Mapping[str, int] = field(default_factory=dict)
    """Beginning of names → how many such names there can be: where there are as many, the rarest give way to
    more frequent ones, and one that is gone does not mean that it left the shop."""

    def carried(self, old: npt.NDArray[np.float32], old_names: Names) -> npt.NDArray[np.float32]:
        """[R, width] the old rows where their names are, the present ones elsewhere.

        Args:
            old: [Q, width]
            old_names: [Q]
        """
        rows: npt.NDArray[np.float32] = self.weights.numpy()
        order = np.argsort(old_names, kind="stable")
        places = np.searchsorted(old_names, self.names, sorter=order)
        places = order[np.minimum(places, len(order) - 1)]
        known = old_names[places] == self.names
        rows[known] = old[places[known]]
        return rows

    def lost(self, old_names: Names) -> Names:
        """The names that left the shop: gone, and not since they gave way to others."""
        gone = np.setdiff1d(old_names, self.names)
        for beginning, most in self.most.items():
            if (np.char.startswith(self.names, beginning) & (self.names != "")).sum() >= most:
                gone = gone[~np.char.startswith(gone, beginning)]
        return gone


def named_tables(
    model: SequenceRetrieval, bundle: Bundle, config: RetrievalConfig
) -> dict[str, NamedWeights]:
    """The tables of a model by name.

    Args:
        model: One whose weights are made.
        bundle: The bundle that it is trained for.
        config: Its settings.
    """
    query, item, spec = model.query, model.item, bundle.spec
    tables = {
        "items": NamedWeights(item.id_table, _item_names(bundle), {"": config.max_item_ids}),
        "content": NamedWeights(
            item.content_table,
            content_names(bundle.items, item.content_table.shape[0] - 1),
            dict.fromkeys(("attribute ", "word "), VOCABULARY_WORDS),
        ),
        "types": NamedWeights(query.types.embeddings, np.array(["", *spec.event_types], str)),
        # Whether a value varies, or is sometimes unknown, is a thing of the data: such rows may always go.
        "hidden": NamedWeights(
            query.hidden.kernel, _hidden_names(model, bundle), {"value ": 0, "unknown ": 0}
        ),
    }
    if item.related is not None:
        tables["related"] = NamedWeights(item.related_table, _item_names(bundle), {"": config.max_item_ids})
    for feature, layer in zip(
        spec.profile_features, query.profile.tables if query.profile else (), strict=True
    ):
        names = np.array(["", *feature.values], str)
        tables[f"profile {feature.name}"] = NamedWeights(layer.embeddings, names, {"": PROFILE_VALUES})
    return tables


def other_weights(model: SequenceRetrieval, tables: Mapping[str, NamedWeights]) -> list[Any]:
    """The weights that are no table, in the order of the layers."""
    named = {id(table.weights) for table in tables.values()}
    return [one for one in model.trainable_variables if id(one) not in named]


def _item_names(bundle: Bundle) -> Names:
    """Ids by code of the items that have a vector of their own."""
    codes = bundle.item_codes[:, 0]
    own = np.flatnonzero(codes)
    ids = bundle.items.column("item_id").combine_chunks().take(own[np.argsort(codes[own])])
    return np.array(["", *ids.to_pylist()], str)


def _hidden_names(model: SequenceRetrieval, bundle: Bundle) -> Names:
    """What the dense layer behind the history is given, in its order: the state, features, profile."""
    query, spec = model.query, bundle.spec
    profiles = zip(spec.profile_features, query.profile.tables if query.profile else (), strict=True)
    given = [
        *(f"state {number}" for number in range(query.last_norm.gamma.shape[0])),
        *(f"value {spec.user_features[place]}" for place in query.features.varies),
        *(f"unknown {spec.user_features[place]}" for place in query.features.sometimes_unknown),
        *(f"{feature.name} {number}" for feature, table in profiles for number in range(table.output_dim)),
    ]
    return np.array(given, str)
