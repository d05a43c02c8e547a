"""Releases: evaluation, the gate, sealing, registration, promotion.

Owns the steps of retraining as the DAG runs them, and `aisle train`, `evaluate` and `release`. Imports every
earlier step, and serving's bundle and engine, so that a release is measured by the code that serves it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
