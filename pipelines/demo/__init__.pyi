from .cli import demo as demo

__all__ = [
    "demo",
]
