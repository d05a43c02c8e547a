"""Features of users at request time, from Feast's online store.

Expired values are left out here, since Feast keeps serving them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
