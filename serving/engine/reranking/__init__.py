"""Re-ranking: the last order of a list, by a module for each rule.

Imports the purchase history and the bundle; a rule sees ranked items and returns an order.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
