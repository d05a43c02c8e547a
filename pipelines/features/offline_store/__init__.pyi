from .latest_rows import NewestRows as NewestRows
from .sources import built_versions as built_versions
from .sources import scan_of as scan_of
from .store import AsofOfflineStore as AsofOfflineStore

__all__ = [
    "AsofOfflineStore",
    "NewestRows",
    "built_versions",
    "scan_of",
]
