"""Other names for the variables of a tagged text: where each name stands, in which form, and whose names fit there.

A name stands in full ('glass chandeliers'), or without the noun that all variables share ('glass and brass
chandeliers'); the shared noun stands alone too ('at most 80 chandeliers'). A text is refused wherever a word of a name
stands in a place that is none of these.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from data.synthesis.draft import plural
from data.synthesis.themes import THEMES
from formulation.quantities import numbers_in
from formulation.reading.words import Text, stem, table

__all__ = ["Kept", "Name", "Names", "Place", "Structure", "names_of", "renamed", "structure", "theme_names"]

Number = Literal["one", "many", "mass", "bare"]
"""How a name stands: singular, plural, of what is not counted, or as the words before a shared noun."""

_JOINTS: Final = table("of by on in for with at from to per")
_EMPTY: Final = table("of a an the and with on by for in at to from or")
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?:['’]s)?(?:-[^\W\d_]+)*")
_IRREGULAR: Final = {"men": "man", "women": "woman", "people": "person", "children": "child", "feet": "foot"}
_COUNTS: Final = table("a an each every another per one many")
_BEFORE_MANY: Final = table("he she it they we you i who that which to company")
_BEFORE_ONE: Final = table("a an the each every per of one any this both for type kind")
_SORTS: Final = (
    ("invest", r"invest\w*|interest|bonds?|stocks|portfolio"),
    ("grow", r"acres?|hectares?|crops?"),
    ("hire", r"employees?|wages?|salary|salaries|hires?"),
    ("feed", r"protein|vitamins?|calories|diet|nutri\w+|iron|calcium|carbs|fat|medicine|pills?"),
    ("move", r"transport\w*|trips?|ships?|shipped|deliver\w*|carry|carries|carts?|advertis\w+|viewers|tickets?"),
)
_THEMED: Final = 0.5  # how often names of a theme are tried before names of another text
_TRIES: Final = 24


class Kept(Exception):
    """Why a text keeps the names that it has."""


@dataclass(frozen=True, slots=True)
class Name:
    """Words for one and for several; None where a form is not known. What is not counted (`mass`) has one form."""

    one: str | None
    many: str | None
    mass: bool = False

    def form(self, number: Number) -> str | None:
        """The words for a number; None where there are none."""
        if number in ("mass", "bare"):
            return self.one if number == "bare" or self.mass else None
        return None if self.mass else self.one if number == "one" else self.many


@dataclass(frozen=True, slots=True)
class Names:
    """Names for variables of some sort of problem, with the noun that they share: the rest of each name (`joined`), or
    a plural for all of them that is no part of their names."""

    sort: str
    names: tuple[Name, ...]
    head: Name | None = None
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Characters [start, end) that name variable `variable`, or with None the noun that the variables share."""

    start: int
    end: int
    variable: int | None
    number: Number


@dataclass(frozen=True)
class Structure:
    """Every place of a name in a text; `joined`: names are words before the shared noun."""

    text: str
    sort: str
    width: int
    joined: bool
    places: tuple[Place, ...]
    others: frozenset[str]
    """Stems of all words outside of the places."""


def structure(text: Text, clusters: Sequence[Sequence[tuple[int, int]]]) -> Structure:
    """Where the names of a text stand, from the characters of each variable's mentions. Raises Kept."""
    spans = [[_words(text, start, end) for start, end in places] for places in clusters]
    stems = [[tuple(one.stem for one in text.words[a:b]) for a, b in places] for places in spans]
    full = [max(found, key=len) for found in stems]
    shared = _shared(full)
    taken = {at for places in spans for a, b in places for at in range(a, b)}
    own = [name[: len(name) - shared] for name in full]
    for i, found in enumerate(stems):
        if any(one not in (full[i], own[i]) for one in found):
            raise Kept("a name stands in several forms")
    if len(set(own)) < len(own):
        raise Kept("two names are alike")
    head = full[0][len(full[0]) - shared :] if shared else ()
    free = [at for at in range(len(text.words)) if at not in taken]
    loose = _alone(text, head, taken) if shared else []
    covered = taken.union(*(range(a, a + shared) for a in loose))
    named = {word for name in full for word in name} - _EMPTY
    if any(text.words[at].stem in named and at not in covered for at in free):
        raise Kept("a word of a name stands elsewhere")
    places: list[tuple[int, int, int | None]] = []
    for i, mentions in enumerate(spans):
        for (a, b), words in zip(mentions, stems[i], strict=True):
            cut = b - shared if shared and words == full[i] else b
            places.append((a, cut, i))
            if cut < b:
                places.append((cut, b, None))
    places += [(a, a + shared, None) for a in loose]
    joined = bool(shared)
    # Full names throughout, and the shared noun alone only in the plural: another plural will do for it.
    whole = all(one == name for found, name in zip(stems, full, strict=True) for one in found)
    if shared and whole and all(_is_many(text.words[a + shared - 1].text) for a in loose):
        joined = False
        places = [(a, b, i) for i, mentions in enumerate(spans) for a, b in mentions]
        places += [(a, a + shared, None) for a in loose]
    others = frozenset(text.words[at].stem for at in free if at not in covered)
    return Structure(text.text, _sort(text.text), len(full), joined, _numbered(text, places, joined), others)


