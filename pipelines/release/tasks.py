"""Retraining, step by step, as the `retrain` DAG calls it: data of one cutoff in, one registered version out.

Every step is done once for the same data, code and settings, however often it is called. The heavy ones run
in a process of their own. Each leaves a run in MLflow below the retraining's; one that fails leaves a failed
run with its error, and fails the retraining's.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.features.registry import last_build
from pipelines.lake import open_lake
from pipelines.release.evaluate_task import evaluate_release
from pipelines.release.finalize_bundle import assemble, check_unchanged, file_hashes, learned_files
from pipelines.release.gate import Decision
from pipelines.release.promotion import auto_promote as leave_to_policy
from pipelines.release.registration import CONTENT_TAG, Measured, Origin, register_release
from pipelines.release.registry import Registry
from pipelines.release.step_cache import ReleaseWorkspace, clear_old_workplaces
from pipelines.release.warm_start import NOT_ASKED, WEIGHTS_FOLDER, earlier_release, fetch_start
from pipelines.runtime import Limits, read_instant, run_isolated
from pipelines.settings import Settings, load_settings
from pipelines.tracking import Run, begin_run, end_run, fail_run, reopen_run, resume, run
from pipelines.training import tasks

LAKE_TABLES = ("events", "items", "users")
FEATURE_SERVICES = ("retrieval_v1", "ranking_v1")
LIMITS_S = {
    "training_set": 3600.0,
    "retrieval": 6 * 3600.0,
    "ranking": 6 * 3600.0,
    "evaluate": 3600.0,
    "assemble": 1800.0,
}
"""Seconds after which each step's process is killed."""


def begin(as_of: str | None, settings: Settings | None = None) -> dict[str, Any]:
    """Open the retraining for a cutoff.

    Args:
        as_of: Exclusive cutoff, ISO 8601 with its offset; None takes that of the features built last.
        settings: Where things are; the environment's if left out, as in all steps.

    Returns:
        `as_of` in UTC, `run_id` of the retraining's MLflow run, `workdir` of the bundle under construction.
    """
    settings = settings or load_settings()
    lake = open_lake(settings)
    versions = {table: lake.version(table) for table in LAKE_TABLES if lake.exists(table)}
    cutoff = as_of or last_build(lake)["as_of"].isoformat()
    earlier = earlier_release(settings, read_instant(cutoff)) if settings.warm_start else None
    place = ReleaseWorkspace.begin(settings, cutoff, versions, earlier.number if earlier else None)
    key = f"retrain:{place.as_of_text}:{place.inputs}"
    tags = {"as_of": place.as_of_text, "inputs": place.inputs}
    run_id = begin_run(settings, f"retrain {place.as_of:%Y-%m-%d}", key, tags=tags)
    resume(settings, run_id).log_inputs(
        as_of=place.as_of_text, lake_versions=versions, feature_services=FEATURE_SERVICES
    )
    clear_old_workplaces(settings, place)
    return {"as_of": place.as_of_text, "run_id": run_id, "workdir": str(place.bundle)}


def build_training_set(as_of: str, run_id: str, settings: Settings | None = None) -> dict[str, Any]:
    """Label requests and join their features as known at each instant; `rows`, `seconds`, and more."""
    settings = settings or load_settings()

    def work(place: ReleaseWorkspace, step: Run) -> dict[str, Any]:
        place.bundle.mkdir(parents=True, exist_ok=True)
        told = run_isolated(
            tasks.build_training_set, _limits(settings, "training_set"), place.as_of_text, place.bundle
        )
        step.log_inputs(as_of=as_of, lake_versions=told["lake_versions"], feature_services=FEATURE_SERVICES)
        step.log_params(told["split"], "split")
        step.log_metrics({name: told[name] for name in ("rows", "users", "items")})
        return told

    return _step("training_set", as_of, run_id, settings, work)


def train_retrieval(as_of: str, run_id: str, settings: Settings | None = None) -> dict[str, Any]:
    """Train the two-tower model, from an earlier release's weights by setting; `recall_at_100`, and more."""
    settings = settings or load_settings()

    def work(place: ReleaseWorkspace, step: Run) -> dict[str, Any]:
        start = fetch_start(settings, place) if settings.warm_start else NOT_ASKED
        told = run_isolated(
            tasks.train_retrieval,
            _limits(settings, "retrieval"),
            place.as_of_text,
            place.bundle,
            start_from=start.weights,
        )
        _log_training(step, told)
        step.set_tags({"warm_start": start.told(told["warm_start"]["reasons"])})
        resume(settings, run_id).log_file(Path(told["weights"]), WEIGHTS_FOLDER)
        return told

    return _step("retrieval", as_of, run_id, settings, work)


def train_ranking(as_of: str, run_id: str, settings: Settings | None = None) -> dict[str, Any]:
    """Train the multi-task ranking model; `seconds`, `auc`, and more."""
    settings = settings or load_settings()

    def work(place: ReleaseWorkspace, step: Run) -> dict[str, Any]:
        told = run_isolated(tasks.train_ranking, _limits(settings, "ranking"), place.as_of_text, place.bundle)
        _log_training(step, told)
        return told

    return _step("ranking", as_of, run_id, settings, work)


