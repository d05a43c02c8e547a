"""The feature store: features from the lake, point-in-time joins, the online store, and the server for teams.

Owns Feast's registry, both stores and `aisle features`. Imports `lake`, `ingest` for event types, and the
declarations of `feature_repo`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