def _words(text: Text, start: int, end: int) -> tuple[int, int]:
    """The words of a mention, without a mark behind it. Raises Kept."""
    span = text.span_of(start, end)
    first, last = span.first, span.last
    while last > first and not text.words[last - 1].text[0].isalnum():
        last -= 1
    words = text.words[first:last]
    if not words or words[0].start != start or words[-1].end > end:
        raise Kept("a name is part of a word")
    if any(not _WORD.fullmatch(word.text) for word in words) or any(at in text.numbers for at in range(first, last)):
        raise Kept("a name holds a number or a sign")
    return first, last


def _shared(names: Sequence[tuple[str, ...]]) -> int:
    """How many words at their ends all names share, beside one of their own."""
    most = min(map(len, names)) - 1
    return next((k for k in range(most, 0, -1) if len({name[len(name) - k :] for name in names}) == 1), 0)


def _alone(text: Text, head: tuple[str, ...], taken: set[int]) -> list[int]:
    """Where the shared noun stands outside of full names. Raises Kept where it may be a verb or another thing."""
    found = []
    for at in range(len(text.words) - len(head) + 1):
        words = text.words[at : at + len(head)]
        if tuple(one.stem for one in words) != head or not taken.isdisjoint(range(at, at + len(head))):
            continue
        before = text.words[at - 1].lower if at else ""
        behind = at - 1 in taken
        if _is_many(words[-1].text):
            ok = behind or before not in _BEFORE_MANY
        else:
            ok = behind or before in _BEFORE_ONE
        if not ok:
            raise Kept("the shared noun may be another word")
        found.append(at)
    return found


def _is_many(word: str) -> bool:
    """Whether a noun is a plural."""
    lower = word.lower()
    return lower in _IRREGULAR or (lower.endswith("s") and not lower.endswith(("ss", "us", "is", "'s", "’s")))


def _head(words: Sequence[str]) -> int:
    """The word of a name that has its number: ads in 'ads on the radio'."""
    return next((at - 1 for at, word in enumerate(words) if at and word.lower() in _JOINTS), len(words) - 1)


def _numbered(text: Text, places: Iterable[tuple[int, int, int | None]], joined: bool) -> tuple[Place, ...]:
    many: dict[tuple[int, int], bool] = {}
    counted: set[int | None] = set()
    places = sorted(places, key=lambda place: place[:2])
    for a, b, i in places:
        words = [word.text for word in text.words[a:b]]
        noun = words[_head(words)]
        if noun.lower().endswith(("'s", "’s")):
            raise Kept("a name is in the genitive")
        many[a, b] = _is_many(noun)
        first = a
        while joined and i is None and first and any(end == first and j is not None for _, end, j in places):
            first = next(start for start, end, j in places if end == first and j is not None)
        if many[a, b] or (first and text.words[first - 1].lower in _COUNTS):
            counted.add(i)
    found = []
    for a, b, i in places:
        number: Number = "many" if many[a, b] else "one" if i in counted else "mass"
        number = "bare" if joined and i is not None else number
        found.append(Place(text.words[a].start, text.words[b - 1].end, i, number))
    return tuple(found)


def _sort(text: str) -> str:
    return next((name for name, words in _SORTS if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)), "make")


# ---- names to take ---------------------------------------------------------------------------------------------------


