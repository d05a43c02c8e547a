"""The online store's formats: SQLite rows, Redis hashes, and responses, for Feast's extension point.

`pipelines.features.online_store` writes what this folder reads.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
