"""Taking shop data in: read a source, clean it, hold it to its contract, and store what is new."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
