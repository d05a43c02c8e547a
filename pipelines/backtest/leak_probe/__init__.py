"""The leak probe: change everything after the cutoff and check that no list changes.

Imports protocols and models of backtests; nothing imports it but the runs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
