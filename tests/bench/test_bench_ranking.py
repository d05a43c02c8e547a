"""`aisle bench ranking` at a small size: every figure is there, and lists are neither perfect nor empty."""

import json
import subprocess
import sys

import pytest

RUN = (
    "from pipelines.cli.main import main\n"
    "main(['bench', 'ranking', '--users', '300', '--items', '400', '--json'])"
)


def test_every_figure_of_a_full_ranking_is_told():
    # In a process of its own, since it tells the peak of its memory.
    ran = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(ran.stdout)
    assert (told["users"], told["items"]) == (300, 400)
    # Eleven metrics of lists and the reachable coverage, each at 10 and 20.
    assert told["metrics"] == 24
    assert told["slices"] > 10
    assert told["seconds"] == pytest.approx(told["list_seconds"] + told["measure_seconds"], abs=0.02)
    assert 50 < told["peak_mb"] < 2_000
    assert 0 < told["ndcg@10"] < 0.5
