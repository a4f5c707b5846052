"""What a careful analyst would ask about a problem and its solution. Nothing here is a mistake for certain."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

from data.errors import UserError
from formulation.binding import Key, show_key
from formulation.canonical import form, system
from formulation.expressions import Num, constant, names_in
from formulation.ground import Ground, Rows
from formulation.kinds.base import Mention
from formulation.kinds.proportion import Proportion
from formulation.linearize import linearize
from formulation.lines import one_line, shown
from formulation.meaning import World
from formulation.numbers import Rational, exact
from formulation.primitives import Row
from formulation.quantities import Figure, numbers_in
from formulation.region import OutOfReach, Region
from formulation.schema import Problem, Variable, expressions_in
from formulation.solve import Solution, solve

if TYPE_CHECKING:
    from formulation.model import Model

__all__ = ["Finding", "Topic", "findings"]

Topic = Literal[
    "unused parameter",
    "unused set",
    "unconstrained variable",
    "unused number",
    "share without basis",
    "strict",
    "arbitrary bound",
    "assumption",
    "never binds",
    "domain",
]
_MOST_NONZEROS: Final = 50_000  # of a model that is written anew for each of its statements
_MOST_NAMED: Final = 3
_AROUND: Final = 30  # characters of the text on either side of a number


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: a `warning` may change the result, a `note` may be as it should.

    `statement` is the id of a statement, or `variables.x`, `parameters.c`, `sets.S`, `variables`, `constraints` or
    `text`.
    """

    statement: str
    topic: Topic
    severity: Literal["warning", "note"]
    sentence: str

    def plain(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)


def findings(
    model: Model,
    values: Mapping[tuple[str, Key], Rational] | None = None,
    *,
    solution: Solution | None = None,
    time_limit: float = 5.0,
) -> tuple[Finding, ...]:
    """What there is to ask about a model, and about values at which it holds; warnings first.

    `solution` is one of this very model, if there is one; it saves a solve. `time_limit` is how many seconds are spent
    on what needs solving (writing the models for it out comes on top): statements that never bind, and whole numbers
    that change the optimum. What was not decided by then is said; with 0 both are left out. Raises UserError and
    DataError as the model does.
    """
    if not time_limit >= 0:
        raise UserError(f"time_limit: {time_limit} is no time: give seconds, or 0 to solve nothing")
    started = time.monotonic()
    problem = model.problem
    found = [*_unused(problem), *_unconstrained(model), *_unused_numbers(model), *_shares(problem)]
    for statement, note in dict(model.ground.notes).items():
        found.append(Finding(statement, "strict", "note", f"In {statement} {note}."))
    if values is not None:
        found += [*_arbitrary_bounds(model, World(model.bound, values)), *_assumptions(model, values)]
    if time_limit:
        found += _never_binding(model, feasible=values is not None, until=started + time_limit / 2)
        found += _domains(model, solution, until=started + time_limit)
    return tuple(sorted(found, key=lambda one: one.severity != "warning"))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


# ---- what is used ----------------------------------------------------------------------------------------------------


def _unused(problem: Problem) -> Iterator[Finding]:
    """Parameters and sets that nothing names."""
    records = [*problem.variables.values(), *problem.constraints, problem.objective]
    named = {name for record in records for _, found in expressions_in(record) for name in names_in(found)}
    for name in problem.parameters:
        if name not in named:
            yield Finding(f"parameters.{name}", "unused parameter", "warning", f"The parameter {name} is used nowhere.")
    named.update(*(parameter.index for parameter in problem.parameters.values()))
    named.update(*(members.within for members in problem.sets.values()))
    for name in problem.sets:
        if name not in named:
            yield Finding(f"sets.{name}", "unused set", "warning", f"The set {name} is used nowhere.")


