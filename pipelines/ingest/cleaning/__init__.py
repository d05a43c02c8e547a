"""Cleaning: every column is brought to the type of its contract, and every change is counted.

Knows columns and types only; neither sources nor the lake.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
