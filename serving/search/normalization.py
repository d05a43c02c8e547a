"""One form for all texts: what a catalogue says and what a shopper types are brought to it alike."""

import html
import re
import unicodedata

MAX_CHARACTERS = 200
"""Of what a shopper types; the rest is not read."""

MAX_CATALOGUE_CHARACTERS = 20_000
"""Of one text of the catalogue; the rest is not searched."""

UNITS = {
    "mm": (1, "mm"), "cm": (10, "mm"), "m": (1_000, "mm"),
    "ml": (1, "ml"), "cl": (10, "ml"), "dl": (100, "ml"), "l": (1_000, "ml"), "ltr": (1_000, "ml"),
    "liter": (1_000, "ml"), "litre": (1_000, "ml"), "liters": (1_000, "ml"), "litres": (1_000, "ml"),
    "mg": (0.001, "g"), "g": (1, "g"), "gr": (1, "g"), "kg": (1_000, "g"), "kgs": (1_000, "g"),
    "oz": (1, "oz"), "ounce": (1, "oz"), "ounces": (1, "oz"),
    "lb": (1, "lb"), "lbs": (1, "lb"), "pound": (1, "lb"), "pounds": (1, "lb"),
    "in": (1, "in"), "inch": (1, "in"), "inches": (1, "in"), "ft": (1, "ft"),
    "mb": (1, "mb"), "gb": (1_000, "mb"), "tb": (1_000_000, "mb"),
    "w": (1, "w"), "kw": (1_000, "w"), "v": (1, "v"), "mah": (1, "mah"), "hz": (1, "hz"), "pt": (1, "pt"),
    "ct": (1, "ct"), "pk": (1, "ct"), "pack": (1, "ct"), "pcs": (1, "ct"),
}  # fmt: skip
"""Units as they are written, each as so many of the unit that it is compared in."""

_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]{0,500}|!--.{0,500}?--)>", re.DOTALL)
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_QUANTITY = re.compile(rf"(?<![\w.,])(\d{{1,9}}(?:[.,]\d{{1,4}})?)[ \-]?({_UNIT})(?![\w])", re.IGNORECASE)
_NO_CODE = re.compile(r"[\W_]+")


def cleaned(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Text in one Unicode form, of bounded length, in which everything can be seen.

    Accents are composed and wide characters narrow (NFKC); invisible characters, such as soft hyphens and
    zero-width joiners, are gone; control characters and lone surrogates are blanks.
    """
    composed = unicodedata.normalize("NFKC", text[: 2 * limit])
    if not composed.isascii() or not composed.isprintable():
        composed = "".join(map(_seen, composed))
    return " ".join(composed.split())[:limit].strip()


def catalogue_text(text: str) -> str:
    """A text of the catalogue in the same form, without entities and markup."""
    plain = text[: 2 * MAX_CATALOGUE_CHARACTERS]
    if "<" in plain:
        plain = _TAG.sub(" ", plain)
    if "&" in plain:
        plain = html.unescape(plain)
    return cleaned(plain, MAX_CATALOGUE_CHARACTERS)


def quantities(text: str) -> list[str]:
    """Numbers with their units as one word each, so that `0.5 l`, `0,5L` and `500ml` are the same."""
    return [_quantity(number, unit) for number, unit in _QUANTITY.findall(text)]


def without_quantities(text: str) -> str:
    """The text less its numbers with units."""
    return _QUANTITY.sub(" ", text)


def code_of(text: str) -> str:
    """An id or part number without its punctuation, blanks and case: `AB-12/3` as `ab123`."""
    return _NO_CODE.sub("", text).casefold()


def part_numbers(text: str) -> list[str]:
    """Codes of the words of a text that hold a digit, such as `WH-1000XM4`."""
    words = (word for word in text.split() if any(map(str.isdigit, word)))
    return [code for word in words if len(code := code_of(word)) >= 2]


def _quantity(number: str, unit: str) -> str:
    factor, base = UNITS[unit.lower()]
    amount = f"{float(number.replace(',', '.')) * factor:.6g}".replace(".", "p").replace("+", "")
    return f"{amount}{base}"


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category.startswith("C") else character