def _unconstrained(model: Model) -> Iterator[Finding]:
    """Variables, or elements of them, that no statement holds; a coefficient of 0 holds nothing."""
    ground = model.ground
    held = {i for row in _all_rows(ground) for i in row.columns} | {when.column for when in ground.whens}
    held |= {i for lots in ground.lots for i in lots.of.columns} | {i for cost in ground.costs for i in cost.of.columns}
    valued = {i for goal in ground.goals for of in goal.of for i in of.columns}
    for given in ground.ranges.values():  # the columns that say whether another one is used
        held |= {given.column} if given.statement or given.selected in held else set()
        valued |= {given.column} if given.selected in valued else set()
    for name in model.problem.variables:
        columns = ground.column[name]
        free = {key: i for key, i in columns.items() if i not in held}
        useless = [show_key(name, key) for key, i in free.items() if i not in valued]
        if useless:
            told = f"{_some(useless)} {_is(useless)} in no constraint and not in the objective."
            severity: Literal["warning", "note"] = "warning" if len(useless) == len(columns) else "note"
            yield Finding(f"variables.{name}", "unconstrained variable", severity, told)
        limited = [show_key(name, key) for key, i in free.items() if i in valued]
        if limited:
            told = f"{_some(limited)} {_is(limited)} in no constraint: only bounds say how far the objective can go."
            yield Finding(f"variables.{name}", "unconstrained variable", "note", told)


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _all_rows(ground: Ground) -> Iterator[Rows]:
    yield from ground.rows
    yield from (when.row for when in ground.whens)
    yield from (row for choice in ground.choices for rows in choice.alternatives for row in rows)


# ---- the text --------------------------------------------------------------------------------------------------------


def _unused_numbers(model: Model) -> Iterator[Finding]:
    """Numbers of the text that no field was taken from, and that are no value of the model.

    0 and 1 are everywhere, and a number may count things: variables, or the members of a set.
    """
    problem, text = model.problem, model.problem.text
    if not text:
        return
    spans, quoted = _mentioned(problem)
    known = _known_values(model) | quoted
    for figure in numbers_in(text):
        if any(start < figure.end and figure.start < end for start, end in spans) or known & _readings(figure):
            continue
        around = one_line(text[max(0, figure.start - _AROUND) : figure.end + _AROUND])
        told = (
            f'No part of the model uses the number {text[figure.start : figure.end]} of the text: "... {around} ...".'
        )
        yield Finding("text", "unused number", "warning", told)


def _readings(figure: Figure) -> set[Fraction]:
    """What a number of a text may have become: its negative, the share that remains, one in percent or in thousands."""
    value = figure.value
    return {value, -value, 1 - value, value / 100, value * 100, value / 1000, value / 10**6}


def _mentioned(problem: Problem) -> tuple[list[tuple[int, int]], set[Fraction]]:
    """Where single fields were taken from, and the numbers in quotes without a place.

    Where a whole statement stands says nothing of each of its numbers.
    """
    mentions = [mention for one in problem.parameters.values() for mention in one.sources.values()]
    for record in (*problem.variables.values(), *problem.constraints, problem.objective):
        mentions += [mention for place, mention in record.sources.items() if place] if record is not None else []
    spans = [mention.span for mention in mentions if mention.span is not None]
    quotes = [mention.text for mention in mentions if mention.span is None and mention.text is not None]
    return spans, {figure.value for quote in quotes for figure in numbers_in(quote)}


def _known_values(model: Model) -> set[Fraction]:
    problem, bound = model.problem, model.bound
    found: set[Rational] = {0, 1, len(problem.variables)}
    for record in (*problem.variables.values(), *problem.constraints, problem.objective):
        found.update(node.number.value for _, tree in expressions_in(record) for node in _numbers(tree))
    for values in bound.parameters.values():
        found.update(values.values())
    found.update(one.default.value for one in problem.parameters.values() if one.default is not None)
    for members in bound.sets.values():
        found.add(len(members.items))
        ends = (*members.items[:1], *members.items[-1:])
        found.update(part for item in ends for part in item if isinstance(part, int))
    return {Fraction(value) for value in found}


def _numbers(tree: Any) -> Iterator[Num]:
    if isinstance(tree, Num):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _numbers(part)
    elif is_dataclass(tree):
        for one in fields(tree):
            yield from _numbers(getattr(tree, one.name))


_BASIS: Final = re.compile(
    r"\s*(?:%|percent\b|per cent\b)?\s*(?:of|as (?:many|much)|the (?:number|amount|size|total)|more|less|fewer)\b",
    re.IGNORECASE,
)


