"""Where another text of the same problem says each of its parts: the sources of a row, found again.

Numbers are found by value. Where a value stands in several places, each use takes the place whose words, names and
other numbers are most like those around it in the first text; where two ways are as good, the row is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from data.synthesis.names import Place, mentions_of, words_in

if TYPE_CHECKING:
    from formulation.quantities import Figure
    from formulation.schema import Problem

__all__ = ["Refused", "numbers_used", "relocated"]

_COEFFICIENT: Final = re.compile(r"\['(\w+)'\]$")
_GOALS: Final = (
    re.compile(r"\b(?:maximi[sz]|minimi[sz])\w*", re.IGNORECASE),
    re.compile(r"\bas (?:\w+ ){1,3}as possible\b|\b(?:high|low|great|small|larg|cheap|short|fast)est\b", re.IGNORECASE),
)
_MOST_ALIKE: Final = 6  # numbers of one value in a text; more are refused
_NAME_WEIGHT: Final = 4  # of a variable's name beside a number, against that of a word
_NO_WORDS: Final = frozenset(
    {
        *("a", "an", "the", "of", "to", "in", "and", "or", "for", "is", "are", "be", "it", "they", "each", "every"),
        *("at", "least", "most", "no", "more", "than", "must", "should", "can", "per", "that", "which", "with", "as"),
    }
)


class Refused(Exception):
    """A text that says its problem in a way that cannot be told from another one. The message is one line."""


def numbers_used(problem: Problem) -> dict[Place, list[tuple[str, str]]]:
    """The numbers of the problem's text that it uses: where they are, and for which statements and fields."""
    found: dict[Place, list[tuple[str, str]]] = {}
    for owner, statement in _statements(problem):
        for field, mention in statement.sources.items():
            if field and mention.span is not None:
                found.setdefault(mention.span, []).append((owner, field))
    return found


