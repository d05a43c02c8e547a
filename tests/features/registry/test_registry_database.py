"""PostgreSQL as registry: what two machines write at once is all there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipelines.errors import FeatureError
from pipelines.features import store
from pipelines.features.registry.declarations import declared_views
from pipelines.features.registry.write_lock import registry_write_lock
from pipelines.settings import Settings
from tests.features.conftest import AS_OF
from tests.features.databases import own_database

ROUNDS = 2
"""Times that each of two machines writes."""

WRITING = """
import sys
from datetime import datetime, timedelta
from pipelines.features import store
from pipelines.features.online_store.materialize import EVER
from pipelines.settings import load_settings
as_of = datetime.fromisoformat(sys.argv[2])
settings = load_settings()
print("ready", flush=True)
sys.stdin.readline()
for round in range(int(sys.argv[1])):
    store.apply(settings)
    store.materialize(settings, start=EVER, end=as_of - timedelta(days=round))
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    with own_database(tmp_path) as uri:
        yield uri


def machine(built_home: Settings, home: Path, uri: str) -> Settings:
    """Settings of one of several machines on one lake and one registry."""
    home.mkdir()
    return Settings(home=home, lake_uri=built_home.lake_root, feast_registry_uri=SecretStr(uri))


def test_features_are_applied_materialized_joined_and_looked_up(
    built_home: Settings, database: str, tmp_path
):
    settings = machine(built_home, tmp_path / "one", database)
    assert store.apply(settings)["applied"] > 20
    store.materialize(settings)
    found = store.get_online(settings, user_id="u05")
    assert found["features"] == store.get_online(built_home, user_id="u05")["features"]
    assert not (settings.home / "feast" / "registry.db").exists()
    again = store.open_store(settings)
    assert {view.name for view in again.list_feature_views()} == set(declared_views())
    assert len(again.registry.list_permissions(again.project)) == 3


@pytest.mark.timeout(900)  # two processes, each of which loads Feast
def test_what_two_machines_write_at_once_is_all_there(built_home: Settings, database: str, tmp_path):
    machines = [machine(built_home, tmp_path / name, database) for name in ("one", "two")]
    with ExitStack() as ended:
        writers = [
            ended.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", WRITING, str(ROUNDS), AS_OF.isoformat()],
                    env=os.environ | settings.as_environment(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for settings in machines
        ]
        for writer in writers:
            ended.callback(writer.kill)
        for writer in writers:  # both loaded, so that they write at once
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in writers:
            _, said = writer.communicate(timeout=600)
            assert writer.returncode == 0, said
    feast = store.open_store(machines[0])
    for name, view in declared_views().items():
        written = feast.registry.get_feature_view(name, feast.project).materialization_intervals
        assert len(written) == (2 * ROUNDS if view.online else 0), name
    assert len(feast.list_feature_services()) == 3


def test_a_machine_waits_for_another_and_says_so_when_it_takes_too_long(
    built_home: Settings, database: str, tmp_path
):
    one, two = (machine(built_home, tmp_path / name, database) for name in ("one", "two"))
    with (
        registry_write_lock(one),
        pytest.raises(FeatureError, match="another machine holds it"),
        registry_write_lock(two, 0.2),
    ):
        pass
    with registry_write_lock(two, 0.2):
        pass


def test_a_database_that_is_not_there_is_named_without_its_password(built_home: Settings, tmp_path):
    settings = machine(built_home, tmp_path / "one", "postgresql://nobody:s3cret@127.0.0.1:1/registry")
    for ask in (store.apply, store.materialize, store.open_store):
        with pytest.raises(FeatureError, match="AISLE_FEAST_REGISTRY_URI") as refused:
            ask(settings)
        assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(settings)
