"""Explanations: why an item is in a list, as codes, facts and sentences in each language.

Reads the engine's results; the engine never reads it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
