"""The storefront: one page that shows a shop through a shopper's eyes, served as plain files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
