"""Building the training set: the lake and Feast in, arrays of requests and their features out."""

import shutil
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import TrainingError
from pipelines.evaluation import TimeSplit
from pipelines.features import historical
from pipelines.features.registry import last_build
from pipelines.lake import open_lake
from pipelines.settings import Settings
from pipelines.training.config import TrainingConfig
from pipelines.training.current_items import current_items, save_current_items
from pipelines.training.data import (
    CODE_COLUMNS,
    COUNTED,
    FINAL,
    INTERACTIONS,
    PROFILE_VALUES,
    RETRIEVAL_USERS,
    TEST,
    USERS,
    VALIDATION,
    EncodedShop,
    Interactions,
    TrainingSet,
    newest_items,
    read_shop,
    state_instants,
)
from pipelines.training.data.item_codes import item_codes
from pipelines.training.item_statistics import write_lookalikes, write_state_of
from pipelines.training.readiness import refuse_too_little
from serving.bundle import (
    EVENT_WEIGHTS,
    Bundle,
    ProfileFeature,
    Spec,
    declared_by,
    write_array,
    write_items,
    write_spec,
)
from serving.engine import user_batch_from_table

USER_SERVICE, ITEM_SERVICE = "retrieval_v1", "ranking_v1"
"""Feast services that the models learn from, and serving looks up."""

HISTORY_VIEW = "user_history"
"""View of the lists of what a user did last; retrieval's own requests read the events instead."""

ROW_BATCH_SIZE = 1_000_000
"""Rows of item features joined in one go: bounds the memory."""

KEYS = ("user_id", "item_id", "event_timestamp")
PRICES = ("price", "mean_price_30d", "mean_price")
"""Item features that can stand for an item's price, best first."""


def build(settings: Settings, as_of: datetime, workdir: Path, config: TrainingConfig) -> dict[str, object]:
    """Build the training set of a release, and the bundle's catalogue, codes and first item state.

    Raises:
        TrainingError: Features were not built for `as_of`, or the shop has nothing to learn from.
    """
    lake = open_lake(settings)
    built = last_build(lake)
    if built["as_of"] < as_of:
        raise TrainingError(
            f"expected features built for {as_of.isoformat()}, received ones as of "
            f"{built['as_of'].isoformat()}; run `aisle features build`"
        )
    shop = read_shop(lake, as_of, config.target_types)
    first_event_at = datetime.fromtimestamp(int(shop.interactions.times.min()), UTC)
    split = TimeSplit.plan(first_event_at, as_of, config.horizon_days, config.ranking.requests)
    refuse_too_little(shop, split)
    material = TrainingSet(
        workdir=workdir,
        split=split,
        config=config,
        target_types=shop.target_types,
        event_types=shop.event_types,
        lake_versions={**lake.versions(), **built.get("versions", {})},
        instants={
            **{f"ranking-{place}": at for place, at in enumerate(split.ranking_instants)},
            VALIDATION: split.validation_from,
            TEST: split.test_from,
            FINAL: as_of,
        },
    )
    for directory in (workdir, material.directory):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": shop.user_ids}), material.directory / USERS)
    arrays = {entry.name: getattr(shop.interactions, entry.name) for entry in fields(Interactions)}
    np.savez(material.directory / INTERACTIONS, **arrays)
    item_feature_names = _save_items(settings, shop, material)
    asked = _users_asked(shop, material)
    table = _user_table(settings, shop, [(material.instants[name], rows) for name, rows in asked.items()])
    paid = dict(zip(item_feature_names, np.load(material.directory / f"items-{FINAL}.npy").T, strict=True))
    _write_skeleton(shop, material, table, tuple(item_feature_names), _with_prices(shop.catalogue, paid))
    current = current_items(shop.catalogue, newest_items(lake))
    save_current_items(material.directory, _with_prices(current, paid))
    material.save()
    write_lookalikes(material)
    write_state_of(material, material.ranking_names[0])
    (material.directory / COUNTED).write_text(material.ranking_names[0])
    rows = _save_requests(material, asked, table)
    rows += _save_user_states(settings, shop, material, built["known_from"])
    return {
        "rows": rows + len(material.instants) * shop.n_items,
        "users": len(shop.user_ids),
        "items": shop.n_items,
        "events": len(shop.interactions),
        "event_types": list(shop.event_types),
        "target_types": list(shop.target_types),
        "split": split.model_dump(mode="json"),
        "lake_versions": material.lake_versions,
        "services": [USER_SERVICE, ITEM_SERVICE],
    }


