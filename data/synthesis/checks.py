"""What a row promises, looked at again from the row alone: schema, spans, numbers, solvability, a second reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from formulation.schema import Problem

__all__ = ["faults", "read_again", "solved", "value_at"]

_STEP: Final = re.compile(r"\[(?:(\d+)|'(\w+)')\]")
_TIME_LIMIT: Final = 20.0  # seconds for one problem


def faults(row: Mapping[str, Any]) -> list[str]:
    """What does not hold in a row, each in one line: its problem is no problem, a span says something else than the
    field that it stands for, a number of the text is neither used nor listed."""
    from data.errors import UserError
    from formulation.quantities import numbers_in, quantity
    from formulation.schema import read_problem

    try:
        problem = read_problem(row["problem"])
    except UserError as error:
        return [f"schema: {error}"]
    text = row["text"]
    found = [] if problem.text == text else ["the problem's text is another one"]
    used: set[tuple[int, int]] = set()
    for name, variable in problem.variables.items():
        mention = variable.sources.get("")
        if mention is None or mention.span is None:
            found.append(f"{name}: it is mentioned nowhere")
        elif not text[slice(*mention.span)] == mention.text == variable.label:
            found.append(f"{name}: its label is not what its span says")
    for owner, place, span, words in _spans(problem):
        if text[slice(*span)] != words:
            found.append(f"{owner}.{place}: the span {list(span)} is not '{words}'")
        if place == "":
            continue
        used.add(span)
        statement = problem.objective if owner == "objective" else problem.constraint(owner)
        try:
            said, meant = quantity(words).value, value_at(statement, place)
        except (ValueError, AttributeError, KeyError, IndexError, StopIteration, TypeError) as error:
            found.append(f"{owner}.{place}: {error}")
            continue
        if said != meant:
            found.append(f"{owner}.{place}: '{words}' says {said}, and the problem has {meant}")
    for one in row["distractors"]:
        if text[slice(*one["span"])] != one["text"]:
            found.append(f"the span of the distractor '{one['text']}' says something else")
        if tuple(one["span"]) in used:
            found.append(f"'{one['text']}' is both used and a distractor")
        used.add(tuple(one["span"]))
    there = {(figure.start, figure.end) for figure in numbers_in(text)}
    found += [f"the number '{text[slice(*span)]}' is not accounted for" for span in sorted(there - used)]
    found += [f"'{text[slice(*span)]}' does not read as a number" for span in sorted(used - there)]
    silent = [c.id for c in problem.constraints if c.sources.get("") is None]
    return found + [f"{name}: no words say it" for name in silent]


def _spans(problem: Problem) -> Iterator[tuple[str, str, tuple[int, int], str]]:
    """Statement, place, span and words of every source of a statement that the text holds."""
    statements = [("objective", problem.objective), *((c.id, c) for c in problem.constraints)]
    for name, statement in statements:
        if statement is None:
            continue
        for place, mention in statement.sources.items():
            if mention.span is not None and mention.text is not None:
                yield name, place, mention.span, mention.text


def value_at(statement: Any, place: str) -> Fraction:
    """The number at a place such as `limit`, `terms['chair']`, `then[0]` (a relation's right side),
    `alternatives[1][0]['chair']` (a coefficient of its left side) or `of[0]` (what is added to its variables).

    Raises AttributeError, KeyError, IndexError, StopIteration or TypeError where there is none.
    """
    from formulation.expressions import Add, Expr, Num, Ref, Relation, terms_of

    name = place.split("[")[0]
    at = getattr(statement, name)
    for number, key in _STEP.findall(place[len(name) :]):
        if number:
            at = at[int(number)]
            continue
        terms = terms_of(at.left if isinstance(at, Relation) else at)
        if terms is None:
            raise TypeError(f"'{at}' has no coefficient of {key}")
        return terms[Ref(key)].value
    if isinstance(at, Relation):
        at = at.right
    if isinstance(at, Add):
        at = next(term for term in at.terms if isinstance(term, Num))
    if not isinstance(at, Expr) or not isinstance(at, Num):
        raise TypeError(f"'{at}' is no number")
    return at.number.value


def solved(row: Mapping[str, Any]) -> tuple[str, str | None]:
    """The status that a row's problem has when it is solved, and its exact optimum as text, if any."""
    from formulation.model import load
    from formulation.numbers import decimal_text
    from formulation.solve import solve

    solution = solve(load(row["problem"]), time_limit=_TIME_LIMIT, threads=1)
    optimum = (
        decimal_text(solution.objective) if solution.status == "optimal" and solution.objective is not None else None
    )
    return solution.status, optimum


def read_again(row: Mapping[str, Any]) -> str | None:
    """What a reader that shares nothing with this package makes of the text: None where it builds an equivalent model,
    else why it does not."""
    from formulation.equivalence import compare
    from formulation.model import load
    from formulation.rules import read

    model = read(row["text"]).model()
    if model is None:
        return "the reader found no variables"
    found = compare(load(row["problem"]), model, time_limit=_TIME_LIMIT)
    return None if found.verdict == "EQUIVALENT" else f"{found.verdict.lower()}: {found.reason}"
