"""Intent: how probable a purchase in the running session is, and of what, from the user's last events.

Arrays in, arrays out: imports the engine's user arrays and the bundle, knows no texts and no HTTP.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
