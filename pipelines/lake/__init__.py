"""The lake: versioned Delta tables of what the shop told us, and of the features made from it.

The one place that imports `deltalake`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
