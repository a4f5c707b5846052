"""Numbers as texts write them, read exactly: '70%', '$1,000', 'twice', 'a third', 'one hundred thousand'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from formulation.numbers import Number, number

__all__ = ["Figure", "numbers_in", "quantity"]

_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_COUNTS: Final = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
_SCALES: Final = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_WHOLES: Final = {"once": 1, "twice": 2, "thrice": 3, "single": 1, "double": 2, "triple": 3, "quadruple": 4}
_PARTS: Final = {
    **{"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7},
    **{"eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100},
}
_HUNDREDTHS: Final = ("%", "percent", "cent", "cents", "¢")
_FIGURES: Final = r"\d[\d,]*(?:\.\d+)?(?:/\d+)?|\.\d+"
_TOKEN: Final = re.compile(
    rf"(?P<figures>{_FIGURES})|(?P<word>[^\W\d_]+)|(?P<sign>[%¢])|[\s-]+", re.ASCII | re.IGNORECASE
)
_MOST_TEXT: Final = 100
# Digits or a number word of a running text. 3rd is a place, 3D a kind, the 2 of CO2 or of type2 is a part of a name.
_WORD: Final = re.compile(
    r"(?<![\w.])(?P<figures>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|\.\d+)(?!(?:st|nd|rd|th|d)\b|\.?\d)"
    r"|(?P<sign>[%¢])|(?<!\w)(?P<word>[a-z]+)(?!\w)",
    re.ASCII | re.IGNORECASE,
)
_MOST_WORDS: Final = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that stands in a text: characters [start, end), and its value."""

    start: int
    end: int
    value: Fraction


def numbers_in(text: str) -> tuple[Figure, ...]:
    """Every number of a text, in digits or in words, in order.

    'A third' and 'two thirds' are numbers, 'the third' is a place; 'once' and 'single' rarely count, and are none.
    Values are as `quantity` reads them: percent and cents are hundredths.
    """
    found: list[Figure] = []
    for run in _runs(text):
        while run:
            for many in range(len(run), 0, -1):
                part = run[:many]
                start, end = part[0].start(), part[-1].end()
                if _is_counting(part):
                    try:
                        found.append(Figure(start, end, quantity(text[start:end]).value))
                    except ValueError:
                        continue
                    break
            else:
                many = 1
            run = run[many:]
    return tuple(found)


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Words of numbers that follow one another."""
    known = {*_COUNTS, *_SCALES, *_WHOLES, *_PARTS, *_HUNDREDTHS, "a", "an", "and"}
    run: list[re.Match[str]] = []
    for match in _WORD.finditer(text):
        word = match.group().lower()
        counts = match["figures"] or word in known or (len(word) > 3 and word.removesuffix("s") in known)
        near = not run or re.fullmatch(r"[ \t-]*", text[run[-1].end() : match.start()])
        if run and not (counts and near and len(run) < _MOST_WORDS):
            yield run
            run = []
        if counts:
            run.append(match)
    if run:
        yield run


def _is_counting(run: list[re.Match[str]]) -> bool:
    """Whether a run starts and ends with what belongs to a number: not 'a', 'third', 'a cent' or 'five and'."""
    words = [match.group().lower() for match in run]
    if words[0] in ("and", *_HUNDREDTHS) or words[-1] in ("and", "a", "an"):
        return False
    if len(words) == 1:
        return words[0] == "half" or (words[0] not in ("once", "single") and words[0].removesuffix("s") not in _PARTS)
    return words[0] not in ("a", "an") or words[1] in _SCALES or words[1] in _PARTS


def quantity(text: str) -> Number:
    """The number that a phrase stands for; a unit behind it is passed over ('8000 minutes', '3 times').

    Percent and cents are hundredths, currency signs count nothing. Raises ValueError where the phrase is no number.
    """
    bare = text.strip().strip("$€£").rstrip(".,;").strip().lower().replace("per cent", "percent")
    if not bare or len(text) > _MOST_TEXT:
        raise ValueError(_refused(text))
    try:
        return number(bare)
    except ValueError:
        return Number(_spelled(_tokens(bare, text), text))


def _refused(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return f"'{shown}' is no number: write it like 12, 0.5, 1/3, 33%, twice or one hundred"


def _tokens(bare: str, text: str) -> list[str]:
    found, at = [], 0
    for match in _TOKEN.finditer(bare):
        if match.start() != at:
            raise ValueError(_refused(text))
        at = match.end()
        if match.lastgroup:
            found.append(match.group())
    if at != len(bare):
        raise ValueError(_refused(text))
    return found


def _spelled(tokens: list[str], text: str) -> Fraction:
    """The value of 'one hundred and five', 'two thirds', 'two and a half', '3 million', 'thirty percent'."""
    total = Fraction(0)  # thousands and more, which are complete
    current: Fraction | None = None  # what is still growing
    joined = False  # behind 'and'
    last = ""
    for place, token in enumerate(tokens):
        part = _PARTS.get(token) or _PARTS.get(token.removesuffix("s"))
        scale = _SCALES.get(token) or _SCALES.get(token.removesuffix("s"))
        if token[0].isdigit() or token[0] == ".":
            if current is not None:
                raise ValueError(_refused(text))
            current = number(token).value
        elif token in _COUNTS:
            if current is not None and not _extends(current, _COUNTS[token], last):
                raise ValueError(_refused(text))
            current = (current or 0) + Fraction(_COUNTS[token])
        elif token in _WHOLES and current is None:
            current = Fraction(_WHOLES[token])
        elif scale:
            current = (Fraction(1) if current is None else current) * scale
            if scale >= 1000:
                total, current = total + current, None
        elif part:
            fraction = Fraction(1, part)
            current = fraction if current is None else current + fraction if joined else current * fraction
        elif token in _HUNDREDTHS:
            if current is None:
                raise ValueError(_refused(text))
            return _end(tokens[place + 1 :], (total + current) / 100, text)
        elif token == "and" and (current is not None or total):
            joined, last = True, token
            continue
        elif token in ("a", "an"):
            last = token
            continue
        elif current is None and not total:
            raise ValueError(_refused(text))
        else:
            return _end(tokens[place:], total + (current or 0), text)
        joined, last = False, token
    if current is None and not total:
        raise ValueError(_refused(text))
    return total + (current or 0)


def _extends(current: Fraction, count: int, last: str) -> bool:
    """Whether a count continues the number so far: 'twenty five', 'one hundred (and) five'."""
    if last in _TENS:
        return 0 < count < 10
    return current % 100 == 0 and current != 0 and count > 0 and (last == "and" or last.removesuffix("s") in _SCALES)


def _end(rest: list[str], value: Fraction, text: str) -> Fraction:
    """The value, where what follows is words of a unit and no second number."""
    known = {*_COUNTS, *_SCALES, *_WHOLES, *_PARTS, *_HUNDREDTHS}
    if any(token in known or not token[0].isalpha() for token in rest):
        raise ValueError(_refused(text))
    return value
