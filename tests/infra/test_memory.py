"""Peak memory counts the whole process tree."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from infra.local.memory import PeakMemory, tree_bytes

HOLD_100_MB = (
    "b = bytearray(100 * 2**20); b[::4096] = b'x' * len(b[::4096]); print('held', flush=True); input()"
)


@pytest.fixture
def holder():
    """A grandchild that holds 100 MB, as a training step below a scheduler would."""
    between = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD_100_MB!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", between], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.write(b"\n")


def test_memory_of_grandchildren_counts(holder):
    assert tree_bytes() > 100 * 2**20 + psutil.Process(os.getpid()).memory_full_info().uss // 2


def test_the_peak_stays_after_the_memory_was_given_back():
    with PeakMemory(every_s=0.05) as memory:
        before = memory.megabytes
        block = bytearray(100 * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(0.3)
        del block
        time.sleep(0.2)
    assert memory.megabytes > before + 90
