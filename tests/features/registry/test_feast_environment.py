"""Feast's own commands, its UI among them, get every variable that its configuration names."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipelines.demo.local_stack import Addresses, Platform
from pipelines.features.registry.feast_environment import feast_environment
from pipelines.settings import Settings


@pytest.mark.parametrize("redis_url", [None, "redis://127.0.0.1:6379/0"])
@pytest.mark.parametrize("registry", [None, SecretStr("postgresql://user:pass@shop/registry")])
def test_every_variable_of_the_configuration_has_a_value(redis_url: str | None, registry: SecretStr | None):
    told = feast_environment(Settings(redis_url=redis_url, feast_registry_uri=registry))
    named = set(re.findall(r"\$\{(\w+)\}", Path(told["FEAST_FS_YAML_FILE_PATH"]).read_text("utf-8")))
    assert len(named) >= 3
    assert named <= set(told)
    assert told["AISLE_REGISTRY"].startswith("postgresql+psycopg://user:pass@" if registry else "/")


def test_the_demo_s_ui_gets_them(tmp_path: Path):
    started: list[Any] = []

    class Stack:
        home = tmp_path

        def start(self, service: Any) -> None:
            started.append(service)

    pipeline = {"AISLE_HOME": str(tmp_path), "AISLE_LAKE_URI": str(tmp_path / "lake")}
    platform = Platform(Stack(), Addresses(1, 2, 3, 4), None, pipeline)  # type: ignore[arg-type]
    platform.start_feast_ui()
    expected = feast_environment(Settings(home=tmp_path, lake_uri=str(tmp_path / "lake")))
    assert expected.items() <= started[0].environment.items()
