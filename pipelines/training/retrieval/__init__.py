"""The retrieval model: query tower, item tower, sequence mixers, sampled softmax, ensemble and export.

Imports `training.data` and `training.fit`; writes vectors and the query encoder into the bundle.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