def _save_items(settings: Settings, shop: EncodedShop, material: TrainingSet) -> list[str]:
    """Write every item's features at every instant; return their names."""
    item_ids = shop.catalogue.column("item_id").to_pandas()
    instants = list(material.instants.items())
    at_once = max(1, ROW_BATCH_SIZE // shop.n_items)
    names: list[str] = []
    for first in range(0, len(instants), at_once):
        portion = instants[first : first + at_once]
        frames = [
            pd.DataFrame({"item_id": item_ids, "event_timestamp": pd.Timestamp(at)}) for _, at in portion
        ]
        table = historical(settings, pd.concat(frames, ignore_index=True), ITEM_SERVICE)
        names = [field.name for field in table.schema if _is_number(field)]
        for place, (name, _) in enumerate(portion):
            rows = table.slice(place * shop.n_items, shop.n_items)
            np.save(material.directory / f"items-{name}.npy", _matrix(rows, names))
    return names


def _users_asked(shop: EncodedShop, material: TrainingSet) -> dict[str, npt.NDArray[np.int64]]:
    """By instant, rows of the users with something done before it; sampled where a shop has very many."""
    first = np.full(len(shop.user_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, shop.interactions.users, shop.interactions.times)
    rng = np.random.default_rng(material.config.seed)
    asked = {}
    for name, at in material.instants.items():
        rows = np.flatnonzero(first < at.timestamp())
        if name not in (TEST, FINAL):
            most = material.config.ranking.users_per_request
            rows = np.sort(rng.choice(rows, min(most, len(rows)), replace=False))
        if name != FINAL:
            asked[name] = rows
    if not all(len(rows) for rows in asked.values()):
        raise TrainingError("expected users with history before every instant, received none at some")
    return asked


def _user_table(
    settings: Settings,
    shop: EncodedShop,
    requests: list[tuple[datetime, npt.NDArray[np.int64]]],
    without: tuple[str, ...] = (),
) -> pa.Table:
    """User features of every request, in their order."""
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "user_id": shop.user_ids.take(pa.array(rows)).to_pandas(),
                    "event_timestamp": pd.Timestamp(at),
                }
            )
            for at, rows in requests
        ],
        ignore_index=True,
    )
    return historical(settings, frame, USER_SERVICE, without)


def _write_skeleton(
    shop: EncodedShop,
    material: TrainingSet,
    users: pa.Table,
    item_features: tuple[str, ...],
    catalogue: pa.Table,
) -> None:
    """Write the parts of the bundle that training does not change, and empty vectors."""
    config, workdir = material.config, material.workdir
    write_items(workdir, catalogue)
    before = shop.interactions.before(material.split.retrieval_until)
    counts = np.bincount(before.items, minlength=shop.n_items)
    codes = item_codes(
        shop.catalogue, counts, config.retrieval.min_item_events, config.retrieval.max_item_ids
    )
    profiles = [
        field.name for field in users.schema if pa.types.is_string(field.type) and field.name not in KEYS
    ]
    spec = Spec(
        history_length=config.history_length,
        history_length_retrieval=min(config.retrieval.history_length, config.history_length),
        candidates=config.candidates,
        event_types=shop.event_types,
        code_columns=CODE_COLUMNS,
        sources=config.sources,
        user_features=tuple(field.name for field in users.schema if _is_number(field)),
        profile_features=tuple(ProfileFeature(name, _values(users.column(name))) for name in profiles),
        item_features=item_features,
        item_vocabulary_size=int(codes[:, 0].max()),
        target_types=shop.target_types,
        event_weights={**EVENT_WEIGHTS, **declared_by(shop.target_types)},
    )
    write_spec(workdir, spec)
    write_array(workdir, "item_codes", codes)
    write_array(workdir, "item_vectors", np.zeros((shop.n_items, 1), np.float32))


