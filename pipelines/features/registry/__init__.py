"""Feast's registry: declarations, differences between them, the build record and the write lock.

Opens Feast's stores for the rest of the room.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
