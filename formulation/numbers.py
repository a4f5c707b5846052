"""Exact numbers that keep the text they were written as: '1/3', '33%', '1,000', 0.1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

__all__ = ["Number", "Rational", "decimal_text", "exact", "number", "to_float"]

Rational = int | Fraction
"""What exact arithmetic runs on: an int where the value is whole (much faster), else a Fraction."""

_TEXT: Final = re.compile(
    r"(?P<sign>[-+]?)\s*(?:(?P<whole>\d{1,3}(?:,\d{3})+|\d+)?(?P<part>\.\d*)?(?:[eE](?P<power>[-+]?\d{1,4}))?)"
    r"(?:\s*/\s*(?P<below>\d+))?\s*(?P<percent>%)?",
    re.ASCII,
)
# More is a mistake or an attack, not data.
_MOST_DIGITS: Final = 400  # of a power of ten
_MOST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational, and its source text where that says more than the value.

    In JSON and YAML a number is written as a number, or as a string where only a string is exact ("1/3", "33%").
    Equality is of values: 0.5, "1/2" and "50%" are equal numbers.
    """

    value: Fraction
    text: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return self.text if self.text is not None else decimal_text(self.value)

    @property
    def rational(self) -> Rational:
        """The value, as an int where it is whole."""
        return exact(self.value)

    def plain(self) -> int | float | str:
        """The value for JSON and YAML: its text if any, else a number that reads back exactly, else a string."""
        if self.text is not None:
            return self.text
        if self.value.denominator == 1:
            return int(self.value)
        text = decimal_text(self.value)
        return text if "/" in text or Fraction(repr(float(text))) != self.value else float(text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            number, serialization=core_schema.plain_serializer_function_ser_schema(lambda x: x.plain())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"type": "string"}]}


def number(given: Any) -> Number:
    """A number from an int, a finite float (its shortest decimal), a Decimal, a Fraction, or text.

    Raises ValueError that says what may be written.
    """
    if isinstance(given, Number):
        return given
    if isinstance(given, bool):
        raise ValueError(f"{given} is no number")
    if isinstance(given, int | Fraction):
        return Number(Fraction(given))
    if isinstance(given, str):
        return _read(given)
    if isinstance(given, Decimal):
        if not given.is_finite() or abs(given.adjusted()) > _MOST_DIGITS:
            raise ValueError(f"{given} is no finite number")
        return Number(Fraction(given))
    if hasattr(given, "item"):  # a NumPy scalar
        return number(given.item())
    if isinstance(given, float):
        if given != given or given in (float("inf"), float("-inf")):
            raise ValueError(f"{given} is no finite number; leave a bound out where there is none")
        return Number(Fraction(repr(given)))
    raise ValueError(f"a {type(given).__name__} is no number")


def _read(text: str) -> Number:
    found = _TEXT.fullmatch(text.strip()) if len(text) <= _MOST_TEXT else None
    if found is None or not (found["whole"] or (found["part"] or ".") != "."):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(f"'{shown}' is no number: write it like 12, 0.5, 1/3, 33% or 1,000")
    if found["power"] and abs(int(found["power"])) > _MOST_DIGITS:
        raise ValueError(f"'{text}' is too large or too small to be a number of a model")
    value = Fraction(
        f"{found['sign']}{(found['whole'] or '0').replace(',', '')}{found['part'] or ''}"
        + (f"e{found['power']}" if found["power"] else "")
    )
    if found["below"] is not None:
        if int(found["below"]) == 0:
            raise ValueError(f"'{text}' divides by zero")
        value /= int(found["below"])
    if found["percent"]:
        value /= 100
    kept = text.strip()
    return Number(value, None if kept == decimal_text(value) else kept)


def exact(value: Fraction | int) -> Rational:
    """The same value, as an int where it is whole."""
    return value.numerator if value.denominator == 1 else value


def to_float(value: Rational) -> float:
    """The nearest double. Raises ValueError where it has none."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{str(value)[:20]}... is too large for a solver: choose another unit") from None


def decimal_text(value: Rational) -> str:
    """A finite decimal such as `0.125`, or `1/3` where there is none of 15 digits or fewer."""
    if value.denominator == 1:
        return str(value.numerator)
    below, twos, fives = value.denominator, 0, 0
    while below % 2 == 0:
        below, twos = below // 2, twos + 1
    while below % 5 == 0:
        below, fives = below // 5, fives + 1
    places = max(twos, fives)
    if below != 1 or places > 15:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
