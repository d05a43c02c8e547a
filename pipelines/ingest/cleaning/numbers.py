"""Numbers as people write them: decimal commas, thousands separators, currencies.

Most values say themselves which of their marks is the decimal one: `12,50`, `1.234,50`, `1.234.567`. One mark
before exactly three digits (`1.299`) does not. Such a value is read as the other values of its column are
written; where these do not tell, as the other columns of the file; where nothing tells, it is refused.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from pipelines.ingest.cleaning.column_result import Normalised, Refused, as_text, readable_or_null

Mark = Literal[".", ","]

OBSERVED = 10_000
"""Values that are looked at for their decimal mark where all of them can be read without it."""

BY_COMMA_GROUPS = r"\d{1,3}(?:,\d{2,3})*,\d{3}"
"""`1,234` and `12,34,567`, as English and Indian shops group thousands."""

BY_POINT_GROUPS = r"\d{1,3}(?:\.\d{3})+"

AMBIGUOUS = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
"""`1.299`: a little more than one, or a little more than a thousand."""

TWO_READINGS = 'is ambiguous: its mark may group thousands; say in a mapping which one it is (`decimal: ","`)'

COMMA_DECIMAL = rf"^[+-]?(?:{BY_POINT_GROUPS},\d*|\d{{1,3}}(?:\.\d{{3}}){{2,}}|\d*,\d+|\d+,)$"
PLAIN = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
POINT_DECIMAL = rf"^[+-]?(?:{BY_COMMA_GROUPS}\.\d*|\d{{1,3}}(?:,\d{{2,3}})+,\d{{3}}|{PLAIN})$"

CURRENCY_CODES = (
    "AED|AFN|ALL|AMD|ANG|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|BYN|BZD|CAD|"
    "CDF|CHF|CLP|CNY|COP|CRC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|GBP|GEL|GHS|GIP|GMD|GNF|GTQ|"
    "GYD|HKD|HNL|HRK|HTG|HUF|IDR|ILS|INR|IQD|IRR|ISK|JMD|JOD|JPY|KES|KGS|KHR|KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|"
    "LKR|LRD|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|MXN|MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|"
    "PEN|PGK|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|RWF|SAR|SBD|SCR|SDG|SEK|SGD|SHP|SLE|SOS|SRD|SSP|STN|SVC|SYP|SZL|"
    "THB|TJS|TMT|TND|TOP|TRY|TTD|TWD|TZS|UAH|UGX|USD|UYU|UZS|VES|VND|VUV|WST|XAF|XCD|XOF|XPF|YER|ZAR|ZMW"
)
"""ISO 4217."""

CURRENCY = (
    rf"(?:(?i:US|CA|AU|NZ|HK|SG|NT|MX|R|C|A|S)?\p{{Sc}}|(?i:{CURRENCY_CODES})|"
    r"(?i:kr|zł|kč|ft|fr|lei|rs|tl|rm|rp|euro|元|円)\.?)"
)
NO_CENTS = r"[.,][-\x{2013}\x{2014}]{1,2}"
"""`12,-` is twelve."""

MONEY = (
    rf"^(?P<before>[+-]?\s*{CURRENCY}?)\s*(?P<number>[+-]?[\d.,]*\d[.,]?(?:[eE][+-]?\d+)?)"
    rf"(?:{NO_CENTS})?\s*(?P<after>{CURRENCY}?)$"
)
"""`€ 12,50`, `12.50 USD`, `CHF 12.-`."""

GROUP_GAP = r"(\d)[\s'\x{2019}](\d{3})"
"""`1 234,50` and `1'234.50`, as French and Swiss shops group thousands."""


@dataclass(slots=True)
class DecimalMarks:
    """Which decimal mark the number columns of one file have, as far as it has been read."""

    declared: Mark | None = None
    """What the mapping says; it counts before everything else."""

    fallback: Mark | None = None
    """What counts where no value tells: the comma in files separated by semicolons."""

    evidence: dict[str, Counter[str]] = field(default_factory=dict)
    """Column -> mark -> values that can only be read with it."""

    def observe(self, column: str, text: pl.Series) -> None:
        """Count the values of a text column that tell their decimal mark."""
        telling = text.filter(
            (text.str.contains(r"[.,]") & ~text.str.contains(AMBIGUOUS)).fill_null(value=False)
        )
        is_comma = telling.str.contains(COMMA_DECIMAL)
        is_point = telling.str.contains(POINT_DECIMAL) & ~is_comma
        counts = Counter({",": int(is_comma.sum()), ".": int(is_point.sum())})
        self.evidence[column] = self.evidence.get(column, Counter()) + counts

    def of(self, column: str) -> Mark | None:
        """The decimal mark of a column, None where it cannot be known."""
        if self.declared is not None:
            return self.declared
        if self.is_mixed(column):
            return None
        own = _only(self.evidence.get(column, Counter()))
        return own or _only(sum(self.evidence.values(), Counter())) or self.fallback

    def is_mixed(self, column: str) -> bool:
        """Whether some values of the column have a decimal comma and others a decimal point."""
        return len(+self.evidence.get(column, Counter())) > 1


def _only(counts: Counter[str]) -> Mark | None:
    marks: list[Mark] = [mark for mark in (".", ",") if counts[mark]]
    return marks[0] if len(marks) == 1 else None


@dataclass(frozen=True, slots=True)
class WrittenNumbers:
    """A text column on its way to numbers, before its decimal mark is known."""

    text: pl.Series
    """Trimmed text, null where there is no value."""

    plain: pl.Series | None
    """The numbers, where all of them can be read without knowing the decimal mark."""

    written: pl.Series
    """The text without currencies and without blanks between digits."""

    steps: Counter[str]
    """What was taken off."""


def observed(column: pl.Series, marks: DecimalMarks, name: str, *, money: bool = False) -> WrittenNumbers:
    """The text of a number column, whose decimal marks are added to those of the file.

    Args:
        column: Text.
        marks: The decimal marks of the file.
        name: What the column is called in `marks`.
        money: Whether a currency may stand beside a number.
    """
    text = as_text(column)
    numbers = text.cast(pl.Float64, strict=False)
    is_plain = numbers.is_finite().fill_null(value=False) | text.is_null()
    if is_plain.all() and not text.str.contains(AMBIGUOUS).any():
        marks.observe(name, text.head(OBSERVED))
        return WrittenNumbers(text, numbers, text, Counter())
    written, steps = _bare(text, money=money)
    marks.observe(name, written)
    return WrittenNumbers(text, None, written, steps)


def _bare(text: pl.Series, *, money: bool) -> tuple[pl.Series, Counter[str]]:
    """Text without currencies and without blanks between digits, and what was taken off."""
    steps: Counter[str] = Counter()
    is_odd = text.str.contains(rf"[^\d.,eE+\-]|{NO_CENTS}").fill_null(value=False)
    if not is_odd.any():
        return text, steps
    bare = text.filter(is_odd)
    for _ in range(2):  # neighbouring groups share a digit: 1 2 345
        bare = bare.str.replace_all(GROUP_GAP, "$1$2")
    if money:
        parts = bare.str.extract_groups(MONEY).struct.unnest()
        minus = pl.when(pl.col("before").str.contains("-", literal=True)).then(pl.lit("-"))
        number = parts.select(pl.concat_str(minus.otherwise(pl.lit("")), "number")).to_series()
        bare = number.zip_with(number.is_not_null(), bare)
        named = pl.concat([parts["before"], parts["after"]]).str.strip_chars("+-. ").str.to_uppercase()
        for currency, count in named.filter(named != "").value_counts().iter_rows():  # a handful
            steps[f"currencies taken off: {currency}"] = count
    return text.scatter(is_odd.arg_true(), bare), steps


def read_numbers(written: WrittenNumbers, marks: DecimalMarks, name: str) -> Normalised:
    """Numbers as 64-bit floats.

    Args:
        written: The column, as `observed` returned it.
        marks: The decimal marks of the file.
        name: What the column is called in `marks`.

    Returns:
        The numbers; those that can be read in two ways are refused.
    """
    if written.plain is not None:
        return readable_or_null(written.text, written.plain)
    mark = marks.of(name)
    value = pl.col("written")
    as_comma = value.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    as_point = value.str.replace_all(",", "", literal=True)
    is_ambiguous = value.str.contains(AMBIGUOUS)
    readings = {",": as_comma, ".": as_point, None: pl.lit(None, pl.String)}
    frame = pl.DataFrame({"written": written.written}).select(
        number=pl.when(is_ambiguous)
        .then(readings[mark])
        .when(value.str.contains(COMMA_DECIMAL))
        .then(as_comma)
        .when(value.str.contains(POINT_DECIMAL))
        .then(as_point),
        ambiguous=is_ambiguous.fill_null(value=False) & (mark is None),
        separated=value.str.contains(r",|\..*\."),
    )
    numbers = frame["number"].cast(pl.Float64, strict=False)
    numbers = numbers.set(~numbers.is_finite().fill_null(value=True), None)
    steps = written.steps + Counter(
        {"numbers with separators read": int((frame["separated"] & numbers.is_not_null()).sum() or 0)}
    )
    read = readable_or_null(written.text, numbers, steps)
    return replace(
        read,
        unreadable=read.unreadable & ~frame["ambiguous"],
        refused=(Refused(frame["ambiguous"], TWO_READINGS, costs_row=True),),
        warnings=tuple(_warnings(marks, name, steps)),
    )


def _warnings(marks: DecimalMarks, name: str, steps: Counter[str]) -> Iterator[str]:
    if marks.is_mixed(name) and marks.declared is None:
        counts = marks.evidence[name]
        yield (
            f"{counts[',']:,} values have a decimal comma and {counts['.']:,} a decimal point; one such as "
            '1.299 is refused. Say which mark it is in a mapping (`decimal: ","`)'
        )
    currencies = sorted(step.rpartition(" ")[2] for step in steps if step.startswith("currencies"))
    if len(currencies) > 1:
        yield f"prices in several currencies, none of them converted: {', '.join(currencies)}"
