"""Evaluation: windows of time, truth, metrics with intervals, slices, and the report.

Everything here is numpy over whole arrays and knows nothing of models: lists of item indices and the events
that followed go in, figures come out. `evaluate` joins the parts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
