"""What a shop calls its tables and columns, written in a small YAML file."""

import codecs
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import IngestError
from pipelines.ingest.columns import TABLES


def _known_table(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"expected one of {', '.join(TABLES)}, received {name}")
    return name


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"expected a zone such as Europe/Berlin, received {name}") from error
    return name


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise ValueError(f"expected an encoding such as windows-1252, received {name}") from error


class TableMapping(BaseModel):
    """How one of our tables is found in the shop's data."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    origin: str | None = Field(default=None, alias="from")
    """Name of the shop's table, or a pattern of file names such as `orders-*.csv`."""

    columns: dict[str, str] = {}
    """Our column -> the shop's column."""

    constants: dict[str, str | int | float | bool] = {}
    """Our column -> a value that all rows have, such as `event_type: purchase`."""

    scale: dict[str, float] = {}
    """Our column -> what to multiply its numbers by, such as `price: 0.01` for cents."""

    attributes: tuple[str, ...] = ()
    """Columns of the shop that become attributes `name:value`."""


class Mapping(BaseModel):
    """What a shop calls its tables and columns. Empty, it stands for the names of the contracts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Zone of times without an offset."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """How the shop's CSV files write their characters."""

    look_back_days: float = Field(default=7, ge=0)
    """How far behind the watermark an incremental read starts, so that late rows are seen."""

    event_types: dict[str, str] = {}
    """The shop's event type, in small letters -> ours; ours may be a new one."""

    tables: dict[Annotated[str, AfterValidator(_known_table)], TableMapping] = {}
    """Our table -> how it is found. Given, only these tables are read."""

    def of(self, table: str) -> TableMapping:
        """How `table` is found; by the names of its contract where nothing else is said."""
        return self.tables.get(table, TableMapping())


def load_mapping(path: Path) -> Mapping:
    """Read a mapping from a YAML file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mapping.model_validate(content or {})
    except (OSError, UnicodeDecodeError) as error:
        raise IngestError(f"{path}: expected a mapping file that can be read, received: {error}") from error
    except yaml.YAMLError as error:
        raise IngestError(f"{path}: expected YAML, received something else: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise IngestError(
            f"{path}: expected a mapping ({', '.join(Mapping.model_fields)}), received: {faults}"
        ) from error
