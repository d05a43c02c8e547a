"""How many requests serving answers, how soon, and at what cost: open-loop load on a release of any size."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
