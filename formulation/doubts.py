"""What the solver and the text say against a draft, and which of its lines to read again for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from data.errors import DataError, UserError
from formulation.drafts import problem_of
from formulation.infeasible import iis
from formulation.model import Model
from formulation.quantities import Figure
from formulation.schema import Problem
from formulation.solve import solve
from formulation.wire import Draft, parse, statement_lines, tags_of

__all__ = ["Doubt", "doubts", "lines_in_doubt", "outcome"]

Topic = Literal["no draft", "unused number", "number used twice", "infeasible", "unbounded", "no objective"]
_SECONDS: Final = 2.0  # of the solver for one draft


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that speaks against a draft, and the line (counted from 0, variables included) to read again."""

    topic: Topic
    line: int


def doubts(text: str, figures: Sequence[Figure], written: str) -> tuple[Doubt, ...]:
    """What speaks against a draft, what is most likely a mistake first. Nothing of it is a mistake for certain."""
    try:
        draft = parse(written, len(figures))
        problem = problem_of(draft, text, figures)
    except DataError:
        return (Doubt("no draft", 0),)
    first, places = len(draft.variables), statement_lines(written)
    found = [*_numbers(draft, figures, written)]
    goals = [place for place, line in zip(places, draft.lines, strict=True) if line.kind in ("max", "min")]
    if not goals:
        found.append(Doubt("no objective", first))
    status = outcome(Model(problem, ignore_strict=True))
    if status == "unbounded":
        found.append(Doubt("unbounded", goals[0] if goals else first))
    elif status == "infeasible":
        found += [Doubt("infeasible", line) for line in _conflict(problem, draft, places)]
    return tuple(found)


def lines_in_doubt(text: str, figures: Sequence[Figure], written: str) -> list[int]:
    """The lines to read again, each once."""
    return list(dict.fromkeys(one.line for one in doubts(text, figures, written)))


def outcome(model: Model) -> str:
    """What the solver says of a model: a status of `formulation.solve.Solution`, or "failed"."""
    if model.problem.objective is None:
        return "failed"
    try:
        return solve(model, time_limit=_SECONDS).status
    except (UserError, DataError):
        return "failed"


def unused(draft: Draft, figures: Sequence[Figure]) -> list[int]:
    """Tags that no line uses. A 1 and counts such as "two products" are often said in passing: those are left out."""
    used = {tag for line in draft.lines for tag in line.tags()}
    passed = {1, len(draft.variables)}
    return [tag for tag, one in enumerate(figures, start=1) if tag not in used and one.value not in passed]


def twice(draft: Draft) -> list[int]:
    """Lines, counted from the first statement, whose limit is the number of a line before."""
    seen: Counter[tuple[int, str | None]] = Counter()
    found = []
    for number, line in enumerate(draft.lines):
        for amount in line.amounts:
            # The same number may bound from both sides, and a share or a factor several variables.
            key = (amount.tag, line.sense)
            if amount.tag and line.kind in ("linear", "sum", "range") and seen[key]:
                found.append(number)
            seen[key] += 1
    return found


def _numbers(draft: Draft, figures: Sequence[Figure], written: str) -> list[Doubt]:
    lines = written.splitlines()
    found = []
    for tag in unused(draft, figures):
        # Lines stand in the order of their numbers, so that a missing one belongs before the next.
        later = (at for at, line in enumerate(lines) if next(iter(tags_of(line)), 0) > tag and not _is_goal(line))
        found.append(Doubt("unused number", next(later, len(lines))))
    places = statement_lines(written)
    return found + [Doubt("number used twice", places[number]) for number in twice(draft)]


def _is_goal(line: str) -> bool:
    return line.startswith(("max ", "min "))


def _conflict(problem: Problem, draft: Draft, at: Sequence[int]) -> list[int]:
    """Lines of the statements that cannot hold together."""
    places = [place for place, line in zip(at, draft.lines, strict=True) if line.kind not in ("max", "min")]
    by_id = {one.id: place for one, place in zip(problem.constraints, places, strict=True)}
    try:
        found = iis(Model(problem, ignore_strict=True), time_limit=_SECONDS)
    except (UserError, DataError):
        return []
    return sorted(by_id[one] for one in found.statements if one in by_id)
