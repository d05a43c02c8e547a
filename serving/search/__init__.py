"""Full-text search over a release: index, text analysis, spelling, facets, and the search engine.

The only folder that imports tantivy; ranks by the engine.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
