"""Drafts as a small model writes them: variables and sums by words of the text, numbers where the text says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from formulation.quantities import Figure
from formulation.reading.words import table
from formulation.sentences import sentence_at, sentences
from formulation.wire import Draft, Line, Term, references, write, write_line

__all__ = ["named"]

_AROUND: Final = 12  # words on either side of a number that may say what it is about
_LEAST: Final = 0.5  # share of a sum's numbers beside which its name stands
_PASSED: Final = table(
    "a an and are as at be been but by can cannot could do does each either every for from had has have he her his if "
    "in into is it its least less made make makes may maximum minimum more most must need needs no not of on one only "
    "or other per respectively she should than that the their them then there they this to total twice up use used "
    "uses using was we were what which while will with would you your all also any available both day given how kind "
    "type types many much order number amount unit units time times week month year required requires require takes "
    "take sold sell sells hundred thousand million two three four five six seven eight nine ten"
)
_WORD: Final = re.compile(r"[A-Za-z]+")
_VARIABLE: Final = re.compile(r"\bV(\d+)\b")
_SOUGHT: Final = re.compile(r"\b(?:maxim|minim)i[sz]\w*", re.I)
_MOST: Final = 24
_SHARED: Final = 0.8  # how much it counts against a word that it stands beside another sum's numbers


@dataclass(frozen=True)
class _Sum:
    """A weighted sum, the places of its numbers and of the limits that it has."""

    terms: tuple[Term, ...]
    places: tuple[int, ...]


def named(draft: Draft, text: str, figures: Sequence[Figure]) -> str:
    """The lines of a draft in the order of the text, variables by name, and sums by name where all terms have numbers.

    `parse` of what is returned gives the draft again, but for the order of its lines and terms.
    """
    sums = _sums(draft, text, figures)
    names = _names(sums, draft, text)
    goals = [line for line in draft.lines if line.kind in ("max", "min")]
    told: list[tuple[int, int, str]] = []
    for terms, name in names.items():
        for tag in dict.fromkeys(term.tag for term in terms):
            of = [("-" if t.negative else "") + f"V{t.variable}" for t in terms if t.tag == tag]
            told.append((tag, 0, f"N{tag} {' '.join(of)} {name}"))
    for number, line in enumerate(one for one in draft.lines if one not in goals):
        # By its limit; a statement without a number keeps its place behind the one before.
        tags = [amount.tag for amount in line.amounts if amount.tag] or list(_own_tags(line, names))
        at = tags[0] if tags else max((place for place, *_ in told[-1:]), default=0)
        told.append((at, number + 1, _written(line, names)))
    head = write(Draft(draft.variables, ()))
    rest = [*(_written(goal, names) for goal in goals), *(line for *_, line in sorted(told, key=lambda x: x[:2]))]
    called = references([one.words for one in draft.variables])
    return head + "".join(f"{_VARIABLE.sub(lambda found: called[int(found[1]) - 1], line)}\n" for line in rest)


def _own_tags(line: Line, names: dict[tuple[Term, ...], str]) -> Iterator[int]:
    """The tags that a line writes out itself."""
    for row in (line, *line.rows):
        yield from (amount.tag for amount in row.amounts if amount.tag)
        yield from (term.tag for side in row.sides if side not in names for term in side if term.tag)


def _sums(draft: Draft, text: str, figures: Sequence[Figure]) -> list[_Sum]:
    """The different sums whose terms all have numbers, in the order of their first number."""
    places: dict[tuple[Term, ...], list[int]] = {}
    sought = _SOUGHT.search(text)
    for line in (row for one in draft.lines for row in (one, *one.rows)):
        limits = [figures[amount.tag - 1].start for amount in line.amounts if amount.tag]
        for side in line.sides:
            if side and all(term.tag for term in side):
                known = places.setdefault(side, [figures[term.tag - 1].start for term in side])
                known += limits if len(line.sides) == 1 else []
                if line.kind in ("max", "min") and sought is not None:
                    known.append(sought.end())
    found = [_Sum(terms, tuple(dict.fromkeys(at))) for terms, at in places.items()]
    return sorted(found, key=lambda one: one.places[0])


def _names(sums: Sequence[_Sum], draft: Draft, text: str) -> dict[tuple[Term, ...], str]:
    """A name for each sum: the word that stands beside most of its numbers and few of the others'."""
    import networkx

    taken = {word.lower() for one in draft.variables for word in _WORD.findall(one.words)}
    taken |= {word.rstrip("s") for word in taken} | {f"{word}s" for word in taken}
    around = [[_words_around(text, at, taken) for at in one.places] for one in sums]
    pairs = networkx.Graph()
    for number, places in enumerate(around):
        for stem in {stem for words in places for stem in words}:
            beside = _beside(places, stem)
            elsewhere = max((_beside(other, stem) for o, other in enumerate(around) if o != number), default=0.0)
            if sum(stem in words for words in places) >= _LEAST * len(places):
                # Whole numbers, for an exact and repeatable matching.
                weight = round(10**6 * max(beside - _SHARED * elsewhere, 0.0)) + 1
                pairs.add_edge(number, stem, weight=weight)
    chosen: dict[int, str] = {}
    for pair in networkx.max_weight_matching(pairs):
        number, stem = pair if isinstance(pair[0], int) else reversed(pair)
        chosen[number] = stem
    used = set(chosen.values())
    found = {}
    for number, one in enumerate(sums):
        word = ""
        if number in chosen:
            word = next(words[chosen[number]][1] for words in around[number] if chosen[number] in words)
        else:
            word = next(name for name in ("goal", "sum", "load", "use", "part", *_letters()) if name not in used)
            used.add(word)
        found[one.terms] = word
    return found


