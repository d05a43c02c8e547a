"""Backtests: models on a shop's own events, by published protocols, beside tuned baselines.

Owns `aisle backtest` and `aisle tune`. May import every earlier step and the engine of serving; a model never
sees the answers, which stay in `protocols`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
