"""A text as words, sentences and clauses, and the small tables of words that the rules share."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from formulation.quantities import Figure, numbers_in

__all__ = [
    "ARTICLES",
    "CONTENTLESS",
    "EACH",
    "MEASURES",
    "VERBS",
    "Span",
    "Text",
    "Word",
    "alike",
    "stem",
    "stems",
    "table",
]

_WORD: Final = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:[-'’]\w+)*|[^\w\s\"“”‘]")
_ENDS: Final = re.compile(r"[.?!]+(?=[\s\"”’)]|$)\s*(?![a-z])")
_IRREGULAR: Final = {
    **{"men": "man", "women": "woman", "people": "person", "children": "child", "feet": "foot", "geese": "goos"},
    **{"mice": "mous", "shelves": "shelf", "knives": "knif", "loaves": "loaf", "scarves": "scarf", "leaves": "leaf"},
}


def table(words: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(words.split())


ARTICLES: Final = table("a an the some any its their his her our your these those this both either all")
EACH: Final = table("each every per a an one 1 any")
"""Words before a variable that make it one unit of it."""

_MEASURES: Final = table(
    "unit kg kilogram gram g mg lb lbs pound ounce oz ton tonne litre liter gallon ml cup bottle box container pack"
    " packet package serving portion slice piece batch scoop glass can bag barrel bunch pitcher acre hectare dose tray"
    " load trip shift hour minute day week month year dollar number amount set square meter metre foot ft sq au quart"
    " pair bundle crate jar ream sqft plate"
)
VERBS: Final = table(
    "is are was were be been being am has have had can could must should shall will would may might cannot need needs"
    " needed require requires required requiring take takes cost costs contain contains yield yields produce produces"
    " use uses provide provides give gives make makes sell sells carry carries hold holds transport transports deliver"
    " delivers attract attracts reach reaches earn earns generate generates store stores consume consumes want wants"
    " wish wishes plan plans decide decides hire hires employ employs spend spends invest invests work works pay pays"
    " paid get gets receive receives tie ties result results increase increases decrease decreases limit limits limited"
    " prefer prefers expect expects allow allows bring brings add adds serve serves move moves feed feeds burn burns"
    " clean cleans treat treats process processes create creates cause causes extract extracts accept accepts load"
    " loads fit fits weigh weighs grow grows supply supplies buy buys purchase purchases ship ships collect collects"
    " net nets entertains entertain analyzes examines purifies delivers introduces introduce caters cater do does did"
    " exceed exceeds ask asks aim aims estimate estimates recommend recommends help helps bake bakes seat seats"
    " consist consists complete completes average averages handle handles mix mixes pick picks occupy occupies raise"
    " raises stock stocks run runs offer offers output outputs charge charges involve involves"
)

CONTENTLESS: Final = table(
    "per total times a an the of to in on at for from by with and or but as is are be been was were has have"
    " had can could must should will would may might do does did it its they them their there this that these"
    " those he she his her him you your we our us i who whom which what how many much more most least than each"
    " every any all both either one ones order if so such up out no not only also then while whereas since"
    " because due when where therefore however additionally addition further furthermore finally given"
    " available about into over types type kind kinds number amount using use used uses make makes made making"
    " require requires required take takes taken need needs needed get gets worth case different another same"
    " day week month year daily weekly monthly hourly cannot able want wants maximum minimum max min company"
    " store less fewer"
)
"""Words that say nothing about what a number measures."""

_SUBORDINATE: Final = table(
    "while whereas although though since because if unless therefore but which who when however so where hence how what"
)
_COORDINATE: Final = table("and or ,")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, number or sign at characters [start, end)."""

    text: str
    start: int
    end: int
    lower: str
    stem: str


@dataclass(frozen=True, slots=True)
class Span:
    """Words [first, last)."""

    first: int
    last: int

    def __contains__(self, at: int) -> bool:
        return self.first <= at < self.last


def stem(word: str) -> str:
    """A word in lower case without the ending of a plural or genitive: boxes and box, berries and berry agree."""
    lower = re.sub(r"['’]s?$", "", word.lower()).replace("-", "")
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if len(lower) > 3 and lower.endswith("men"):
        return lower[:-2] + "an"
    if len(word) > 2 and word.endswith("s") and word[:-1].isalpha() and word[:-1].isupper():
        return lower[:-1]  # 'GPUs'
    if len(lower) > 2 and lower.endswith("s") and not lower.endswith(("ss", "us", "is")):
        lower = lower[:-1]
    if len(lower) > 3 and lower.endswith("e"):
        lower = lower[:-1]
    return lower[:-1] + "i" if len(lower) > 2 and lower.endswith("y") else lower


