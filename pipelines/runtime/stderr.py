"""Holding back what libraries print while they are loaded."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


@contextmanager
def stderr_on_error_only() -> Iterator[None]:
    """Keep what anything in this process writes to stderr, and show it only if what is inside raises."""
    sys.stderr.flush()
    shown = os.dup(STDERR)
    with tempfile.TemporaryFile() as kept, os.fdopen(shown, "wb") as stderr:
        os.dup2(kept.fileno(), STDERR)
        try:
            yield
        except BaseException:
            kept.seek(0)
            shutil.copyfileobj(kept, stderr)
            raise
        finally:
            sys.stderr.flush()
            stderr.flush()
            os.dup2(stderr.fileno(), STDERR)
