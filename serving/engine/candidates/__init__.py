"""Candidate sources and their merge: which items a list may hold, for all users at once.

One module for each source, registered in one place. Imports the bundle and the user batch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