def relocated(row: Mapping[str, Any], text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row's problem as JSON values with the sources that `text` gives, and the numbers that it does not use.

    A statement's source is the sentence of its numbers, or the one sentence that names all its variables. Raises
    Refused where a part is found nowhere, or in two places with nothing to choose between them.
    """
    from formulation.quantities import numbers_in
    from formulation.schema import read_problem

    problem = read_problem(row["problem"])
    before, after = _Page(problem, row["text"]), _Page(problem, text)
    used = numbers_used(problem)
    places = _matched(used, before, after)
    given = row["problem"]

    def mention(place: Place) -> dict[str, Any]:
        return {"span": list(place), "text": text[slice(*place)]}

    variables = {}
    for name, variable in given["variables"].items():
        if not after.names[name]:
            raise Refused(f"'{variable.get('label') or name}' is not named")
        first = after.names[name][0]
        said = variable["sources"].get("domain", {}).get("text")
        at = text.find(said) if said else -1
        domain = mention((at, at + len(said))) if said and at >= 0 else {"origin": "assumed"}
        sources = {"": mention(first), "domain": domain}
        variables[name] = {**variable, "label": text[slice(*first)], "sources": sources}

    def again(owner: str, statement: Mapping[str, Any]) -> dict[str, Any]:
        sources: dict[str, Any] = {"": mention(_sentence(problem, owner, places, before, after))}
        for field, source in statement["sources"].items():
            if field:
                span = source.get("span")
                sources[field] = mention(places[span[0], span[1]]) if span else source
        return {**statement, "sources": sources}

    taken = set(places.values())
    idle = [figure for figure in numbers_in(text) if (figure.start, figure.end) not in taken]
    return (
        {
            **given,
            "text": text,
            "variables": variables,
            "objective": again("objective", given["objective"]),
            "constraints": [again(one["id"], one) for one in given["constraints"]],
        },
        [{**mention((figure.start, figure.end)), "why": "said beside the problem"} for figure in idle],
    )


def _statements(problem: Problem) -> Iterator[tuple[str, Any]]:
    if problem.objective is not None:
        yield "objective", problem.objective
    yield from ((one.id, one) for one in problem.constraints)


class _Page:
    """A text with its numbers, sentences, and where it names the variables."""

    def __init__(self, problem: Problem, text: str) -> None:
        from formulation.quantities import numbers_in
        from formulation.sentences import sentences

        self.text = text
        self.figures = numbers_in(text)
        self.sentences = sentences(text)
        self.names = mentions_of({name: one.label or name for name, one in problem.variables.items()}, text)
        self.words = words_in(text)
        self.values = [figure.value for figure in self.figures]

    def sentence(self, place: Place) -> Place:
        """The sentence that holds a number."""
        return next((one for one in self.sentences if one[0] <= place[0] < one[1]), place)

    def name_at(self, place: Place) -> str | None:
        """The variable that its sentence names last before a number, or else first behind it."""
        start, end = self.sentence(place)
        said = [(a, name) for name, found in self.names.items() for a, b in found if start <= a and b <= end]
        before = [one for one in said if one[0] < place[0]]
        return max(before)[1] if before else min(said)[1] if said else None

    def around(self, place: Place) -> set[str]:
        """The words between the numbers on both sides of one, in its sentence, and that sentence's other numbers.

        A number counts where the text has its value once.
        """
        start, end = self.sentence(place)
        others = [f for f in self.figures if start <= f.start < end and (f.start, f.end) != place]
        low = max((f.end for f in others if f.end <= place[0]), default=start)
        high = min((f.start for f in others if f.start >= place[1]), default=end)
        words = {word for word, a, b in self.words if low <= a and b <= high and not (a < place[1] and b > place[0])}
        return words - _NO_WORDS | {str(f.value) for f in others if self.values.count(f.value) == 1}


def _matched(used: Mapping[Place, list[tuple[str, str]]], before: _Page, after: _Page) -> dict[Place, Place]:
    """For each number of the first text that is used, the one of the second that stands for it. Raises Refused."""
    from formulation.quantities import quantity

    alike: dict[Fraction, list[Place]] = {}
    for place in sorted(used):
        alike.setdefault(quantity(before.text[slice(*place)]).value, []).append(place)
    found: dict[Place, Place] = {}
    for value, places in alike.items():
        figures = [figure for figure in after.figures if figure.value == value]
        shown = before.text[slice(*places[0])]
        if len(figures) < len(places):
            raise Refused(f"{shown} occurs {len(figures)} times and is used {len(places)} times")
        if len(figures) > _MOST_ALIKE:
            raise Refused(f"{shown} occurs {len(figures)} times: which is which is not said")
        best = _best(places, figures, used, before, after) if len(figures) > 1 else [0]
        if best is None:
            raise Refused(f"{shown} occurs {len(figures)} times, and nothing says which is which")
        found |= {place: (figures[at].start, figures[at].end) for place, at in zip(places, best, strict=True)}
    return found


def _best(
    places: Sequence[Place],
    figures: Sequence[Figure],
    used: Mapping[Place, list[tuple[str, str]]],
    before: _Page,
    after: _Page,
) -> Sequence[int] | None:
    """Which of `figures` each place is, by the greatest sum of likenesses; None where two ways are as good."""
    spots = [(figure.start, figure.end) for figure in figures]
    scores = [[_alike(place, spot, used[place], before, after) for spot in spots] for place in places]
    ways = sorted(
        (
            (sum(scores[i][at] for i, at in enumerate(way)), way)
            for way in itertools.permutations(range(len(spots)), len(places))
        ),
        reverse=True,
    )
    return None if len(ways) > 1 and ways[0][0] == ways[1][0] else ways[0][1]


def _alike(place: Place, spot: Place, uses: Sequence[tuple[str, str]], before: _Page, after: _Page) -> int:
    """How much a number of the one text is like one of the other: words in common, and the variable it goes with.

    Of a coefficient the variable is known; of another number it is the one that is named beside it.
    """
    keys = {found[1] for _, field in uses if (found := _COEFFICIENT.search(field))}
    name = after.name_at(spot)
    same = name is not None and (name in keys if keys else name == before.name_at(place))
    return len(before.around(place) & after.around(spot)) + _NAME_WEIGHT * same


def _sentence(problem: Problem, owner: str, places: Mapping[Place, Place], before: _Page, after: _Page) -> Place:
    """What of the second text says a statement: the sentences of its own numbers, from the first to the last.

    Without numbers of its own it is the one sentence that names all its variables, or of several the one that has most
    words in common with the first text's. The objective's is that of its maximizing or minimizing. Raises Refused.
    """
    from formulation.schema import statement_names

    if owner == "objective":
        return _goal(after)
    statement = problem.constraint(owner)
    spans = {field: m.span for field, m in statement.sources.items() if field and m.span is not None}
    own = [span for field, span in spans.items() if not _COEFFICIENT.search(field)]
    if own or spans:
        said = [after.sentence(places[span]) for span in own or spans.values()]
        return min(a for a, _ in said), max(b for _, b in said)
    needed = statement_names(statement) & problem.variables.keys()
    fitting = [
        (start, end)
        for start, end in after.sentences
        if all(any(start <= a and b <= end for a, b in after.names[name]) for name in needed)
    ]
    source = statement.sources.get("")
    said_before = set() if source is None or source.span is None else _words(before, source.span)
    ranked = sorted(((len(_words(after, one) & said_before), one) for one in fitting), reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        raise Refused(f"{'several sentences' if ranked else 'no sentence'} may say {owner}")
    return ranked[0][1]


def _words(page: _Page, place: Place) -> set[str]:
    return {word for word, a, b in page.words if place[0] <= a and b <= place[1]} - _NO_WORDS


def _goal(page: _Page) -> Place:
    for wording in _GOALS:
        found = {page.sentence(match.span()) for match in wording.finditer(page.text)}
        if len(found) == 1:
            return found.pop()
        if found:
            raise Refused("several sentences say what is maximized or minimized")
    raise Refused("no sentence says what is maximized or minimized")
