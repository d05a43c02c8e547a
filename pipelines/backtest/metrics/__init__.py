"""Metrics of a backtest: ranking metrics with intervals, in total and by slice.

Imports `evaluation`; knows neither models nor files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
