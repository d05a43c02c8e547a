"""The field that a release must beat: models from counts to matrix factorisation, behind one interface."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