def names_of(found: Structure) -> Names | None:
    """The names of a text as names for others; None where they are proper names or no head is known."""
    known: dict[tuple[int | None, Number], str] = {}
    for place in found.places:
        words = found.text[place.start : place.end]
        if _starts_sentence(found.text, place.start):
            words = words[0].lower() + words[1:]
        old = known.get((place.variable, place.number))
        known[place.variable, place.number] = min(filter(None, (old, words)), key=lambda x: sum(map(str.isupper, x)))
    if any(word[:1].isupper() and word[1:].islower() for words in known.values() for word in words.split()):
        return None

    def name(i: int | None) -> Name | None:
        bare, mass = known.get((i, "bare")), known.get((i, "mass"))
        if bare or mass:
            return Name(bare or mass, None, mass=True)
        one, many = known.get((i, "one")), known.get((i, "many"))
        return Name(one or _singular(many), many or _plural(one)) if one or many else None

    names, head = [name(i) for i in range(found.width)], name(None)
    if None in names or (found.joined and head is None):
        return None
    return Names(found.sort, tuple(one for one in names if one), head, found.joined)


def _plural(words: str | None) -> str | None:
    parts = (words or "").split()
    if not parts:
        return None
    at = _head(parts)
    return (
        None
        if parts[at].endswith(("man", "fe", "fish"))
        else " ".join([*parts[:at], plural(parts[at]), *parts[at + 1 :]])
    )


def _singular(words: str | None) -> str | None:
    parts = (words or "").split()
    if not parts:
        return None
    at = _head(parts)
    noun = parts[at]
    if noun.lower() in _IRREGULAR:
        one = _IRREGULAR[noun.lower()]
    elif noun.endswith(("ves", "pants", "jeans", "shorts", "scissors", "glasses", "oes")):
        return None
    elif noun.endswith("ies"):
        one = noun[:-3] + "y"
    else:
        one = re.sub(r"(?<=ch|sh|ss|.x)es$|s$", "", noun)
    return " ".join([*parts[:at], one, *parts[at + 1 :]])


@cache
def theme_names() -> tuple[Names, ...]:
    """The names of the themes of `data.synthesis`."""
    found = []
    for theme in THEMES:
        names = tuple(
            Name(
                None if _is_many(_noun(one)) else one,
                None if one == many and not _is_many(_noun(one)) else many,
                mass=theme.measure is not None and not _is_many(_noun(one)),
            )
            for one, many in theme.things
            if not one.startswith("the ")
        )
        found.append(Names(theme.sort, names, Name(None, theme.group)))
    return tuple(found)


def _noun(words: str) -> str:
    parts = words.split()
    return parts[_head(parts)]


def _starts_sentence(text: str, at: int) -> bool:
    return re.search(r"(?:^|[.?!:]\s*)[\"“(]?$", text[max(at - 6, 0) : at] if at > 5 else text[:at]) is not None


def renamed(found: Structure, donors: Sequence[Names], rng: random.Random) -> list[tuple[int, int, str]]:
    """The new words of every place, in order: names of a theme, or of one of the `donors`. Raises Kept."""
    themes = [names for names in theme_names() if names.sort == found.sort]
    others = [names for names in donors if names.sort == found.sort and len(names.names) == found.width]
    for _ in range(_TRIES):
        names = rng.choice(themes if not others or (rng.random() < _THEMED and not found.joined) else others)
        if len(names.names) < found.width:
            continue
        chosen = rng.sample(names.names, found.width)
        forms = _forms(found, chosen, names)
        if forms is not None:
            return [(place.start, place.end, words) for place, words in zip(found.places, forms, strict=True)]
    raise Kept("no other names fit")


def _forms(found: Structure, chosen: Sequence[Name], names: Names) -> list[str] | None:
    if found.joined != names.joined:
        return None
    forms = []
    for place in found.places:
        name = names.head if place.variable is None else chosen[place.variable]
        words = name.form(place.number) if name is not None else None
        if words is None:
            return None
        if found.text[place.start].isupper() and _starts_sentence(found.text, place.start):
            words = words[0].upper() + words[1:]
        forms.append(words)
    new = {stem(word) for words in forms for word in re.findall(r"[\w'’-]+", words)} - _EMPTY
    distinct = {frozenset(map(stem, (name.one or name.many or "").split())) for name in chosen}
    clash = not new.isdisjoint(found.others) or any(a < b for a in distinct for b in distinct)
    return None if clash or len(distinct) < len(chosen) or numbers_in(", ".join(forms)) else forms
