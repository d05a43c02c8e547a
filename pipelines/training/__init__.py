"""Training: the training set, retrieval, ranking, baselines and rating models.

The only folder that imports TensorFlow. Imports `features`, `evaluation`, `lake`, and serving's bundle and
engine, whose arrays it fills.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
