"""Feast's own commands, its UI among them, get every variable that its configuration names."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

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
