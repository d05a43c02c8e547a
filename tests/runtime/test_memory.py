"""The peak of a process is its own."""

import subprocess
import sys

from pipelines.runtime.memory import peak_bytes

MB = 1_000_000


def test_what_was_held_counts_after_it_was_let_go():
    held = bytearray(b"x" * 300 * MB)
    del held
    assert peak_bytes() > 300 * MB


def test_the_peak_of_a_large_process_is_not_handed_on_to_one_that_it_starts():
    held = bytearray(b"x" * 300 * MB)
    asked = "from pipelines.runtime.memory import peak_bytes; print(peak_bytes())"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert 0 < int(told.stdout) < 150 * MB
    del held
