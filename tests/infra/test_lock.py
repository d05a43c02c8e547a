"""The lock files hold what `pyproject.toml` asks for, by hash, and name no place to get it from."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pinned(name):
    """Versions of each package; some have one for old and one for new Pythons."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    versions = defaultdict(set)
    for found in re.finditer(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", text, re.MULTILINE):
        versions[canonicalize_name(found["name"])].add(found["version"])
    return versions


def unmet(wanted, lock):
    requirements = [Requirement(text) for text in wanted]
    return [
        str(one)
        for one in requirements
        if not any(version in one.specifier for version in lock.get(canonicalize_name(one.name), ()))
    ]


def test_the_whole_lock_meets_every_extra_but_spark():
    extras = [extra for name, extra in EXTRAS.items() if name != "spark"]
    wanted = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    assert unmet(wanted, pinned("all")) == []
    assert "pyspark" not in pinned("all")


def test_the_spark_lock_meets_its_extra_and_changes_nothing_that_is_installed():
    lock, whole = pinned("spark"), pinned("all")
    assert unmet([*PROJECT["dependencies"], *EXTRAS["spark"]], lock) == []
    assert lock.keys() - whole.keys() == {"pyspark", "py4j", "grpcio-status"}
    assert {name for name in lock.keys() & whole.keys() if not lock[name] <= whole[name]} == set()


def test_the_serving_lock_meets_its_extra_and_brings_no_training_side():
    lock = pinned("serving")
    assert unmet([*PROJECT["dependencies"], *EXTRAS["serving"]], lock) == []
    assert {"tensorflow", "tf-keras", "apache-airflow", "duckdb", "deltalake", "mlflow"}.isdisjoint(lock)


def test_serving_and_training_have_the_same_versions_of_what_they_share():
    whole, serving = pinned("all"), pinned("serving")
    shared = whole.keys() & serving.keys()
    assert len(shared) > 50
    assert {name for name in shared if not serving[name] <= whole[name]} == set()


@pytest.mark.parametrize("name", ["all", "serving", "spark", "bootstrap"])
def test_every_package_has_a_hash_and_no_address(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    packages = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(packages) >= len(pinned(name)) > 0
    assert [package.split(" ")[0] for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text
    assert "--index" not in text
