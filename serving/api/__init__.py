"""The HTTP layer: requests, responses, middleware and problems.

Imports the domain below it; nothing below imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
