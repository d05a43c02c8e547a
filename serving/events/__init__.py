"""Events of shoppers: their schema, intake, and the durable log.

An acknowledged event is on disk. Knows nothing of HTTP.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
