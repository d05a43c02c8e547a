"""From what a person types to the source that it means."""

from pathlib import Path

from pipelines.ingest.batch import Source, Window
from pipelines.ingest.mapping import Mapping
from pipelines.ingest.sources import (
    CompleteJourney,
    DatabaseAddress,
    EventLogFolder,
    Files,
    S3Objects,
    ShopDatabase,
    complete_journey,
    name_of,
)
from pipelines.ingest.watermarks import recall
from pipelines.lake import Lake
from pipelines.settings import Settings
from serving.events import announced_logs

DATABASES = ("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql")
EVENT_LOG = "event-log"


def addresses_of(address: str, settings: Settings) -> list[str]:
    """The sources that `address` names: `event-log` is every log that serving keeps on this machine."""
    if address != EVENT_LOG:
        return [address]
    return [EVENT_LOG, *(f"{EVENT_LOG}:{folder}" for folder in announced_logs(settings.home))]


def open_source(
    address: str, settings: Settings, lake: Lake, shop: Mapping, window: Window, *, full: bool
) -> Source:
    """The source that `address` names; `full` forgets how far it was read before.

    Raises:
        IngestError: There is no such source.
    """
    anew = full or not window.is_open
    scheme, _, _ = address.partition("://")
    if address == complete_journey.SOURCE:
        return CompleteJourney()
    if address == EVENT_LOG or address.startswith(f"{EVENT_LOG}:"):
        folder = Path(address.removeprefix(EVENT_LOG).removeprefix(":") or settings.event_log)
        known = {} if anew else recall(lake, name_of(folder))
        return EventLogFolder(folder, known, shop.event_types)
    if scheme in DATABASES:
        database = DatabaseAddress.parse(address)
        return ShopDatabase(database, shop, window, {} if anew else recall(lake, database.shown))
    if scheme == "s3":
        known = {} if anew else recall(lake, address.rstrip("/"))
        return S3Objects(address, settings, shop, known.get(""))
    return Files(Path(address.removeprefix("file://")), shop)
