"""A description read by rules alone, without any model: words, variables, numbers, statements, and what was left over.

It always gives a reading. What it did not understand is in `findings`: sentences that gave nothing, numbers that
no statement uses, what is not linear, orders to the reader, and what was assumed. Only a `complete` reading may be
taken for the whole model.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from formulation.expressions import terms_of
from formulation.kinds.base import Constraint, Mention
from formulation.kinds.linear_bound import LinearBound
from formulation.model import Model
from formulation.naming import identifiers
from formulation.quantities import numbers_in
from formulation.reading.numbers import Amount, Role, amounts
from formulation.reading.statements import Reader, Said
from formulation.reading.telling import claims, only_tells
from formulation.reading.unsuitable import foreign, nonlinear, orders, without
from formulation.reading.uses import attributes, uses
from formulation.reading.variables import Naming, namings
from formulation.reading.words import Span, Text, table
from formulation.schema import Domain, Problem, Variable
from formulation.sentences import sentences

__all__ = ["Finding", "Reading", "assemble", "leftovers", "read"]

Topic = Literal["language", "variables", "objective", "nonlinear", "data", "sentence", "number", "assumption"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was not understood, or was assumed: characters [start, end) of the text, and one sentence about it."""

    topic: Topic
    start: int
    end: int
    sentence: str


