"""`make` on a fresh machine, as far as it can be tried without installing anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(folder, *words):
    return subprocess.run(
        ["make", "--no-print-directory", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path):
    """The files that decide how the environment is made, and no environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


@pytest.fixture
def old_python(tmp_path):
    python = tmp_path / "python3.10"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.14 && exit 0\nexit 1\n')
    python.chmod(0o755)
    return python


def test_make_alone_lists_the_verbs(checkout):
    listed = re.findall(r"^  make (\w+) ", make(checkout).stdout, re.MULTILINE)
    assert {"demo", "test", "check", "format", "lock", "clean"} <= set(listed)


def test_an_old_python_is_refused_before_anything_is_made(checkout, old_python):
    done = make(checkout, "demo", f"PYTHON={old_python}")
    assert done.returncode != 0
    assert "Aisle needs Python 3.11, 3.12 or 3.13" in done.stdout
    assert "Python 3.10.14" in done.stdout
    assert "make demo PYTHON=python3.12" in done.stdout
    assert not (checkout / ".venv").exists()


def test_an_environment_younger_than_the_lock_is_taken_as_it_is(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    done = make(checkout, "install")
    assert done.returncode == 0
    assert "Installing" not in done.stdout


def test_a_lock_younger_than_the_environment_is_installed(checkout, old_python):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    newer = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / "requirements" / "all.txt", (newer, newer))
    # The old Python proves that it began to install, without installing.
    assert make(checkout, "install", f"PYTHON={old_python}").returncode != 0
