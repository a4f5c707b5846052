"""Another number in the place of a number of a text, in its own written form: 30% stays percent, twice stays words."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from typing import Final

from data.mentions import spell
from formulation.quantities import quantity

__all__ = ["renumbered"]

_FIGURES: Final = re.compile(r"(?P<number>[\d,]*\.?\d+)(?P<rest>(?:\s*%|[ -][a-z ]+)?)", re.IGNORECASE)
_RATIO: Final = re.compile(r"\d+/\d+")
_RATIOS: Final = ("1/2", "1/3", "1/4", "1/5", "2/3", "3/4", "2/5")
_TIMES: Final = ("three", "four", "five")
_WORDS: Final = (
    ("double", "triple"),
    ("two thirds", "three quarters", "two fifths", "three fifths"),
    ("two-thirds", "three-quarters", "two-fifths", "three-fifths"),
    ("a dozen", "two dozen", "three dozen"),
)
"""Words of which each may stand for each other."""
_PARTS: Final = ("third", "quarter", "fifth")
_PART: Final = re.compile(rf"(?P<head>a|one)(?P<joint>[ -])(?P<part>half|fourth|{'|'.join(_PARTS)})")
_FEW: Final = 9  # numbers up to this one are drawn from 2 up to it
_JITTER: Final = (0.85, 1.2)  # how far numbers of one text part from its scale
_MOST_PERCENT: Final = 95


def renumbered(written: str, scale: float, rng: random.Random) -> str | None:
    """A number written like `written`, about `scale` times as large; None where it is 0 or 1 or of no known form.

    Behind a new number for 'twice' the word 'times' has to follow.
    """
    found = _renumbered(written.lower(), scale, rng)
    return found.capitalize() if found is not None and written[0].isupper() else found


def _renumbered(written: str, scale: float, rng: random.Random) -> str | None:
    figures = _FIGURES.fullmatch(written)
    if figures is not None:
        percent = re.search("%|percent", figures["rest"]) is not None
        new = _figures(figures["number"], scale, rng, percent=percent)
        return None if new is None else new + figures["rest"]
    if _RATIO.fullmatch(written):
        return _other(_RATIOS, written, rng)
    for words in _WORDS:
        if written in words:
            return _other(words, written, rng)
    if written in ("twice", "thrice"):
        return _other(_TIMES, "three" if written == "thrice" else "", rng)
    if written == "half":
        return rng.choice(("half", "a third", "a quarter"))
    part = _PART.fullmatch(written)
    if part is not None:
        return f"{part['head']}{part['joint']}{_other(_PARTS, part['part'], rng)}"
    value = quantity(written).value
    return spell(Fraction(_whole(value.numerator, scale, rng))) if spell(value) == written else None


def _other(words: tuple[str, ...], given: str, rng: random.Random) -> str:
    return rng.choice([word for word in words if word != given])


def _figures(given: str, scale: float, rng: random.Random, *, percent: bool) -> str | None:
    """Digits with as many decimals as `given` has, and its commas."""
    whole, point, decimals = given.partition(".")
    one = 10 ** len(decimals)
    count = int((whole + decimals).replace(",", ""))
    if count in (0, one):
        return None
    new = _whole(count, scale, rng)
    if percent and count < 100 * one:
        new = min(new, _MOST_PERCENT * one)
    if not point:
        return f"{new:,}" if "," in given else str(new)
    # Behind a 1 its noun would stand in the singular; 2.0 is written where prices are, not for hours.
    new += new == one or (new % 10 == 0 and not given.endswith("0"))
    digits = str(new).rjust(len(decimals) + 1, "0")
    left = digits[: -len(decimals)]
    if "," in given:
        left = f"{int(left):,}"
    return f"{left if whole else ''}.{digits[-len(decimals) :]}"


def _whole(count: int, scale: float, rng: random.Random) -> int:
    """A whole number, at least 2, about `scale` times `count` and about as round."""
    if count <= _FEW:
        return rng.choice([new for new in range(2, _FEW + 1) if new != count])
    unit: int = 10 ** (len(str(count)) - len(str(count).rstrip("0")))
    if count < 10 * unit:
        unit //= 2
    elif count % (5 * unit) == 0:
        unit *= 5
    unit = max(unit, 1)
    return max(2, round(count * scale * rng.uniform(*_JITTER) / unit) * unit, unit)
