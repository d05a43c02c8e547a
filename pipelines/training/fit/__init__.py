"""Fitting, shared by all models: early stopping, paired tests, prefetching, layers, LiteRT export.

Knows no particular model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
