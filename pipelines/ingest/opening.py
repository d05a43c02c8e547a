"""From what a person types to the source that it means."""

from pipelines.ingest.batch import Source, Window
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.sources.complete_journey import CompleteJourney
from pipelines.lake import Lake
from pipelines.settings import Settings


def open_source(
    address: str, settings: Settings, lake: Lake, shop: Mapping, window: Window, *, full: bool
) -> Source:
    """The source that `address` names. Raises `IngestError` when there is none."""
    return CompleteJourney()
