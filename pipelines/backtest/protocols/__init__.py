"""Protocols: where the cutoff lies, what models may know, and the ground truth kept apart.

One module for each protocol, named in `registry`. Imports `data` and `evaluation`; knows no model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
