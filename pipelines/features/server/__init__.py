"""The feature server for other teams: HTTP look-ups behind API keys or an identity provider.

Owns `aisle features serve` and the keys. Judges permissions by code.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
