"""Reports of a backtest: the JSON document and the HTML page.

Imports `evaluation` for plots; computes nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
