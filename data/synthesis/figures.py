"""Numbers as people write them: digits, commas, words, fractions, percentages, 'twice', 'a dozen'."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from data.synthesis.marks import mark

__all__ = ["Figure", "Style", "spelled", "written"]

Style = Literal["count", "amount", "money", "share", "factor", "plain"]

_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SHARES: Final = {
    Fraction(1, 2): ("half",),
    Fraction(1, 3): ("a third", "one third", "one-third", "1/3"),
    Fraction(2, 3): ("two thirds", "two-thirds", "2/3"),
    Fraction(1, 4): ("a quarter", "one quarter", "one-fourth", "1/4"),
    Fraction(3, 4): ("three quarters", "three-quarters", "3/4"),
    Fraction(1, 5): ("a fifth", "one fifth", "1/5"),
    Fraction(2, 5): ("two fifths", "2/5"),
    Fraction(1, 10): ("a tenth", "one tenth"),
}
_FACTORS: Final = {
    Fraction(2): ("twice", "twice", "two times", "2 times"),
    Fraction(3): ("three times", "3 times"),
    Fraction(3, 2): ("1.5 times", "one and a half times"),
    Fraction(1, 2): ("half",),
    Fraction(1, 3): ("a third", "one third"),
    Fraction(1, 4): ("a quarter", "one quarter"),
    Fraction(2, 3): ("two thirds",),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a problem that its text will say: what it stands for, and how it may be written.

    `keys` name statement and field (`c1.limit`), several where one number serves several statements.
    """

    value: Fraction
    keys: tuple[str, ...]
    style: Style = "amount"


def spelled(value: int) -> str:
    """A whole number from 0 to 999,999 in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10 - 2] + (f"-{_ONES[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = f" and {spelled(value % 100)}" if value % 100 else ""
        return f"{_ONES[value // 100]} hundred{rest}"
    return f"{spelled(value // 1000)} thousand" + (f" {spelled(value % 1000)}" if value % 1000 else "")


def _digits(value: Fraction, rng: random.Random, *, commas: float) -> tuple[str, str]:
    if value.denominator == 1:
        if abs(value) >= 1000 and rng.random() < commas:
            return f"{value.numerator:,}", "commas"
        return str(value.numerator), "digits"
    if (value * 1000).denominator != 1:
        return f"{value.numerator}/{value.denominator}", "fraction"
    return f"{float(value):.3f}".rstrip("0"), "decimal"


def _count(value: Fraction, rng: random.Random) -> tuple[str, str]:
    luck = rng.random()
    if value.denominator == 1:
        whole = int(value)
        if whole in (12, 24, 36) and luck < 0.15:
            return ("a" if whole == 12 else spelled(whole // 12)) + " dozen", "dozen"
        if 2 <= whole <= 12 and luck < 0.22:
            return spelled(whole), "words"
        if 12 < whole <= 100 and luck < 0.06:
            return spelled(whole), "words"
        if whole >= 100 and whole % 100 == 0 and whole < 1_000_000 and luck < 0.02:
            return spelled(whole), "words"
    return _digits(value, rng, commas=0.5)


def _amount(value: Fraction, rng: random.Random) -> tuple[str, str]:
    if value == 1:
        return ("one", "words") if rng.random() < 0.15 else ("1", "digits")
    if value.denominator == 1 and 2 <= value <= 10 and rng.random() < 0.07:
        return spelled(int(value)), "words"
    return _digits(value, rng, commas=0.5)


def _money(value: Fraction, rng: random.Random) -> tuple[str, str]:
    luck = rng.random()
    if value >= 1_000_000 and (value / 100_000).denominator == 1 and luck < 0.4:
        return f"{_digits(value / 1_000_000, rng, commas=0)[0]} million", "million"
    if value < 1 and luck < 0.2 and (value * 100).denominator == 1:
        return f"{int(value * 100)} cents", "cents"
    if value.denominator == 1:
        return _digits(value, rng, commas=0.6)
    return f"{float(value):,.2f}" if luck < 0.5 else _digits(value, rng, commas=0)[0], "decimal"


def _share(value: Fraction, rng: random.Random) -> tuple[str, str]:
    percent = value * 100
    known = _SHARES.get(value, ())
    if known and (percent.denominator != 1 or rng.random() < 0.45):
        return rng.choice(known), "fraction"
    digits, _ = _digits(percent, rng, commas=0)
    luck = rng.random()
    if luck < 0.08 and percent.denominator == 1:
        return f"{spelled(int(percent))} percent", "percent words"
    return (f"{digits} percent" if luck < 0.2 else f"{digits}%"), "percent"


def _factor(value: Fraction, rng: random.Random) -> tuple[str, str]:
    known = _FACTORS.get(value)
    if known:
        return rng.choice(known), "multiple"
    if value.denominator == 1 and value <= 12 and rng.random() < 0.5:
        return f"{spelled(int(value))} times", "multiple"
    return f"{_digits(value, rng, commas=0)[0]} times", "multiple"


def _plain(value: Fraction, rng: random.Random) -> tuple[str, str]:
    return _digits(value, rng, commas=0)


_WRITERS: Final[dict[str, Callable[[Fraction, random.Random], tuple[str, str]]]] = {
    "count": _count,
    "amount": _amount,
    "money": _money,
    "share": _share,
    "factor": _factor,
    "plain": _plain,
}


def written(figure: Figure, rng: random.Random, *, plainly: bool = False) -> tuple[str, str]:
    """The marked text of a number, and the name of its form. `plainly` writes digits wherever digits do."""
    style = figure.style
    if plainly and style in ("count", "amount"):
        style = "plain"
    text, form = _WRITERS[style](figure.value, rng)
    if style == "factor" and text.endswith(" times"):
        return f"{mark(text.removesuffix(' times'), *figure.keys)} times", form
    marked = mark(text, *figure.keys)
    if style != "money" or form == "cents":
        return marked, form
    luck = rng.random()
    return (marked + " dollars" if luck < 0.08 else f"USD {marked}" if luck < 0.1 else f"${marked}"), form