def _shares(problem: Problem) -> Iterator[Finding]:
    """A share of something that the text does not name: the basis was chosen by whoever wrote the model."""
    for statement in problem.constraints:
        if not isinstance(statement, Proportion):
            continue
        whole = statement.sources.get("whole")
        if whole is not None:
            if whole.origin == "assumed":
                told = f"What the share in {statement.id} is a share of was assumed: {statement.whole}."
                yield Finding(statement.id, "share without basis", "warning", told)
            continue
        ends = _share_ends(problem.text or "", statement)
        if ends and not any(_BASIS.match(problem.text or "", end) for end in ends):
            share = statement.share.number if isinstance(statement.share, Num) else statement.share
            told = f"What the {share} in {statement.id} is a share of, the text does not say; here {statement.whole}."
            yield Finding(statement.id, "share without basis", "note", told)


def _share_ends(text: str, statement: Proportion) -> list[int]:
    """Where the share ends in the text; nothing where it was not found."""
    mention = statement.sources.get("share")
    if mention is not None and mention.span is not None:
        return [mention.span[1]]
    number_ = statement.share.number if isinstance(statement.share, Num) else None
    quote = mention.text if mention is not None else number_.text if number_ is not None else None
    return [found.end() for found in re.finditer(rf"(?<!\w){re.escape(quote)}", text)] if quote else []


# ---- what was assumed ------------------------------------------------------------------------------------------------


def _is_assumed(mention: Mention | None) -> bool:
    return mention is not None and mention.origin == "assumed"


def _arbitrary_bounds(model: Model, world: World) -> Iterator[Finding]:
    """Variables at a bound that was assumed, or that the text does not give."""
    problem = model.problem
    told_numbers = set().union({Fraction(0), Fraction(1)}, *map(_readings, numbers_in(problem.text or "")))
    for name, variable in problem.variables.items():
        for side, end in (("lower", variable.lower), ("upper", variable.upper)):
            if end is None or side not in variable.model_fields_set:
                continue
            mention, why = variable.sources.get(side), ""
            if mention is not None:
                why = "which was assumed" if mention.origin == "assumed" else ""
            elif problem.text and isinstance(end, Num) and end.number.value not in told_numbers:
                why = "which the text does not give"
            if not why:
                continue
            at = {
                show_key(name, key): world.value(end, env)
                for env in world.instances(variable.over, {})
                if world.point[name, key := tuple(part.element for part in env.values())] == world.value(end, env)
            }
            if at:
                ends = sorted(set(at.values()))
                limit = shown(ends[0]) if len(ends) == 1 else f"{shown(ends[0])} to {shown(ends[-1])}"
                told = f"{_some(list(at))} {_is(list(at))} at the {side} bound {limit}, {why}."
                yield Finding(f"variables.{name}", "arbitrary bound", "warning", told)


def _assumptions(model: Model, values: Mapping[tuple[str, Key], Rational]) -> Iterator[Finding]:
    """Statements that were assumed, in part or as a whole, and that the values are at the limit of."""
    assumed = {
        statement.id: [place or "the whole" for place, mention in statement.sources.items() if _is_assumed(mention)]
        for statement in model.problem.constraints
    }
    if not any(assumed.values()):
        return
    from formulation.sensitivity import binding

    for statement in binding(model, values):
        if assumed[statement]:
            told = f"The values are at the limit of {statement}, which was assumed ({', '.join(assumed[statement])})."
            yield Finding(statement, "assumption", "warning", told)


# ---- statements that never bind --------------------------------------------------------------------------------------


