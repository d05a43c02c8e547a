"""Feast's offline store by point-in-time joins: rows out = rows in, nothing from the future.

Implements Feast's extension point over Delta tables; knows nothing of how features are computed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
