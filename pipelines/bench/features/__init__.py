"""The feature store beside Feast's own stores, and feature building beside pandas."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
