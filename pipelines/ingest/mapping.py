"""What a shop calls its tables and columns, written in a small YAML file."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import polars as pl
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pipelines.errors import IngestError
from pipelines.ingest.cleaning import Notation
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


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


def _as_texts(value: Any) -> Any:
    """Names as texts; YAML reads `1` as a number."""
    if isinstance(value, list | tuple):
        return tuple(str(each) if isinstance(each, int) else each for each in value)
    return value


def _strptime_format(value: str) -> str:
    if not ({"%d", "%j", "%-d", "%e"} & _signs(value)) or not ({"%Y", "%y"} & _signs(value)):
        raise ValueError(
            f"expected day, month and year in the signs of strptime, such as %d.%m.%Y %H:%M, received {value}"
        )
    try:
        pl.Series([value]).str.to_datetime(value, strict=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a format in the signs of strptime, received {value}: {reason}") from error
    return value


def _signs(value: str) -> set[str]:
    return {value[index : index + 2] for index, sign in enumerate(value) if sign == "%"}


Separators = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=8)], ...], BeforeValidator(_as_tuple)
]
Names = Annotated[
    tuple[str, ...], BeforeValidator(_as_texts), BeforeValidator(_as_tuple), Field(min_length=1)
]


class Writing(BaseModel):
    """How values are written; said for the whole shop, or for one table, which counts more."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    decimal: Literal[".", ","] | None = None
    """Decimal mark of numbers; unset, it is found in each column."""

    day_first: bool | None = None
    """Whether `05/06/2024` is the fifth of June (true) or the sixth of May (false); unset, it is no time."""

    date_format: Annotated[str, AfterValidator(_strptime_format)] | None = None
    """Format of times that are not ISO 8601, in the signs of strptime."""

    separator: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    """What stands between the values of a line, such as `::`; unset, it is found in the header."""

    category_separator: Separators = ()
    """What stands between the levels of a category, one text or several, beside `>`."""

    category_list_separator: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    """What stands between several categories of one item, of which the deepest counts."""


class TableMapping(Writing):
    """How one of our tables is found in the shop's data."""

    origin: str | None = Field(default=None, alias="from")
    """Name of the shop's table, or a pattern of file names such as `orders-*.csv`."""

    header: bool | Names = True
    """Whether the first line of a file names its columns; false calls them `1`, `2` and so on, and a list
    names the columns of a file that has no such line."""

    columns: dict[str, Names] = {}
    """Our column -> the shop's column, or several, of which the first that has a value counts."""

    constants: dict[str, str | int | float | bool] = {}
    """Our column -> a value that all rows have, such as `event_type: purchase`."""

    scale: dict[str, float] = {}
    """Our column -> what to multiply its numbers by, such as `price: 0.01` for cents."""

    attributes: tuple[str, ...] = ()
    """Columns of the shop that become attributes `name:value`."""

    full: bool = False
    """Whether each ingest brings the whole catalogue, so that an item that is gone from it is no longer
    offered. Items only."""

    most_gone: float = Field(default=0.5, ge=0, le=1)
    """Share of the items on offer that a full catalogue may lack; one that lacks more is refused."""


EventTypes = dict[Annotated[str, AfterValidator(lambda name: name.strip().lower())], str | None]


class Mapping(Writing):
    """What a shop calls its tables and columns. Empty, it stands for the names of the contracts."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Zone of times without an offset."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """How the shop's CSV files write their characters."""

    look_back_days: float = Field(default=7, ge=0)
    """How far behind the watermark an incremental read starts, so that late rows are seen."""

    event_types: EventTypes = {}
    """The shop's event type, in small letters -> ours, which may be a new one; null leaves its events out."""

    tables: dict[Annotated[str, AfterValidator(_known_table)], TableMapping] = {}
    """Our table -> how it is found. Given, only these tables are read."""

    def of(self, table: str) -> TableMapping:
        """How `table` is found; by the names of its contract where nothing else is said."""
        return self.tables.get(table, TableMapping())

    def notation(self, table: str) -> Notation:
        """How the values of `table` are written."""
        told = self.of(table)
        said = {
            name: getattr(told if name in told.model_fields_set else self, name)
            for name in (
                "decimal",
                "day_first",
                "date_format",
                "category_separator",
                "category_list_separator",
            )
        }
        return Notation(timezone=self.timezone, event_types=self.event_types, scale=told.scale, **said)

    def separator_of(self, table: str | None) -> str | None:
        """What stands between the values of a line of the table's files; None where nothing is said."""
        return (None if table is None else self.of(table).separator) or self.separator

    @model_validator(mode="after")
    def _names_known_columns(self) -> Self:
        for table, told in self.tables.items():
            known = {column.name for column in TABLES[table]}
            for key in ("columns", "constants", "scale"):
                unknown = sorted(set(getattr(told, key)) - known)
                if unknown:
                    raise ValueError(
                        f"tables.{table}.{key}: unknown column {', '.join(unknown)}; {table} has "
                        f"{', '.join(sorted(known))}"
                    )
            if told.full and table != "items":
                raise ValueError(f"tables.{table}.full: expected only for items")
        return self


def load_mapping(path: Path) -> Mapping:
    """Read a mapping from a YAML file.

    Raises:
        IngestError: It cannot be read, or holds a key or a value that a mapping has not.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mapping.model_validate(content or {})
    except (OSError, UnicodeDecodeError) as error:
        raise IngestError(f"{path}: expected a mapping file that can be read, received: {error}") from error
    except yaml.YAMLError as error:
        raise IngestError(f"{path}: expected YAML, received something else: {error}") from error
    except ValidationError as error:
        raise IngestError(
            f"{path}: expected a mapping ({', '.join(Mapping.model_fields)}), received: "
            f"{'; '.join(_faults(error))}"
        ) from error


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        where = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            of = TableMapping if where.startswith("tables.") else Mapping
            known = (field.alias or name for name, field in of.model_fields.items())
            yield f"unknown key {where}; known are {', '.join(known)}"
        else:
            yield f"{where or 'file'}: {fault['msg'].removeprefix('Value error, ')}"