def _save_requests(material: TrainingSet, asked: dict[str, npt.NDArray[np.int64]], table: pa.Table) -> int:
    bundle, start = Bundle.open(material.workdir), 0
    for name, rows in asked.items():
        at = np.full(len(rows), material.instants[name].timestamp())
        users = user_batch_from_table(bundle, table.slice(start, len(rows)), at)
        material.save_requests(name, rows, users)
        start += len(rows)
    return start


def _save_user_states(
    settings: Settings, shop: EncodedShop, material: TrainingSet, known_from: datetime
) -> int:
    """Write user features at the instants that retrieval looks at, as far back as features are kept."""
    instants = state_instants(material.split, material.config.retrieval.user_snapshot_days)
    instants = [at for at in instants if at >= known_from]
    first = np.full(len(shop.user_ids), np.iinfo(np.int64).max)
    np.minimum.at(first, shop.interactions.users, shop.interactions.times)
    asked = [(at, np.flatnonzero(first < at.timestamp())) for at in instants]
    asked = [(at, rows) for at, rows in asked if len(rows)]
    at_s = np.repeat([int(at.timestamp()) for at, _ in asked], [len(rows) for _, rows in asked]).astype(
        np.int64
    )
    rows = np.concatenate([rows for _, rows in asked] or [np.zeros(0, np.int64)])
    if asked:
        table = _user_table(settings, shop, asked, without=(HISTORY_VIEW,))
        users = user_batch_from_table(Bundle.open(material.workdir), table, at_s.astype(np.float64))
        features, profile = users.features, users.profile
    else:
        spec = Bundle.open(material.workdir).spec
        features = np.zeros((0, len(spec.user_features)), np.float32)
        profile = np.zeros((0, len(spec.profile_features)), np.int32)
    order = np.lexsort((at_s, rows))
    np.savez(
        material.directory / RETRIEVAL_USERS,
        rows=rows[order],
        at_s=at_s[order],
        features=features[order],
        profile=profile[order],
    )
    return len(rows)


def _with_prices(catalogue: pa.Table, features: dict[str, npt.NDArray[np.float32]]) -> pa.Table:
    """The catalogue with the price last known from what was paid, where the shop tells none."""
    prices = np.full(catalogue.num_rows, np.nan)
    if "price" in catalogue.column_names:
        prices = pc.fill_null(catalogue.column("price").cast(pa.float64()), np.nan).to_numpy()
    for name in PRICES:
        if name in features:
            prices = np.where(np.isfinite(prices), prices, features[name])
    column = pa.array(np.round(prices, 2), pa.float64(), from_pandas=True)
    others = [name for name in catalogue.column_names if name != "price"]
    return catalogue.select(others).append_column("price", column)


def _values(column: pa.ChunkedArray) -> tuple[str, ...]:
    """The most frequent values of a profile feature, ascending."""
    counts = pc.value_counts(column.drop_null().combine_chunks())
    order = np.lexsort((np.array(counts.field(0).to_pylist(), str), -counts.field(1).to_numpy()))
    return tuple(sorted(counts.field(0).take(pa.array(order[:PROFILE_VALUES])).to_pylist()))


def _is_number(field: pa.Field) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return field.name not in KEYS and any(is_kind(field.type) for is_kind in kinds)


def _matrix(table: pa.Table, names: list[str]) -> npt.NDArray[np.float32]:
    """[rows, names] numbers, NaN where a value is null."""
    columns = [pc.fill_null(table.column(name).cast(pa.float64()), np.nan).to_numpy() for name in names]
    return (
        np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((table.num_rows, 0), np.float32)
    )
