"""The release bundle: the one place that defines its format, and both writes and reads it.

A bundle is a directory: items and their arrays, encoders and ranker as LiteRT graphs, the text index, the
report and a signed manifest. Nothing in it is executed by being loaded: no pickle, no code.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
