"""Sessions: what a shopper did lately, held in memory and rebuilt from the event log.

Imports the engine's types; knows nothing of HTTP.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
