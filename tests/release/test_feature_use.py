"""Which feature services the champion and the candidate read, by their own manifests."""

from pathlib import Path

from pipelines.release.feature_use import FeatureUse, feature_use
from pipelines.release.gate import Check, Decision
from pipelines.release.registration import Measured, Origin, register_release
from pipelines.release.registry import Registry
from pipelines.settings import Settings
from pipelines.tracking import begin_run
from tests.serving.tiny_bundle import write_tiny_bundle

PASSED = Decision(
    passed=True,
    reasons=("beats the best baseline",),
    checks=(Check(name="beats_best_baseline", passed=True, expected="more than 0.2", received="0.3"),),
)


def release(settings: Settings, folder: Path, day: int, services: tuple[str, ...]) -> int:
    bundle = write_tiny_bundle(folder / f"bundle-{day}")
    (bundle / "report.json").write_text("{}")
    (bundle / "report.html").write_text("<h1>Report</h1>")
    (bundle / "spec.json").write_text((bundle / "spec.json").read_text() + " " * day)  # other content
    origin = Origin(
        as_of=f"2024-05-{day:02}T00:00:00+00:00",
        lake_versions={"events": day},
        feature_services=services,
        run_id=begin_run(settings, "retrain", f"day-{day}"),
        learned_until="2024-04-17T00:00:00+00:00",
    )
    told = register_release(settings, bundle, origin, Measured({"ndcg@10": 0.3}, {}, PASSED))
    return int(told["version"])


def test_nothing_is_read_before_anything_is_released(settings: Settings):
    assert feature_use(settings) == []


def test_champion_and_candidate_name_what_they_read(settings: Settings, tmp_path: Path):
    first = release(settings, tmp_path, 1, ("retrieval_v1", "ranking_v1"))
    assert feature_use(settings) == [FeatureUse("candidate", first, ("retrieval_v1", "ranking_v1"))]
    Registry(settings).move_alias("champion", first)
    second = release(settings, tmp_path, 2, ("retrieval_v2",))
    used = feature_use(settings)
    assert used == [
        FeatureUse("champion", first, ("retrieval_v1", "ranking_v1")),
        FeatureUse("candidate", second, ("retrieval_v2",)),
    ]
    assert str(used[0]) == "champion 1"
