"""Sealed, signed and registered once: what a version holds, and what tampering with it does."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import ReleaseError
from pipelines.release.gate import Check, Decision
from pipelines.release.keys import rotate
from pipelines.release.registration import Measured, Origin, register_release
from pipelines.release.registry import Registry
from pipelines.tracking import begin_run, connect
from serving.bundle import load_public_key, verify, write_array
from serving.errors import BundleError
from tests.serving.tiny_bundle import write_tiny_bundle

PICKLES = (".pkl", ".pickle", ".joblib", ".h5", ".keras", ".pt", ".bin")


def verdict(passed: bool = True) -> Decision:
    check = Check(name="beats_best_baseline", passed=passed, expected="more than 0.2", received="0.3")
    return Decision(passed=passed, reasons=(check.sentence,), checks=(check,))


@pytest.fixture
def bundle(tmp_path) -> Path:
    directory = write_tiny_bundle(tmp_path / "work" / "bundle")
    (directory / "report.json").write_text('{"gate": {"passed": true, "reasons": [], "checks": []}}')
    (directory / "report.html").write_text("<h1>Report</h1>")
    return directory


@pytest.fixture
def origin(settings) -> Origin:
    return Origin(
        as_of="2024-05-01T00:00:00+00:00",
        lake_versions={"events": 3},
        feature_services=("retrieval_v1",),
        run_id=begin_run(settings, "retrain", "k"),
        learned_until="2024-04-17T00:00:00+00:00",
    )


MEASURED = Measured({"ndcg@10": 0.3123, "coverage@10": 0.5}, {"ndcg@10": (0.29, 0.33)}, verdict())
REFUSED = Measured({"ndcg@10": 0.1}, {}, verdict(passed=False))


def test_a_release_becomes_one_version_with_its_facts(settings, bundle, origin):
    told = register_release(settings, bundle, origin, MEASURED)
    assert (told["version"], told["created"], told["alias"], told["gate"]) == (1, True, "candidate", "passed")
    version = Registry(settings).version(1)
    assert version.run_id == origin.run_id
    assert version.tags["as_of"] == origin.as_of
    assert version.tags["ndcg_at_10"] == "0.3123"
    assert version.tags["ndcg_at_10_ci95"] == "0.2900-0.3300"
    assert version.tags["bundle_path"] == "artifacts/bundle"
    assert version.reasons == ["beats best baseline: expected more than 0.2; received 0.3"]
    manifest = verify(bundle, [load_public_key(settings.keys / "release.pub")])
    assert manifest.facts["metrics"]["ndcg@10"] == {"mean": 0.3123, "ci95": [0.29, 0.33]}
    assert manifest.facts["metrics"]["coverage@10"] == {"mean": 0.5, "ci95": None}
    assert manifest.facts["lake_versions"] == {"events": 3}
    assert version.tags["digest"] == manifest.digest


def test_the_same_release_again_is_the_same_version(settings, bundle, origin):
    first = register_release(settings, bundle, origin, MEASURED)
    again = register_release(settings, bundle, origin, MEASURED)
    assert again == {**first, "created": False}
    assert len(Registry(settings).versions()) == 1


def test_another_report_of_the_same_release_is_the_same_version(settings, bundle, origin):
    register_release(settings, bundle, origin, MEASURED)
    (bundle / "report.html").write_text("<h1>Another day</h1>")
    assert register_release(settings, bundle, origin, MEASURED)["created"] is False


def test_other_content_is_another_version(settings, bundle, origin):
    register_release(settings, bundle, origin, MEASURED)
    write_array(bundle, "popularity", np.arange(8.0))
    told = register_release(settings, bundle, origin, MEASURED)
    assert (told["version"], told["created"], told["alias"]) == (2, True, "candidate")


def test_a_refused_release_is_registered_with_its_reasons_and_is_nobodys_alias(settings, bundle, origin):
    told = register_release(settings, bundle, origin, REFUSED)
    assert (told["version"], told["alias"], told["gate"]) == (1, None, "refused")
    assert Registry(settings).alias("candidate") is None
    assert verify(bundle, [load_public_key(settings.keys / "release.pub")]).gate_passed is False


def test_reasons_beyond_what_a_description_holds_are_cut_there_and_whole_in_the_tag(settings, bundle, origin):
    reasons = tuple(f"slice {number}: expected more, received less" for number in range(300))
    told = register_release(
        settings,
        bundle,
        origin,
        Measured({"ndcg@10": 0.1}, {}, Decision(passed=False, reasons=reasons, checks=())),
    )
    registry = Registry(settings)
    described = connect(settings).get_model_version(registry.name, str(told["version"])).description
    # MLflow keeps descriptions in a column of 5,000 characters.
    assert len(described) < 5_000
    assert " …\n" in described
    assert (
        registry.version(told["version"])
        .tags["gate_reasons"]
        .endswith("slice 299: expected more, received less")
    )


def test_a_release_of_older_data_does_not_take_the_alias_from_a_newer_one(settings, bundle, origin):
    register_release(settings, bundle, origin, MEASURED)
    write_array(bundle, "popularity", np.arange(8.0))
    older = replace(origin, as_of="2024-04-01T00:00:00+00:00")
    assert register_release(settings, bundle, older, MEASURED)["alias"] is None
    assert Registry(settings).alias("candidate") == 1


def test_a_crash_before_the_alias_is_mended_by_registering_again(settings, bundle, origin, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Registry, "move_alias", crash)
        with pytest.raises(KeyboardInterrupt):
            register_release(settings, bundle, origin, MEASURED)
    told = register_release(settings, bundle, origin, MEASURED)
    assert (told["version"], told["created"], told["alias"]) == (1, False, "candidate")


def test_a_file_that_no_bundle_may_hold_is_refused_by_name_and_nothing_is_registered(
    settings, bundle, origin
):
    (bundle / "weights.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ReleaseError, match=r"weights\.pkl"):
        register_release(settings, bundle, origin, MEASURED)
    assert Registry(settings).versions() == []


def test_nothing_in_a_version_is_pickled_and_no_keras_flavour_is_set(settings, bundle, origin):
    register_release(settings, bundle, origin, MEASURED)
    fetched = stored(settings)
    files = [path for path in fetched.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.suffix in PICKLES] == []
    assert not any(path.read_bytes()[:1] == b"\x80" for path in files)
    described = (fetched / "MLmodel").read_text()
    assert "code_model" in described
    assert "keras" not in described
    assert "python_model:" not in described


def stored(settings) -> Path:
    """Where the store keeps the files of the one version."""
    (described,) = (settings.home / "mlflow" / "artifacts").rglob("MLmodel")
    return described.parent


@pytest.mark.parametrize("name", ["bundle", "any-other-name"])
def test_a_version_can_be_fetched_as_it_was_sealed(settings, bundle, origin, tmp_path, name):
    register_release(settings, bundle.rename(bundle.with_name(name)), origin, MEASURED)
    registry = Registry(settings)
    fetched = registry.download_bundle(registry.version(1), tmp_path / "fetched")
    assert fetched.is_relative_to(tmp_path / "fetched")
    manifest = verify(fetched, [load_public_key(settings.keys / "release.pub")])
    assert manifest.digest == registry.version(1).tags["digest"]


@pytest.mark.parametrize(
    "name", ["items.parquet", "popularity.npy", "spec.json", "report.html", "manifest.json"]
)
def test_a_version_that_was_altered_in_the_store_does_not_verify(settings, bundle, origin, tmp_path, name):
    register_release(settings, bundle, origin, MEASURED)
    whole = stored(settings)
    victim = whole / "artifacts" / "bundle" / name
    content = bytearray(victim.read_bytes())
    # Of the manifest the month of `as_of`: what stands in its middle may be a hash as well as a name.
    place = content.index(b"2024-05-01") + 6 if name == "manifest.json" else len(content) // 2
    content[place] ^= 1
    victim.write_bytes(content)
    with pytest.raises(BundleError, match=name):
        verify(victim.parent, [load_public_key(settings.keys / "release.pub")])


def test_a_version_signed_by_another_installation_does_not_verify(settings, bundle, origin, tmp_path):
    register_release(settings, bundle, origin, MEASURED)
    whole = stored(settings)
    shutil.rmtree(settings.keys)
    other = write_tiny_bundle(tmp_path / "other")
    with pytest.raises(ReleaseError, match="aisle release key rotate"):
        register_release(settings, other, origin, MEASURED)
    assert not settings.keys.exists()
    rotate(settings.keys)
    register_release(settings, other, origin, MEASURED)
    with pytest.raises(BundleError, match="trusted keys"):
        verify(whole / "artifacts" / "bundle", [load_public_key(settings.keys / "release.pub")])


PREDICT = """
import json, sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/aisle-recommender@candidate")
rows = [
    {"item_ids": ["banana"], "event_types": ["purchase"], "event_times": [1000000000], "k": 3, "gender": "F"},
    {"item_ids": [], "event_types": [], "event_times": [], "k": 2},
]
loaded = [name for name in ("tensorflow", "tf_keras", "keras") if name in sys.modules]
answers = [*model.predict(rows), *model.predict([{"k": 2}])]
print(json.dumps({"answers": answers, "loaded": loaded}))
"""


def test_mlflow_loads_the_version_in_a_fresh_process_and_answers_as_serving_would(
    settings, bundle, origin, tmp_path
):
    register_release(settings, bundle, origin, MEASURED)
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, settings.mlflow_uri],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        },
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["loaded"] == []
    known, unknown, alone = (answer["items"] for answer in told["answers"])
    assert len(known) == 3
    assert known[0].keys() == {"item_id", "title", "price", "score", "source", "reason"}
    assert "Bananas, 1 KG" in " ".join(item["reason"] for item in known)
    # nobody's history: the most popular items, which are bananas (8) and bread (7)
    assert [item["item_id"] for item in unknown] == ["banana", "bread"]
    assert alone == unknown
