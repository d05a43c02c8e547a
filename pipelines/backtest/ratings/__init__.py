"""The ratings protocol: cross-validated rating prediction, its document and its page.

Imports `training.ratings`; apart from ranking, since it predicts values and not lists.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
