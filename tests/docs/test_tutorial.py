"""docs/tutorial.md from its first command to its last, in a copy of the checkout."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
)
COPIED = ("pipelines", "serving", "feature_repo", "infra", "dags", "pyproject.toml")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reader:
    """Somebody who follows the page: one folder, one environment, one process that is left running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.said = ""
        self.serving: subprocess.Popen[bytes] | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
        tools = folder / "bin"
        tools.mkdir()
        aisle = tools / "aisle"
        aisle.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli.main "$@"\n')
        aisle.chmod(0o755)
        self.environment = {
            **inherited,
            "PYTHONPATH": str(folder),
            "PATH": f"{tools}:{Path(sys.executable).parent}:{inherited['PATH']}",
            "AISLE_SERVING_PORT": str(self.port),
        }

    def does(self, kind: str, text: str) -> None:
        """Run a block of commands, or make the change that a block shows."""
        if kind == "diff":
            self.run("git apply --unidiff-zero --recount -", text)
        elif text.strip() == "aisle serve &":
            self.serving = subprocess.Popen(["aisle", "serve"], cwd=self.folder, env=self.environment)
            self.wait_for_a_release()
        else:
            self.run(text.replace("localhost:8000", f"localhost:{self.port}"))

    def run(self, script: str, given: str = "") -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            input=given,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        self.said += f"$ {script}\n{done.stdout}"

    def wait_for_a_release(self) -> None:
        for _ in range(240):
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise AssertionError("serving was not ready in two minutes")


@pytest.fixture
def reader(tmp_path: Path):
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    someone = Reader(tmp_path)
    yield someone
    if someone.serving is not None:
        someone.serving.terminate()
        someone.serving.wait(30)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_command_of_the_tutorial_does_what_it_says(reader: Reader):
    assert BLOCKS[0] == ("sh", "make install && . .venv/bin/activate\n")
    for kind, text in BLOCKS[1:]:
        reader.does(kind, text)
    assert '"item_id":"p' in reader.said  # a list of items of this shop
    assert '"accepted":1' in reader.said
    assert "cart_rate_30d" in reader.said.rpartition("aisle features get --item p001")[2]
    assert (reader.folder / "backtest.html").stat().st_size > 10_000
