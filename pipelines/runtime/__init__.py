"""How steps run: processes of their own, threads, memory, and the console.

Imports settings and errors alone; every step may use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
