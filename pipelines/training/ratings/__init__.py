"""Predicting ratings: biases, regression, neighbourhoods, SVD++ and their blend, cross-validated."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
