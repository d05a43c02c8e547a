"""The recommendation engine: arrays in, arrays out, over one bundle.

Numpy, LiteRT and pyarrow only: no HTTP, no texts, no clock. Training, evaluation and serving all run it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
