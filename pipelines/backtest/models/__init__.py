"""The models that a backtest compares: baselines, Aisle's own, and the cost model that sizes its training.

Imports `training`; a model receives a `ModelSplit` and returns top-k lists.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
