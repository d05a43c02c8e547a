"""The evaluation step: reads what training left, measures the release, asks the gate, writes the report.

Runs in a process of its own: `evaluate_release` takes and returns JSON values.
"""

import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.errors import WrongUsageError
from pipelines.evaluation import write_report
from pipelines.features import historical
from pipelines.lake import open_lake
from pipelines.release.champion import learned_before, with_item_state_of
from pipelines.release.evaluate import CHAMPION, TestRequests, figures, in_indices_of, measure
from pipelines.release.gate import GatePolicy
from pipelines.release.offline_serving import LIST_LENGTH, served_lists
from pipelines.release.registry import CHAMPION as CHAMPION_ALIAS
from pipelines.release.registry import Registry
from pipelines.release.step_cache import recorded_parity
from pipelines.settings import Settings, load_settings
from pipelines.tracking import code_revision
from pipelines.training.baselines import FIELDS, BaselineConfig, field_lists
from pipelines.training.data import TrainingSet
from serving.bundle import Bundle
from serving.engine import user_batch_from_table
from serving.errors import BundleError

NO_CHAMPION = "there is none yet"
EVENT_COLUMNS = ["user_id", "item_id", "event_type", "event_at"]


def evaluate_release(
    bundle: Path,
    *,
    policy: Mapping[str, Any] | None = None,
    field: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Measure the bundle under construction; leaves `report.json` and `report.html` in it.

    Args:
        bundle: Its directory, as ranking left it: with the items' state of the start of the test window.
        policy: Fields of `GatePolicy` that differ from its defaults.
        field: Fields of `BaselineConfig` that differ from those of the training budget: which baselines are
            measured beside the release, and how long that may take.
        settings: Where things are; the environment's if left out.

    Returns:
        `release`, `baselines`, `differences`, `champion`, `gate`, `users` (see `figures`), `metrics`, `ci95`,
        `decision`, `learned_until`, `lake_versions`, `champion_compared` (why or why not), `config` of field
        and gate, `field` (by baseline its settings and seconds), `skipped` (baselines that were left out, and
        why) and `seconds`.

    Raises:
        WrongUsageError: The bundle is sealed: its items' state has seen the test window.
    """
    started = time.perf_counter()
    settings = settings or load_settings()
    directory = bundle
    if (directory / "manifest.json").exists():
        raise WrongUsageError(
            f"expected a bundle under construction, received {directory}, which is sealed: what is counted "
            "in it has seen the test window. See how it was measured with `aisle evaluate --version N`"
        )
    training = TrainingSet.open(directory)
    split = training.split
    opened = Bundle.open(directory)
    asked = training.requests("test")
    user_ids = training.user_ids.take(pa.array(asked.rows))
    requests = TestRequests(split.test, user_ids, asked.users, tuple(training.target_types))
    events = open_lake(settings).read("events", EVENT_COLUMNS, version=training.lake_versions["events"])
    events = events.filter(pc.less(events["event_at"], pa.scalar(split.as_of)))
    strictness = GatePolicy.model_validate(dict(policy or {}))
    beside = BaselineConfig.model_validate({**FIELDS[settings.training_budget].model_dump(), **(field or {})})
    champion, compared = _champion_lists(settings, opened, requests)
    found = field_lists(directory, split.test_from, user_ids.to_pylist(), LIST_LENGTH, beside)
    evaluation, decision = measure(
        opened,
        requests,
        events,
        found.lists,
        champion=champion,
        parity=recorded_parity(directory),
        policy=strictness,
        skipped=found.skipped,
        uncompared=None if compared == NO_CHAMPION else compared,
    )
    facts = {
        "as_of": split.as_of.isoformat(),
        "test window": f"{split.test_from.isoformat()} to {split.as_of.isoformat()}",
        "target": ", ".join(training.target_types),
        "lake versions": ", ".join(f"{name} {number}" for name, number in training.lake_versions.items()),
        "code revision": code_revision(),
        CHAMPION: compared,
        "baselines": {
            name: f"{told['settings']} in {found.seconds[name]:.1f} s" for name, told in found.chosen.items()
        },
        "baselines left out": "; ".join(f"{name}: {why}" for name, why in found.skipped.items()) or "none",
    }
    write_report(evaluation, directory, facts=facts, verdict=decision.model_dump(mode="json"))
    metrics = {name: value for name, value in evaluation.metrics("release").items() if np.isfinite(value)}
    return {
        **figures(evaluation, decision),
        "metrics": metrics,
        "ci95": {name: list(pair) for name, pair in evaluation.ci95("release").items() if name in metrics},
        "decision": decision.model_dump(mode="json"),
        "learned_until": split.test_from.isoformat(),
        "lake_versions": dict(training.lake_versions),
        "champion_compared": compared,
        "config": {"field": beside.model_dump(mode="json"), "gate": strictness.model_dump(mode="json")},
        "field": {name: {**told, "seconds": found.seconds[name]} for name, told in found.chosen.items()},
        "skipped": found.skipped,
        "seconds": round(time.perf_counter() - started, 2),
    }


def _champion_lists(
    settings: Settings, candidate: Bundle, requests: TestRequests
) -> tuple[NDArray[np.int32] | None, str]:
    """The champion's lists in the candidate's item indices, and how that came about."""
    registry = Registry(settings)
    champion = registry.at(CHAMPION_ALIAS)
    if champion is None:
        return None, NO_CHAMPION
    name = f"version {champion.number}"
    at = requests.window.starts_at
    if not learned_before(champion.tags.get("learned_until"), at):
        return None, f"{name}, not compared: it may have learned from the test window"
    with tempfile.TemporaryDirectory(prefix="aisle-champion-") as folder:
        try:
            fetched = Bundle.open(registry.download_bundle(champion, Path(folder) / "fetched"))
            bundle = with_item_state_of(fetched, candidate, Path(folder) / "moved")
        except BundleError as error:
            return None, f"{name}, not compared: {error}"
        users = user_batch_from_table(bundle, _rows(settings, requests.user_ids, at), _seconds(at, requests))
        return in_indices_of(served_lists(bundle, users), bundle, candidate), name


def _rows(settings: Settings, user_ids: pa.StringArray, at: datetime) -> pa.Table:
    """What Feast knew of the users at that instant."""
    asked = pd.DataFrame({"user_id": user_ids.to_pylist(), "event_timestamp": pd.Timestamp(at)})
    return historical(settings, asked, "retrieval_v1")


def _seconds(at: datetime, requests: TestRequests) -> NDArray[np.float64]:
    return np.full(len(requests.user_ids), at.timestamp())
