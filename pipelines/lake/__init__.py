"""The lake: versioned Delta tables of what the shop told us, and of the features made from it.

The one place that imports `deltalake`.
"""

from pipelines.lake.schemas import SCHEMAS
from pipelines.lake.tables import Lake, open_lake

__all__ = ["SCHEMAS", "Lake", "open_lake"]
