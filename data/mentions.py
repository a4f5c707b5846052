"""Numbers in running text: where they stand, what they are worth, and how another number is written in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from data.arithmetic import format_number, number

__all__ = ["MAX_FIGURES", "Mention", "mentions", "rewrite", "spell", "write"]

MAX_FIGURES: Final = 40  # characters; longer runs of digits are no numbers

_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS: Final = {
    **{word: value for value, word in enumerate(_ONES) if value > 1},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
    **{f"{ten}-{one}": 10 * t + o for t, ten in enumerate(_TENS, 2) for o, one in enumerate(_ONES[1:10], 1)},
}
_WORD: Final = "|".join(sorted(_WORDS, key=len, reverse=True)).replace("-", "[- ]")
_FIGURES: Final = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9])|[0-9]+(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+"
_MENTION = re.compile(rf"(?P<figures>{_FIGURES})|(?<![\w-])(?P<word>{_WORD})(?!\w)", re.IGNORECASE)
_UNIT = re.compile(r"[ -]*(%|[a-z]+)", re.IGNORECASE)
_ARTICLE = re.compile(r"(?<![a-z])(an?)(?= \$?$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """A number at `start` to `end` of a text, `written` there in figures or as a word (`two` to `ninety-nine`).

    `unit` is `$` where that stands before it, else the word or `%` that follows, in lower case; "" where there is none.
    """

    start: int
    end: int
    written: str
    value: Fraction
    is_word: bool
    unit: str


def mentions(text: str) -> list[Mention]:
    """Every number of `text` in order. `one` is no number: it is a pronoun too often."""
    found = []
    for match in _MENTION.finditer(text):
        start, end = match.span()
        if end - start > MAX_FIGURES:
            continue
        word = match["word"]
        value = Fraction(_WORDS[word.lower().replace(" ", "-")]) if word else number(match["figures"])
        after = _UNIT.match(text, end)
        unit = "$" if text[:start].endswith("$") else after[1].lower() if after else ""
        found.append(Mention(start, end, match.group(), value, word is not None, unit))
    return found


def spell(value: Fraction) -> str | None:
    """`two` to `ninety-nine`, None for other numbers."""
    if value.denominator != 1 or not 2 <= value <= 99:
        return None
    tens, ones = divmod(value.numerator, 10)
    if tens < 2:
        return _ONES[value.numerator]
    return _TENS[tens - 2] if ones == 0 else f"{_TENS[tens - 2]}-{_ONES[ones]}"


def write(value: Fraction, like: str, *, pad: bool) -> str:
    """`value` in figures in the manner of the number `like`: its commas, and its two decimals.

    Two decimals stay two with `pad`, as for amounts of money; without it only where `like` ends in a zero.
    """
    text = format_number(value)
    decimals = like.partition(".")[2]
    if len(decimals) == 2 and (pad or decimals.endswith("0")):
        whole, _, rest = text.partition(".")
        text = f"{whole}.{rest.ljust(2, '0')}"
    if "," in like:
        whole, point, rest = text.partition(".")
        text = f"{int(whole):,}{point}{rest}"
    return text


def rewrite(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """`text` with spans replaced, `(start, end, new)` in order; `a` and `an` before them follow the new number."""
    parts = []
    position = 0
    for start, end, new in changes:
        before = text[position:start]
        if new != text[start:end]:
            before = _ARTICLE.sub(lambda match, n=new: _article(match[1], n), before)  # type: ignore[misc]
        parts += [before, new]
        position = end
    return "".join([*parts, text[position:]])


def _article(article: str, number: str) -> str:
    vowel = re.match(r"8|1[18](?![0-9])|1[18],|eigh|eleven", number.lower()) is not None
    return article[0] + ("n" if vowel else "")
