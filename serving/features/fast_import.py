"""Lets Feast be imported in three seconds instead of eight."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_one_at_a_time = threading.RLock()


@contextmanager
def typeguard_disabled() -> Iterator[None]:
    """Keep typeguard from rewriting Feast's classes while they are imported; that takes five seconds.

    Feast is imported by our own door to it, and by MLflow's client with its first request over HTTP: Feast
    adds a header to those.
    """
    with _one_at_a_time:
        typeguard: Any = importlib.import_module("typeguard")
        checked = typeguard.typechecked
        typeguard.typechecked = lambda target=None, **_: target if target is not None else lambda inner: inner
        try:
            yield
        finally:
            typeguard.typechecked = checked
