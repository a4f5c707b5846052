"""Texts and numbers of a model as they may stand in a line of a report, a comment or a file."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from formulation.numbers import Rational, decimal_text

__all__ = ["one_line", "shown"]

_DIGITS: Final = 12


def one_line(text: str) -> str:
    """Text on one line, without what a terminal or a reader of files would obey."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def shown(value: Rational) -> str:
    """A number for people: exact where it is short, else rounded, with the fraction behind it where that is short."""
    text = decimal_text(value)
    if len(text) <= _DIGITS and "/" not in text:
        return text
    try:
        rounded = f"{float(value):.6g}"
    except OverflowError:
        return f"{text[:_DIGITS]}..."
    if Fraction(rounded) == value:
        return rounded
    return f"{rounded} ({text})" if "/" in text and len(text) <= _DIGITS else rounded
