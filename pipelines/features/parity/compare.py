"""Comparing values of one view bit for bit, as Feast encodes them."""

from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView
from feast.protos.feast.types.Value_pb2 import Value
from pydantic import BaseModel, ConfigDict

from pipelines.features.online_store import encoded

KNOWN_AT = "known_at"
"""Compared like a feature: a value that is right by chance, but of another day, is not what is served."""

EXAMPLES = 20
"""Differences that are shown one by one."""

Cause = Literal["stale online value", "late data", "changed definition"]
CAUSES: tuple[Cause, ...] = ("stale online value", "late data", "changed definition")

Encoded = dict[str, npt.NDArray[np.object_]]
"""Values of one view as bytes, by feature: [n_entities]."""


class Difference(BaseModel):
    """One served value that is not what history says."""

    model_config = ConfigDict(frozen=True)

    view: str
    feature: str
    entity: str
    served: Any
    history: Any
    cause: Cause


class Findings:
    """What was found so far: vectors and values compared, differences, and why they are there."""

    def __init__(self) -> None:
        self.vectors = self.values = self.differences = 0
        self.causes: dict[Cause, int] = dict.fromkeys(CAUSES, 0)
        self.examples: list[Difference] = []

    def compare(
        self,
        view: FeatureView,
        ids: pa.Array,
        served: Encoded,
        offline: Encoded,
        then: Encoded,
        truth: Encoded,
    ) -> None:
        """Compare one view's values, and say for each vector that differs why."""
        names = list(truth)
        differs = np.stack([served[name] != truth[name] for name in names], axis=1)
        stale = np.any([served[name] != offline[name] for name in names], axis=0)
        as_built = ~np.any([then[name] != offline[name] for name in names], axis=0)
        self.vectors += len(ids)
        self.values += differs.size
        self.differences += int(differs.sum())
        for row in np.flatnonzero(differs.any(axis=1)):
            cause: Cause = (
                "stale online value" if stale[row] else "late data" if as_built[row] else "changed definition"
            )
            self.causes[cause] += 1
            for place in np.flatnonzero(differs[row])[: max(0, EXAMPLES - len(self.examples))]:
                name = names[place]
                self.examples.append(
                    Difference(
                        view=view.name,
                        feature=name,
                        entity=ids[row].as_py(),
                        served=_shown(name, served[name][row]),
                        history=_shown(name, truth[name][row]),
                        cause=cause,
                    )
                )


def alive(view: FeatureView, rows: pa.Table) -> pa.Table:
    """The rows, their features null where they have outlived the view's time to live by now."""
    if not view.ttl:
        return rows
    lives_from = pa.scalar(datetime.now(UTC) - view.ttl, rows[KNOWN_AT].type)
    dead = pc.fill_null(pc.less(rows[KNOWN_AT], lives_from), False)
    for place, name in enumerate(rows.column_names):
        if name != KNOWN_AT:
            kept = pc.if_else(dead, pa.scalar(None, rows[name].type), rows[name])
            rows = rows.set_column(place, name, kept)
    return rows


def as_bytes(view: FeatureView, rows: pa.Table) -> Encoded:
    """The features and their instant as bytes: equal where the values are, to the last bit."""
    values = {
        one.name: objects([value or b"" for value in encoded(rows[one.name], one.dtype)])
        for one in view.features
    }
    stamps = pc.fill_null(rows[KNOWN_AT].cast(pa.int64()), 0).to_pylist()
    return {KNOWN_AT: objects([stamp_bytes(one) for one in stamps]), **values}


def stamp_bytes(microseconds: int) -> bytes:
    """An instant as bytes; 0, since nothing is known from then, stands for none."""
    return b"" if microseconds == 0 else Value(unix_timestamp_val=microseconds).SerializeToString()


def _shown(name: str, value: bytes) -> Any:
    """A value for people."""
    decoded = Value.FromString(value)
    kind = decoded.WhichOneof("val")
    if kind is None:
        return None
    content = getattr(decoded, kind)
    if name == KNOWN_AT:
        return datetime.fromtimestamp(content / 1_000_000, UTC).isoformat()
    return list(content.val)[:10] if kind.endswith("_list_val") else content


def objects(values: list[Any]) -> npt.NDArray[np.object_]:
    """A one-dimensional array of Python objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
