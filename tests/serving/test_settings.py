"""Where serving listens, and what it refuses to start with."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.clock import Clock
from serving.errors import ConfigurationError
from serving.settings import ServingSettings, check_exposure, is_loopback, load_settings

KEY = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    check_exposure(ServingSettings(host=host))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "shop.example", "127.0.0.1.evil.example", ""]
)
def test_beyond_this_machine_a_key_is_needed(host: str) -> None:
    with pytest.raises(ConfigurationError, match="AISLE_SERVING_API_KEY is not set"):
        check_exposure(ServingSettings(host=host))
    check_exposure(ServingSettings(host=host, api_key=KEY))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 characters, received 3"):
        check_exposure(ServingSettings(api_key="abc"))


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_SERVING_ALLOWED_HOSTS", "shop.example, www.shop.example")
    monkeypatch.setenv("AISLE_SERVING_PUBLIC_KEYS", "/a.pub,/b.pub")
    settings = ServingSettings()
    assert settings.allowed_hosts == ("shop.example", "www.shop.example")
    assert settings.release_keys == (Path("/a.pub"), Path("/b.pub"))


def test_everything_hangs_off_home(tmp_path: Path) -> None:
    settings = ServingSettings(home=tmp_path)
    assert settings.event_folder == tmp_path / "events"
    assert settings.release_cache == tmp_path / "serving" / "releases"
    assert settings.release_keys == (tmp_path / "keys",)
    assert settings.mlflow_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_every_setting_has_its_sentence() -> None:
    source = Path(sys.modules[ServingSettings.__module__].__file__ or "").read_text()
    for name in ServingSettings.model_fields:
        declaration = source.index(f"\n    {name}: ")
        following = source.index('\n    """', declaration)
        assert source.find("\n\n", declaration) > following, f"{name} has no sentence beneath it"


def test_a_replayed_clock_starts_at_its_instant_and_goes_on_from_there() -> None:
    seconds = iter([100.0, 100.0, 160.5])
    clock = Clock(datetime(2017, 12, 1, tzinfo=UTC), monotonic=lambda: next(seconds))
    assert clock.now() == datetime(2017, 12, 1, tzinfo=UTC)
    assert clock.now() == datetime(2017, 12, 1, 0, 1, 0, 500_000, tzinfo=UTC)


def test_wrong_settings_end_with_exit_code_2_and_say_what_to_do(tmp_path: Path) -> None:
    environment = {"AISLE_SERVING_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for arguments, said in (
        (["--host", "0.0.0.0"], "Set AISLE_SERVING_API_KEY"),
        (["--port", "70000"], "--port"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "serving", *arguments],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ended.returncode == 2
        assert said in ended.stderr


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef\n")
    monkeypatch.setenv("AISLE_SERVING_API_KEY_FILE", str(tmp_path / "key"))
    key = load_settings().api_key
    assert key is not None
    assert key.get_secret_value() == "0123456789abcdef"
