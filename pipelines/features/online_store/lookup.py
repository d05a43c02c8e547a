"""Looking up what the online store serves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from feast.errors import FeastObjectNotFoundException
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

from pipelines.errors import FeatureError
from pipelines.features.registry import declared_views, online_store_answers, open_store
from pipelines.settings import Settings


def get_online(
    settings: Settings, *, user_id: str | None = None, item_id: str | None = None
) -> dict[str, Any]:
    """Return what the online store serves for one user or one item.

    Returns:
        `entity` (the key), `found`, `features` (by view and name), `known_at` and `age_s` (by view; None: no
        row) and `expired`: the views whose values have outlived their time to live, and so are null.

    Raises:
        FeatureError: Nothing was applied, or Redis gives no answer.
    """
    if (user_id is None) == (item_id is None):
        raise FeatureError("expected a user or an item, received both or neither")
    key = {"user_id": str(user_id)} if user_id is not None else {"item_id": str(item_id)}
    views = [
        view
        for view in declared_views().values()
        if view.online and [one.name for one in view.entity_columns] == list(key)
    ]
    refs = [f"{view.name}:{one.name}" for view in views for one in view.features]
    store = open_store(settings)
    try:
        with online_store_answers(store):
            response = store.get_online_features(refs, [key], full_feature_names=True)
    except FeastObjectNotFoundException as error:
        raise FeatureError(f"{error}: run `aisle features apply` and `aisle features materialize`") from error
    values = {name: one[0] for name, one in response.to_dict().items()}
    results = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
    firsts = {view.name: results[f"{view.name}__{view.features[0].name}"] for view in views}
    instants = {name: _known_at(result) for name, result in firsts.items()}
    now = datetime.now(UTC)
    return {
        "entity": key,
        "found": any(at is not None for at in instants.values()),
        "features": {
            view.name: {one.name: values[f"{view.name}__{one.name}"] for one in view.features}
            for view in views
        },
        "known_at": {name: None if at is None else at.isoformat() for name, at in instants.items()},
        "age_s": {
            name: None if at is None else int((now - at).total_seconds()) for name, at in instants.items()
        },
        "expired": [
            name for name, result in firsts.items() if result.statuses[0] == FieldStatus.OUTSIDE_MAX_AGE
        ],
    }


def _known_at(result: Any) -> datetime | None:
    stamp = result.event_timestamps[0]
    if result.statuses[0] not in (FieldStatus.PRESENT, FieldStatus.OUTSIDE_MAX_AGE):
        return None
    return datetime.fromtimestamp(stamp.seconds, UTC) + timedelta(microseconds=stamp.nanos // 1000)
