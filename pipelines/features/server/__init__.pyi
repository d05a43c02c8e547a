from .cli import key as key
from .cli import serve as serve

__all__ = [
    "key",
    "serve",
]
