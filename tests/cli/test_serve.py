"""`aisle serve`: serving is told of the installation that the pipelines work in."""

import subprocess
import sys

import pytest

from pipelines.cli import serve as module
from pipelines.cli.main import main
from pipelines.cli.serve import INHERITED, serving_environment
from pipelines.settings import Settings
from serving.settings import ServingSettings


def test_serving_gets_the_installations_settings_where_it_has_none_of_its_own():
    given = {
        "AISLE_HOME": "/shop",
        "AISLE_TRACKING_URI": "http://127.0.0.1:5000",
        "AISLE_MODEL_NAME": "shoes",
        "AISLE_SERVING_MODEL_NAME": "boots",
        "PATH": "/bin",
    }
    told = serving_environment(given)
    assert told["AISLE_SERVING_HOME"] == "/shop"
    assert told["AISLE_SERVING_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert told["AISLE_SERVING_MODEL_NAME"] == "boots"
    assert "AISLE_SERVING_REDIS_URL" not in told
    assert given.items() <= told.items()


def test_every_inherited_variable_is_a_setting_on_both_sides():
    for of, to in INHERITED.items():
        assert of.removeprefix("AISLE_").lower() in Settings.model_fields
        assert to.removeprefix("AISLE_SERVING_").lower() in ServingSettings.model_fields


def test_the_process_is_started_with_the_options_and_its_exit_code_is_ours(monkeypatch):
    asked = {}

    def call(command, env):
        asked.update(command=command, env=env)
        return 1

    monkeypatch.setattr(module.subprocess, "call", call)
    monkeypatch.setenv("AISLE_HOME", "/shop")
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--host", "::1", "--port", "0"])
    assert ended.value.code == 1
    assert asked["command"] == [sys.executable, "-m", "serving", "--host", "::1", "--port", "0"]
    assert asked["env"]["AISLE_SERVING_HOME"] == "/shop"


def test_a_port_that_is_none_is_wrong_usage():
    told = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "serve", "--port", "x"], capture_output=True, text=True
    )
    assert told.returncode == 2
    assert "'x' is not a valid integer" in told.stderr