def stems(words: str) -> frozenset[str]:
    """The stems of a table of words."""
    return frozenset(stem(word) for word in words.split())


MEASURES: Final = _MEASURES | stems(" ".join(_MEASURES))
"""Words that measure, and their stems: 'an acre of corn' is corn."""


@lru_cache(maxsize=1 << 16)
def alike(a: str, b: str) -> bool:
    """Whether two stems look like forms of one word: process and processing, mix and mixing, packing and packaging."""
    if a == b:
        return True
    a, b = (re.sub(r"(?:ing|ed|er|ion|ment)$", "", word) if len(word) > 5 else word for word in (a, b))
    short, long = sorted((a, b), key=len)
    common = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return (common == len(short) and len(short) >= 3 and len(long) - common <= 4) or common >= 6


@dataclass(frozen=True)
class Text:
    """A description, its words, and where its sentences and clauses lie."""

    text: str

    @cached_property
    def words(self) -> tuple[Word, ...]:
        found = _WORD.finditer(self.text)
        return tuple(Word(m.group(), m.start(), m.end(), m.group().lower(), stem(m.group())) for m in found)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return numbers_in(self.text)

    @cached_property
    def sentences(self) -> tuple[Span, ...]:
        ends = [m.end() for m in _ENDS.finditer(self.text)] + [len(self.text)]
        found, first = [], 0
        for end in ends:
            last = self.index(end)
            if last > first:
                found.append(Span(first, last))
                first = last
        return tuple(found)

    @cached_property
    def clauses(self) -> tuple[Span, ...]:
        """Parts of sentences that have a verb of their own, in order; they cover all words."""
        found = []
        for sentence in self.sentences:
            first = sentence.first
            for at in range(sentence.first + 1, sentence.last):
                if self._starts_clause(at, sentence.last) and at > first:
                    found.append(Span(first, at))
                    first = at
            found.append(Span(first, sentence.last))
        return tuple(found)

    def _starts_clause(self, at: int, end: int) -> bool:
        word = self.words[at].lower
        if word in (";", ":", "(", ")") or word in _SUBORDINATE:
            return True
        if word == "with" and at + 1 < end and self.words[at + 1].lower in ("each", "every"):
            return True
        if word not in _COORDINATE:
            return False
        for other in self.words[at + 1 : end]:
            if other.lower in _COORDINATE or other.lower in _SUBORDINATE or other.text[0].isdigit():
                return False
            if other.lower in VERBS:
                return True
        return False

    @cached_property
    def numbers(self) -> frozenset[int]:
        """The words that are part of a number."""
        within = [(self.span_of(one.start, one.end), one) for one in self.figures]
        return frozenset(
            at
            for span, one in within
            for at in range(span.first, min(span.last, len(self.words)))
            if one.start <= self.words[at].start and self.words[at].end <= one.end
        )

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Where each stem stands."""
        found: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            found.setdefault(word.stem, []).append(at)
        return found

    def index(self, place: int) -> int:
        """The first word that starts at or behind a character."""
        low, high = 0, len(self.words)
        while low < high:
            middle = (low + high) // 2
            if self.words[middle].start < place:
                low = middle + 1
            else:
                high = middle
        return low

    def span_of(self, start: int, end: int) -> Span:
        """The words that characters [start, end) touch."""
        first = self.index(start)
        if first > 0 and self.words[first - 1].end > start:
            first -= 1
        return Span(first, max(self.index(end), first + 1))

    def stems(self, span: Span) -> list[str]:
        return [word.stem for word in self.words[span.first : span.last]]

    def lowers(self, span: Span) -> list[str]:
        return [word.lower for word in self.words[span.first : span.last]]

    def characters(self, span: Span) -> tuple[int, int]:
        """The characters of words, without the marks that end them."""
        words: Sequence[Word] = self.words[span.first : span.last]
        while len(words) > 1 and not words[-1].text[0].isalnum() and words[-1].text not in ("%", ")"):
            words = words[:-1]
        while len(words) > 1 and words[0].text in (",", ";", ":"):
            words = words[1:]
        return words[0].start, words[-1].end

    def around(self, spans: Sequence[Span], at: int) -> Span:
        """The span among several that holds a word."""
        return spans[bisect_right(spans, at, key=lambda span: span.first) - 1]
