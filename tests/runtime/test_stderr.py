"""Nothing that fails is silent, and nothing that loads well is loud."""

import os
import subprocess
import sys

import pytest

from pipelines.runtime.stderr import stderr_on_error_only


def test_what_native_code_prints_is_shown_to_nobody(capfd: pytest.CaptureFixture[str]):
    with stderr_on_error_only():
        os.write(2, b"native\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_what_was_printed_before_a_failure_is_shown(capfd: pytest.CaptureFixture[str]):
    def load() -> None:
        with stderr_on_error_only():
            os.write(2, b"why\n")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        load()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "why\nafterwards\n"


@pytest.mark.slow
def test_tensorflow_is_loaded_without_a_word():
    code = "from pipelines.training.tf import tf; print(int(tf.constant(1) + 1))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("2\n", "")
