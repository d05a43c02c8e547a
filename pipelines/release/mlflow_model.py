"""The release as an MLflow model: MLflow runs this file when it loads a version (models from code).

`mlflow.pyfunc.load_model` and `mlflow models serve` answer with the very code that serves the shop: one row
in, one list out. The model holds no pickle: the bundle lies beside it as files. Serving checks signature and
hashes; who loads a version through MLflow trusts the registry that it comes from.

Columns of a row, all optional: `item_ids`, `event_types`, `event_times` (the user's events, newest first, in
unix seconds), `at` (unix seconds of the request; the newest event's if left out), `k`, `surface`, `item_id`,
`category`, and the user's features and profile by name.
"""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from serving.bundle import Bundle
from serving.engine import RecommendationRequest, Recommender
from serving.engine.user_batch import user_batch
from serving.explanations import recommend

K = 10
FIELDS = ("item_id", "title", "price", "score", "source", "reason")


class ReleaseModel(PythonModel):
    """A release bundle behind MLflow's `predict`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle that lies in the model's artifacts."""
        self._recommender = Recommender(Bundle.open(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One answer `{"items": [{item_id, title, price, score, source, reason}, …]}` for each row."""
        return [self._answer(row) for row in _rows(model_input)]

    def _answer(self, row: dict[str, Any]) -> dict[str, Any]:
        at = row.get("at") or max(row.get("event_times", ()), default=0)
        users = user_batch(self._recommender.bundle, [row], [float(at)])
        wanted = RecommendationRequest(
            surface=row.get("surface") or "home",
            k=int(row.get("k") or K),
            item_id=row.get("item_id"),
            category=row.get("category"),
        )
        (recommended,) = recommend(self._recommender, users, wanted)
        return {"items": [{name: getattr(item, name) for name in FIELDS} for item in recommended]}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the frame; what is missing in a row is left out."""
    return [
        {str(name): value for name, value in row.items() if not _is_missing(value)}
        for row in table.to_dict("records")
    ]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


set_model(ReleaseModel())
