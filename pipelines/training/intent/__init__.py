"""Intent: a model of the running session, learned from the shop's own: whether it buys, and what.

Imports the engine's inputs, so that training and serving compute the same numbers; evaluation's measures;
and the data of a training. Nothing of retrieval and ranking.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