@dataclass(frozen=True)
class Reading:
    """What the rules made of a text. `problem` is None where no variable was found; `findings` say what is open."""

    text: str
    problem: Problem | None
    findings: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Whether every sentence and number found its place: what else it says is understood."""
        return self.problem is not None and all(one.topic == "assumption" for one in self.findings)

    def model(self) -> Model | None:
        """The problem as a model; strict words are read as closed ones, as texts of this kind mean them."""
        return None if self.problem is None else Model(self.problem, ignore_strict=True)


def read(text: str) -> Reading:
    """Read a description. Any text gives a reading, an empty one a reading without a problem."""
    parsed = Text(text)
    language = foreign(parsed)
    if language is not None:
        why = f"the text seems to be in {language}: only English is read"
        return Reading(text, None, (Finding("language", 0, len(text), why),))
    ordered = orders(parsed)
    findings = [
        Finding("sentence", start, end, "this says what the reader should do and nothing of a problem: it is left out")
        for start, end in ordered
    ]
    shortened, cut = _shortened(without(text, ordered))
    if cut < len(text):
        why = f"the text is too long: it was read up to character {cut} only"
        findings.append(Finding("sentence", cut, len(text), why))
    reading = _read(Text(shortened))
    findings = [*reading.findings, *findings]
    if reading.problem is None:
        return Reading(text, None, tuple(findings))
    return Reading(text, reading.problem.model_copy(update={"text": text}), tuple(findings))


def _read(text: Text) -> Reading:
    """The reading with the likeliest variables; where that leaves something open, the one that leaves least open."""
    best: tuple[float, Reading] | None = None
    for naming in itertools.islice(namings(text) if text.words else (), _MOST_NAMINGS):
        reading = assemble(naming)
        doubt = _doubt(reading)
        if best is None or doubt < best[0]:
            best = doubt, reading
        if doubt == 0:
            break
    if best is None:
        why = "no quantities to decide were found: say what is made, bought or used, and what each unit takes"
        curved = _curved(text)
        return Reading(text.text, None, (Finding("variables", 0, len(text.text), why), *curved))
    return best[1]


_MOST_NAMINGS: Final = 10
_DOUBTS: Final[Mapping[Topic, float]] = {"variables": 20.0, "objective": 3.0, "assumption": 0.0}


def _doubt(reading: Reading) -> float:
    """How much a reading leaves open; one quantity alone is rarely what is meant."""
    alone = reading.problem is not None and len(reading.problem.variables) == 1
    open_ends = sum(_DOUBTS.get(one.topic, 1.0) for one in reading.findings)
    return open_ends + 5.0 * alone + 0.02 * _gaps(reading)


def _gaps(reading: Reading) -> int:
    """How many variables the weighted sums of a reading leave out: all of them hold all variables in most texts."""
    problem = reading.problem
    if problem is None or problem.objective is None:
        return 0
    sums = [problem.objective.terms, *(one.terms for one in problem.constraints if isinstance(one, LinearBound))]
    return sum(len(problem.variables) - len(terms_of(terms) or ()) for terms in sums)


_LONGEST: Final = 6_000  # characters that are read closely
_TELLING: Final = re.compile(
    r"\d|\b(?:maximi[sz]|minimi[sz]|most|least|fewest|best|lowest|highest|must|should|cannot|need|require|limit|half"
    r"|third|quarter|twice|double|percent|dozen|hundred|thousand|million|two|three|four|five|six|seven|eight|nine|ten)",
    re.I,
)


def _shortened(text: str) -> tuple[str, int]:
    """A long text with blanks for sentences that tell nothing, and the character where it is cut.

    Sentences that stand beside one with a number or a demand are kept: they may name what that is about.
    """
    if len(text) <= _LONGEST:
        return text, len(text)
    places = sentences(text)
    telling = [_TELLING.search(text, *place) is not None for place in places]
    kept = length = 0
    blanks: list[tuple[int, int]] = []
    for i, (start, end) in enumerate(places):
        if not any(telling[max(i - 1, 0) : i + 2]):
            blanks.append((start, end))
            continue
        length += end - start
        if length > _LONGEST:
            # What is cut off first is what nothing is left of.
            return without(text, blanks)[: kept or _LONGEST], kept or _LONGEST
        kept = end
    return without(text, blanks), len(text)


_SEVERAL: Final = re.compile(
    r"\b(?:(?:of|in|to|for) each|both|respectively|(?:two|three|four) (?:types|kinds))\b", re.I
)
_AMOUNTS: Final = table("kg kilogram gram g mg lb pound ounce oz ton tonne litr gallon ml acr hectar hour minut")


def assemble(naming: Naming, roles: Mapping[int, Role] | None = None) -> Reading:
    """The reading of a text whose variables are known; `roles` as in `reading.numbers.amounts`."""
    text = naming.text
    numbers = amounts(naming, roles)
    labels = [_label(naming, i) for i in range(len(naming.names))]
    names = identifiers([text.text[slice(*text.characters(span))] for span in labels])
    reader = Reader(
        naming, names, numbers, attributes(uses(naming, numbers), [one for one in numbers if one.role == "limit"])
    )
    objective, used = reader.objective()
    said = reader.limits()
    findings = []
    if objective is None and not said and not reader.attributes:
        why = "this is no optimisation problem: nothing is to be the most or the least, nothing is measured or limited"
        return Reading(text.text, None, (Finding("variables", 0, len(text.text), why), *_curved(text)))
    if objective is None:
        why = "no words such as maximize or minimize say what is wanted"
        findings.append(Finding("objective", 0, len(text.text), why))
    elif reader.guessed:
        why = "what each unit adds to this was not understood: what is sought is a guess"
        findings.append(Finding("objective", *(objective.sources[""].span or (0, 0)), why))
    findings += _curved(text)
    several = _SEVERAL.search(text.text)
    if len(names) == 1 and several is not None:
        why = "the text speaks of several things, of which only one was found to decide about"
        findings.append(Finding("sentence", *several.span(), why))
    problem = Problem(
        text=text.text,
        variables={name: _variable(naming, i, labels[i]) for i, name in enumerate(names)},
        objective=objective,
        constraints=_distinct(said),
    )
    findings += _unused(text, numbers, used.union(*(one.used for one in said)))
    findings += _unread(text, problem, {one.figure.start for one in numbers if one.role == "passed"})
    for name, variable in problem.variables.items():
        where = variable.sources[""].span or (0, 0)
        findings.append(Finding("assumption", *where, f"'{name}' is taken to be {variable.domain}"))
    return Reading(text.text, problem, tuple(findings))


def leftovers(problem: Problem, text: str, found: Sequence[Finding] = (), *, counted: Collection[int] = ()) -> Reading:
    """A problem that was read otherwise, with what is known of its text and what of the text it does not use.

    Numbers in `counted` only say how many there are, such as the members of a set.
    """
    findings = list(found)
    if problem.objective is None:
        why = "nothing says what is wanted: add what to minimise or maximise"
        findings.append(Finding("objective", 0, len(text), why))
    statements = (*problem.constraints, *([problem.objective] if problem.objective is not None else []))
    owners = (*statements, *problem.parameters.values())
    used = {one.span for statement in owners for name, one in statement.sources.items() if name and one.span}
    passed = {1, len(problem.variables), *counted}  # such as "one chair takes", "two products"
    for figure in numbers_in(text):
        if (figure.start, figure.end) not in used and figure.value not in passed:
            why = f"no statement uses '{text[figure.start : figure.end]}'"
            findings.append(Finding("number", figure.start, figure.end, why))
    findings += _unread(Text(text), problem)
    for name, variable in problem.variables.items():
        place = variable.sources.get("")
        where = (place.span if place is not None else None) or (0, 0)
        findings.append(Finding("assumption", *where, f"'{name}' is taken to be {variable.domain}"))
    return Reading(text, problem, tuple(findings))


def _curved(text: Text) -> list[Finding]:
    """What the text says that is not linear."""
    return [
        Finding("nonlinear", start, end, f"this seems to be {what}, which is not linear: the model leaves it out")
        for start, end, what in nonlinear(text)
    ]


def _label(naming: Naming, variable: int) -> Span:
    """Where a variable is named first, with the noun that belongs to it."""
    found = naming.label(variable)
    assert found is not None  # a naming has a mention of each of its variables
    words = naming.text.words
    last = found.last
    while last < len(words) and words[last].stem in naming.shared:
        last += 1
    return Span(found.first, last)


def _variable(naming: Naming, variable: int, label: Span) -> Variable:
    text = naming.text
    start, end = text.characters(label)
    sources = {"": Mention(span=(start, end), text=text.text[start:end]), "domain": Mention(origin="assumed")}
    return Variable(domain=_domain(naming, variable), label=text.text[start:end], sources=sources)


def _domain(naming: Naming, variable: int) -> Domain:
    """Things that are counted are whole; what is weighed, poured, grown or invested is not."""
    words = naming.text.words
    for one in naming.mentions:
        at = one.span.first
        if one.variable == variable and at > 1 and words[at - 1].lower == "of" and words[at - 2].stem in _AMOUNTS:
            return "continuous"
    return "continuous" if re.search(r"\b(how much|invest\w*)\b", naming.text.text, re.I) else "integer"


def _distinct(said: Sequence[Said]) -> tuple[Constraint, ...]:
    """Statements in the order of the text; what is said twice is kept once."""
    found: dict[str, Constraint] = {}
    for one in sorted(said, key=lambda x: x.statement.sources[""].span or (0, 0)):
        plain = one.statement.model_copy(update={"sources": {}})
        found.setdefault(plain.model_dump_json(), one.statement)
    return tuple(found.values())


def _unused(text: Text, numbers: Sequence[Amount], used: frozenset[int]) -> list[Finding]:
    return [
        Finding(
            "number",
            one.figure.start,
            one.figure.end,
            f"no statement uses '{text.text[one.figure.start : one.figure.end]}'",
        )
        for one in numbers
        if one.role != "passed" and one.figure.start not in used
    ]


def _unread(text: Text, problem: Problem, passed: Collection[int] = ()) -> list[Finding]:
    """Sentences that seem to say something and gave no part of the problem.

    Numbers that start at characters in `passed` say nothing of their own.
    """
    statements = (*problem.constraints, *([problem.objective] if problem.objective is not None else []))
    spans = [one.span for statement in statements for one in statement.sources.values() if one.span is not None]
    labels = [variable.label or name for name, variable in problem.variables.items()]
    found = []
    for sentence in text.sentences:
        start, end = text.characters(sentence)
        if any(a < end and b > start for a, b in spans) or not claims(text, sentence):
            continue
        if not only_tells(text, sentence, labels, passed):
            found.append(Finding("sentence", start, end, "nothing was understood of this sentence"))
    return found