def _never_binding(model: Model, *, feasible: bool, until: float) -> Iterator[Finding]:
    """Statements that hold wherever the others do.

    Those of rows alone are tried; logic that changes nothing would show in no number. A model that nothing satisfies
    has none.
    """
    ground = model.ground
    rows: dict[str, list[Rows]] = {}
    for statement in model.problem.constraints:
        if all(isinstance(primitive, Row) for primitive in statement.lower()):
            rows[statement.id] = []
    for row in ground.rows:
        if row.statement in rows:
            rows[row.statement].append(row)
    waiting = {statement: found for statement, found in rows.items() if found}
    undecided: list[str] = []
    if sum(len(row.columns) for row in _all_rows(ground)) > _MOST_NONZEROS:
        undecided, waiting = list(waiting), {}
    try:
        if waiting and not feasible and Region(system(model.matrix), until).empty().holds:
            return
    except OutOfReach:
        undecided, waiting = list(waiting), {}
    for place, (statement, found) in enumerate(waiting.items()):
        now = time.monotonic()
        try:
            without = linearize(replace(ground, rows=[row for row in ground.rows if row.statement != statement]))
        except UserError:  # a decision needs its limit
            continue
        try:
            others = Region(system(without), now + (until - now) / (len(waiting) - place))
            if all(_is_implied(others, row) for row in found):
                told = f"{statement} never binds: the other statements and the bounds of the variables imply it."
                yield Finding(statement, "never binds", "note", told)
        except OutOfReach:
            undecided.append(statement)
    if undecided:
        told = f"Whether {_some(undecided)} ever {'binds' if len(undecided) == 1 else 'bind'} was not decided."
        yield Finding(undecided[0] if len(undecided) == 1 else "constraints", "never binds", "note", told)


def _is_implied(others: Region, row: Rows) -> bool:
    """Whether every point of the others satisfies a row. Raises OutOfReach."""
    return all(
        others.satisfies(
            form({i: sign * a for i, a in zip(row.columns, row.coefficients, strict=True)}, sign * bound)
        ).holds
        for bound, sign in ((row.upper, 1), (row.lower, -1))
        if bound is not None
    )


# ---- whole numbers or not --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of solving, and the same in words."""

    status: str
    best: Fraction | None
    told: str = field(compare=False)


def _domains(model: Model, solution: Solution | None, *, until: float) -> Iterator[Finding]:
    """Whole numbers where divisible ones have another optimum, and the other way round.

    Not asked about are variables whose domain the text or the user gives.
    """
    asked: dict[str, list[str]] = {"integer": [], "continuous": []}
    for name, variable in model.problem.variables.items():
        mention = variable.sources.get("domain")
        if variable.domain != "binary" and (mention is None or mention.origin in ("assumed", "derived")):
            asked[variable.domain].append(name)
    if not any(asked.values()):
        return
    known = _outcome(solution if solution is not None else _solved(model, until))
    for domain, names in asked.items():
        if not names:
            continue
        could = "need not be whole" if domain == "integer" else "had to be whole"
        place = f"variables.{names[0]}" if len(names) == 1 else "variables"
        other = _outcome(_solved(_turned(model, names), until)) if known is not None else None
        if known is None or other is None:
            told = f"Whether the optimum would be another if {_some(names)} {could}, was not decided."
            yield Finding(place, "domain", "note", told)
        elif known != other:
            assumed = any(_is_assumed(model.problem.variables[name].sources.get("domain")) for name in names)
            told = f"If {_some(names)} {could}, {other.told}; as it is, {known.told}."
            yield Finding(place, "domain", "warning" if assumed else "note", told)


def _turned(model: Model, names: Sequence[str]) -> Model:
    """The model with the other domain for some variables. What counts as used stays as it was."""
    variables = dict(model.problem.variables)
    for name in names:
        variables[name] = _other_way(variables[name])
    return replace(model, problem=model.problem.model_copy(update={"variables": variables}))


def _other_way(variable: Variable) -> Variable:
    if variable.domain == "continuous":
        return variable.model_copy(update={"domain": "integer"})
    minimum = variable.minimum if variable.minimum is not None else constant(1)
    return variable.model_copy(update={"domain": "continuous", "minimum": minimum})


def _solved(model: Model, until: float) -> Solution | None:
    left = until - time.monotonic()
    try:
        return solve(model, time_limit=left) if left > 0 else None
    except UserError:  # a decision about an amount without a limit, or a number beyond the solver
        return None


def _outcome(solution: Solution | None) -> _Outcome | None:
    """What came of solving; None where that was not settled."""
    if solution is None or solution.status not in ("optimal", "infeasible", "unbounded"):
        return None
    if not solution.optimal:
        none = solution.status == "infeasible"
        told = "nothing satisfies all statements" if none else "the objective improves without end"
        return _Outcome(solution.status, None, told)
    best = solution.objective
    told = f"the optimum is {shown(exact(best))}" if best is not None else "all statements can be satisfied"
    return _Outcome("optimal", best, told)