def _beside(places: Sequence[dict[str, tuple[int, str]]], stem: str) -> float:
    """How near a word stands to numbers on the mean: 1 where it follows at once, 0 where it does not stand there."""
    return sum(1 / (1 + words[stem][0] / 3) for words in places if stem in words) / len(places)


def _letters() -> Iterator[str]:
    return (f"part{a}{b}" for a in "abcdefgh" for b in "abcdefgh")


def _words_around(text: str, at: int, taken: set[str]) -> dict[str, tuple[int, str]]:
    """Stems of the words of a sentence about a number, with how far off they stand and the word itself."""
    places = sentences(text)
    place = sentence_at(places, at)
    start, end = places[place] if place is not None else (0, len(text))
    words = [(match.start(), match.group()) for match in _WORD.finditer(text, start, end)]
    middle = sum(begin < at for begin, _ in words)
    found: dict[str, tuple[int, str]] = {}
    for number, (_, word) in enumerate(words):
        # What a number is about stands behind it more often than before.
        far = number - middle if number >= middle else 2 * (middle - number)
        lower = word.lower()
        if far > _AROUND or lower in _PASSED or lower in taken or not 3 <= len(lower) <= _MOST:
            continue
        stem = lower[:-1] if lower.endswith("s") and not lower.endswith("ss") else lower
        if stem not in found or far < found[stem][0]:
            found[stem] = far, lower
    return found


def _written(line: Line, names: dict[tuple[Term, ...], str]) -> str:
    """A line with the names of its sums."""
    marks: dict[str, str] = {}

    def marked(side: tuple[Term, ...]) -> tuple[Term, ...]:
        if side not in names:
            return side
        mark = 9_000 + len(marks)
        marks[f"V{mark}"] = names[side]
        return (Term(mark),)

    def of(one: Line) -> Line:
        return replace(one, sides=tuple(map(marked, one.sides)), rows=tuple(map(of, one.rows)))

    written = write_line(of(line))
    return re.sub(r"V9\d{3}", lambda match: marks[match[0]], written)
