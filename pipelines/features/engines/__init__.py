"""Engines that compute feature expressions: DuckDB on one machine, Spark on many.

An engine knows Ibis and its backend, and nothing of features.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
