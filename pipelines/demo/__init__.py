"""The whole loop on real shop data, on this machine: what `make demo` runs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
