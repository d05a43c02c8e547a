"""Writing and reading the online store: materialization into SQLite or Redis, and look-ups.

The formats of rows belong to `serving.features.online_store`, which this folder writes for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
