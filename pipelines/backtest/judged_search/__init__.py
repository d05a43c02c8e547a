"""The search protocol: judged search queries, the rankings measured on them, their document and page.

Imports `serving.search`; apart from ranking for users, since its requests are texts and its answers judged.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
