from .cli import key as key
from .cli import serve as serve
from .cli import ui as ui

__all__ = [
    "key",
    "serve",
    "ui",
]
