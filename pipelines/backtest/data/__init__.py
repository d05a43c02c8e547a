"""The input of a backtest: reading a folder, its columns, and events as arrays.

Imports `training.data` for the shared event reader; knows no protocol and no model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