def evaluate(as_of: str, run_id: str, settings: Settings | None = None) -> dict[str, Any]:
    """Measure the release beside its baselines and ask the gate.

    Returns:
        `seconds`, `release` (`ndcg_at_10`, `ndcg_at_10_ci95`, `recall_at_10`), `baselines` (each with
        `ndcg_at_10`), `differences` (the release less each other model, paired), `gate` (`passed`,
        `reasons`), and more.
    """
    settings = settings or load_settings()

    def work(place: ReleaseWorkspace, step: Run) -> dict[str, Any]:
        measured = file_hashes(place.bundle)
        told = run_isolated(evaluate_release, _limits(settings, "evaluate"), place.bundle)
        told["files"] = measured
        step.log_params(told["config"])
        step.log_metrics(told["metrics"])
        step.log_metrics(_beside_others(told))
        step.set_tags(
            {
                "gate": told["gate"],
                "champion": told["champion_compared"],
                "baselines": told["field"],
                "baselines_left_out": told["skipped"],
            }
        )
        for name in ("report.html", "report.json"):
            step.log_file(place.bundle / name)
        return told

    return _step("evaluate", as_of, run_id, settings, work)


def register(as_of: str, run_id: str, settings: Settings | None = None) -> dict[str, Any]:
    """Bring the bundle up to the cutoff, seal, sign and register it.

    Returns:
        `version`, `alias` (`candidate` or None), `gate` (`passed` or `refused`), `reasons`, `seconds`, more.
    """
    settings = settings or load_settings()

    def work(place: ReleaseWorkspace, step: Run) -> dict[str, Any]:
        started = time.perf_counter()
        evaluated = _evaluated(place, run_id, settings)
        check_unchanged(place.bundle, evaluated["files"])
        run_isolated(assemble, _limits(settings, "assemble"), place.bundle, place.release, place.as_of_text)
        check_unchanged(place.release, learned_files(evaluated["files"]))
        origin = Origin(
            as_of=place.as_of_text,
            lake_versions=evaluated["lake_versions"],
            feature_services=FEATURE_SERVICES,
            run_id=run_id,
            learned_until=evaluated["learned_until"],
            weights_sha256=_sha256((place.result("retrieval") or {}).get("weights")),
        )
        measured = Measured(
            metrics=evaluated["metrics"],
            ci95={name: (low, high) for name, (low, high) in evaluated["ci95"].items()},
            decision=Decision.model_validate(evaluated["decision"]),
        )
        told = register_release(settings, place.release, origin, measured)
        step.set_tags({name: told[name] for name in ("version", "gate", "reasons")})
        parent = resume(settings, run_id)
        parent.log_metrics({**evaluated["metrics"], **_beside_others(evaluated)})
        parent.log_file(place.bundle / "report.html")
        return {**told, "seconds": round(time.perf_counter() - started, 2)}

    place = ReleaseWorkspace.open(settings, as_of)
    known = place.result("register")
    if known is not None and Registry(settings).find(CONTENT_TAG, known["content_sha256"]) is None:
        place.forget("register")
    told = _step("register", as_of, run_id, settings, work)
    end_run(settings, run_id)
    return told


def auto_promote(version: int, settings: Settings | None = None) -> dict[str, Any]:
    """What the promotion policy does with a new version; see `pipelines.release.promotion.auto_promote`."""
    return leave_to_policy(settings or load_settings(), version)


def _step(
    name: str,
    as_of: str,
    run_id: str,
    settings: Settings,
    work: Callable[[ReleaseWorkspace, Run], Mapping[str, Any]],
) -> dict[str, Any]:
    """Do one step once, in a run below the retraining's."""
    place = ReleaseWorkspace.open(settings, as_of)

    def tracked() -> dict[str, Any]:
        with _below(settings, name, run_id) as step:
            return dict(work(place, step))

    return place.once(name, tracked)


@contextmanager
def _below(settings: Settings, name: str, run_id: str) -> Iterator[Run]:
    """A child run; when it fails, so does the retraining's, until the step is tried again."""
    reopen_run(settings, run_id)
    try:
        with run(settings, name, parent_run_id=run_id) as step:
            yield step
    except Exception as error:
        fail_run(settings, run_id, error)
        raise


def _sha256(path: str | None) -> str | None:
    """SHA-256 of the file; None where there is none."""
    if path is None:
        return None
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _limits(settings: Settings, step: str) -> Limits:
    return Limits(LIMITS_S[step], settings.as_environment())


def _log_training(step: Run, told: Mapping[str, Any]) -> None:
    """Log whatever a training step tells: settings, curves, and every figure."""
    step.log_params(told.get("config", {}))
    step.log_curves(told.get("curve", {}))
    step.log_metrics({name: value for name, value in told.items() if isinstance(value, int | float)})
    if parity := told.get("parity"):
        step.log_metrics({f"parity/{name}": parity[name] for name in ("overlap", "largest_difference")})


def _beside_others(told: Mapping[str, Any]) -> dict[str, float]:
    """What an evaluation found of each other model: its NDCG@10, and the release's paired gain over it."""
    metrics = {f"{name}/ndcg@10": scores["ndcg_at_10"] for name, scores in told["baselines"].items()}
    for name, gain in told["differences"].items():
        low, high = gain["ndcg_at_10_ci95"]
        metrics |= {
            f"gain_over/{name}": gain["ndcg_at_10"],
            f"gain_over/{name}_low": low,
            f"gain_over/{name}_high": high,
        }
    return metrics


def _evaluated(place: ReleaseWorkspace, run_id: str, settings: Settings) -> dict[str, Any]:
    """The evaluation's result, which the step before has left."""
    return place.result("evaluate") or evaluate(place.as_of_text, run_id, settings)
