"""Feature definitions as Ibis expressions over the lake, each value with the instant it was known from.

Pure expressions: no engine, no Feast, no files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
