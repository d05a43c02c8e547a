"""The feature catalogue: what every feature means, how fresh it is, and how its values are distributed.

Reads declarations and stored values; writes nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
