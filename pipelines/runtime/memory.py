"""The most memory that this process has held."""

import contextlib
import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory that this process has held since its program began, in bytes.

    `ru_maxrss` alone will not do on Linux: whoever starts a process hands its own peak on to it, so that a
    small step of a large process would look as large.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
