"""Releases as serving sees them: following the registry, verifying, caching, swapping.

The only folder of serving that imports MLflow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
