"""How a shop writes its values: decimal marks, times, categories."""

from dataclasses import dataclass, field

from pipelines.ingest.cleaning.numbers import DecimalMarks, Mark


@dataclass(frozen=True, slots=True)
class Notation:
    """How the values of a table are written; what is None is found in the values, or not guessed at."""

    decimal: Mark | None = None
    """Decimal mark of numbers."""

    timezone: str = "UTC"
    """Zone of times without an offset."""

    day_first: bool | None = None
    """Whether `05/06/2024` is the fifth of June; None does not read such times."""

    date_format: str | None = None
    """Format of times in the signs of strptime, such as `%d.%m.%Y %H:%M`."""

    category_separator: tuple[str, ...] = ()
    """What stands between the levels of a category, beside `>`."""

    category_list_separator: str | None = None
    """What stands between several categories of one item; the deepest of them counts."""

    event_types: dict[str, str | None] = field(default_factory=dict)
    """The shop's event type, in small letters -> ours; None leaves its events out."""

    own_event_types: bool = True
    """Whether event types are brought to small letters and to the names of the contract."""

    scale: dict[str, float] = field(default_factory=dict)
    """Columns whose numbers are multiplied, such as prices that come in cents."""

    def marks(self, fallback: Mark | None = None) -> DecimalMarks:
        """The decimal marks of one file, before its values were seen."""
        return DecimalMarks(self.decimal, fallback)
