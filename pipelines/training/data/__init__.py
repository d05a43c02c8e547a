"""Training data as arrays: interactions, histories, item codes, user snapshots, and the splits of models.

Imports lake and features; knows no model and no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
