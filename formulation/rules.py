"""A description read by rules alone, without any model: words, variables, numbers, statements, and what was left over.

It always gives a reading. What it did not understand is in `findings`: sentences that gave nothing, numbers that
no statement uses, and what was assumed. A reading with a finding of the topic 'variables' or 'objective' is no whole
model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from formulation.kinds.base import Constraint, Mention
from formulation.model import Model
from formulation.naming import identifiers
from formulation.reading.numbers import Amount, Role, amounts
from formulation.reading.statements import Reader, Said
from formulation.reading.uses import attributes, uses
from formulation.reading.variables import Naming, find_variables
from formulation.reading.words import Span, Text, table
from formulation.schema import Domain, Problem, Variable

__all__ = ["Finding", "Reading", "assemble", "read"]

Topic = Literal["variables", "objective", "sentence", "number", "assumption"]


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
    parsed = Text(text[:_LONGEST])
    naming = find_variables(parsed) if parsed.words else None
    if naming is None or not naming.mentions:
        why = "no quantities to decide were found: say what is made, bought or used, and what each unit takes"
        return Reading(text, None, (Finding("variables", 0, len(text), why),))
    reading = assemble(naming)
    if len(text) <= _LONGEST:
        return reading
    rest = Finding("sentence", _LONGEST, len(text), f"the text is read up to character {_LONGEST} only")
    return replace(reading, text=text, findings=(*reading.findings, rest))


_LONGEST: Final = 6_000  # characters that are read; longer texts are cut
_AMOUNTS: Final = table("kg kilogram gram g mg lb pound ounce oz ton tonne litr gallon ml acr hectar hour minut")


def assemble(naming: Naming, roles: Mapping[int, Role] | None = None) -> Reading:
    """The reading of a text whose variables are known; `roles` as in `reading.numbers.amounts`."""
    text = naming.text
    numbers = amounts(naming, roles)
    labels = [_label(naming, i) for i in range(len(naming.names))]
    names = identifiers([text.text[slice(*text.characters(span))] for span in labels])
    reader = Reader(naming, names, numbers, attributes(uses(naming, numbers)))
    objective, used = reader.objective()
    said = reader.limits()
    findings = []
    if objective is None:
        why = "no words such as maximize or minimize say what is wanted"
        findings.append(Finding("objective", 0, len(text.text), why))
    problem = Problem(
        text=text.text,
        variables={name: _variable(naming, i, labels[i]) for i, name in enumerate(names)},
        objective=objective,
        constraints=_distinct(said),
    )
    findings += _unused(text, numbers, used.union(*(one.used for one in said)))
    findings += _unread(text, problem)
    for name, variable in problem.variables.items():
        where = variable.sources[""].span or (0, 0)
        findings.append(Finding("assumption", *where, f"'{name}' is taken to be {variable.domain}"))
    return Reading(text.text, problem, tuple(findings))


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


_CLAIMS: Final = re.compile(
    r"\b(must|cannot|can not|should|if|either|only|at least|at most|not|requires?|needs?)\b", re.I
)


def _unread(text: Text, problem: Problem) -> list[Finding]:
    """Sentences that seem to say something and gave no part of the problem."""
    statements = (*problem.constraints, *([problem.objective] if problem.objective is not None else []))
    spans = [one.span for statement in statements for one in statement.sources.values() if one.span is not None]
    found = []
    for sentence in text.sentences:
        start, end = text.characters(sentence)
        if _CLAIMS.search(text.text, start, end) and not any(a < end and b > start for a, b in spans):
            found.append(Finding("sentence", start, end, "nothing was understood of this sentence"))
    return found
