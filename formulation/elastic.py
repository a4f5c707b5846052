"""Statements with movable limits: what an infeasible problem becomes while it is relaxed, and after that.

A statement is movable where rows say it, alone, under a condition or as alternatives. It is written anew with general
kinds (`linear`, `conditional`, `either_or`), and every row's right side gets a term: a variable while the least moves
are searched, a number or a parameter in the model that results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from formulation.binding import Key
from formulation.expressions import And, At, Expr, Quantifier, Ref, Relation, constant
from formulation.kinds.base import Constraint
from formulation.kinds.conditional import Conditional
from formulation.kinds.either_or import EitherOr
from formulation.kinds.linear import Linear
from formulation.kinds.sides import minus, plus
from formulation.numbers import Rational, number
from formulation.primitives import Disjunction, Indicator, Primitive, Row
from formulation.schema import Parameter, Problem, Variable, read_problem

__all__ = ["Slack", "elastic", "limits", "movable", "moved"]


@dataclass(frozen=True, slots=True)
class Slack:
    """A variable that moves the limit of one row of a statement up (sign 1) or down (-1), for every binding."""

    variable: str
    statement: str
    row: int
    sign: int


def movable(statement: Constraint) -> bool:
    """Whether a statement is written in rows alone, each with a limit."""
    return all(
        isinstance(primitive, Row) or (_rows(primitive) and all(row.over is None for row in _rows(primitive)))
        for primitive in statement.lower()
    )


def limits(statement: Constraint) -> tuple[Row, ...]:
    """The rows that say a statement, in order."""
    return tuple(row for primitive in statement.lower() for row in _rows(primitive))


def elastic(problem: Problem, ids: Collection[str], whole: Collection[str]) -> tuple[Problem, tuple[Slack, ...]]:
    """A problem without objective in which the limits of some movable statements move by variables.

    The limits of those in `whole` move by whole numbers.
    """
    names = _free_names(problem)
    variables, slacks = dict(problem.variables), []

    def right(statement: Constraint, place: int, row: Row, over: Quantifier | None) -> Expr:
        found = row.right
        for sign, senses, word in ((1, ("<=", "=="), "above"), (-1, (">=", "=="), "below")):
            if row.sense in senses:
                name = names(f"{statement.id}_{word}{place or ''}")
                variables[name] = Variable(over=over, domain="integer" if statement.id in whole else "continuous")
                slacks.append(Slack(name, statement.id, place, sign))
                of = Ref(name, tuple(map(At, dict.fromkeys(over.symbols))) if over is not None else ())
                found = (plus if sign > 0 else minus)(found, of)
        return found

    constraints = _rewritten(problem, lambda statement: statement.id in ids, right)
    return _with(problem, constraints=constraints, variables=variables, objective=None), tuple(slacks)


def moved(problem: Problem, moves: Mapping[tuple[str, int], Mapping[Key, Rational]]) -> Problem:
    """A problem in which limits are moved: for a row of a statement and a binding, by how much its right side rises."""
    names = _free_names(problem)
    parameters = dict(problem.parameters)

    def right(statement: Constraint, place: int, row: Row, over: Quantifier | None) -> Expr:
        by_key = moves.get((statement.id, place))
        if by_key is None:
            return row.right
        if over is None:
            return plus(row.right, constant(by_key[()]))
        name = names(f"{statement.id}_moved{place or ''}")
        symbols = tuple(dict.fromkeys(over.symbols))
        rows = []
        for key, by in by_key.items():
            at = dict(zip(symbols, key, strict=True))
            rows.append([*(at[symbol] for symbol in over.symbols), number(by).plain()])
        index = [generator.set for generator in over.generators]
        parameters[name] = Parameter.model_validate({"index": index, "values": rows, "default": 0})
        return plus(row.right, Ref(name, tuple(map(At, over.symbols))))

    touched = {statement for statement, _ in moves}
    constraints = _rewritten(problem, lambda statement: statement.id in touched, right)
    return _with(problem, constraints=constraints, parameters=parameters)


_Right = Callable[[Constraint, int, Row, Quantifier | None], Expr]


def _rewritten(problem: Problem, chosen: Callable[[Constraint], bool], right: _Right) -> list[Constraint]:
    """The constraints, with those that are chosen written in rows, whose right sides are as `right` says."""
    taken = {statement.id for statement in problem.constraints}
    found: list[Constraint] = []
    for statement in problem.constraints:
        if not chosen(statement):
            found.append(statement)
            continue
        place = 0
        for part, primitive in enumerate(statement.lower(), start=1):
            over = _joined(statement.forall, primitive.over)
            relations = []
            for row in _rows(primitive):
                relations.append(Relation(row.left, row.sense, right(statement, place, row, over), row.strict))
                place += 1
            name = statement.id if part == 1 else _free(f"{statement.id}_{part}", taken)
            taken.add(name)
            shared = {x: getattr(statement, x) for x in ("label", "hard")}
            sources = {"": statement.sources[""]} if "" in statement.sources else {}
            found.append(_written(primitive, relations, {**shared, "id": name, "forall": over, "sources": sources}))
    return found


def _written(primitive: Primitive, relations: list[Relation], shared: dict[str, Any]) -> Constraint:
    match primitive:
        case Indicator(when=when):
            return Conditional(when=when, then=tuple(relations), **shared)
        case Disjunction(alternatives=alternatives):
            rest = iter(relations)
            return EitherOr(alternatives=tuple(tuple(next(rest) for _ in rows) for rows in alternatives), **shared)
    (relation,) = relations
    return Linear(row=relation, **shared)


def _rows(primitive: Primitive) -> tuple[Row, ...]:
    match primitive:
        case Row():
            return (primitive,)
        case Indicator(then=then):
            return then
        case Disjunction(alternatives=alternatives):
            return tuple(row for rows in alternatives for row in rows)
    return ()


def _joined(outer: Quantifier | None, inner: Quantifier | None) -> Quantifier | None:
    if outer is None or inner is None:
        return inner if outer is None else outer
    conditions = tuple(x for x in (outer.condition, inner.condition) if x is not None)
    condition = And(conditions) if len(conditions) == 2 else next(iter(conditions), None)
    return Quantifier((*outer.generators, *inner.generators), condition)


def _free_names(problem: Problem) -> Callable[[str], str]:
    taken = {*problem.sets, *problem.parameters, *problem.variables}

    def free(wanted: str) -> str:
        found = _free(wanted, taken)
        taken.add(found)
        return found

    return free


def _free(wanted: str, taken: Collection[str]) -> str:
    def candidates() -> Iterator[str]:
        yield wanted
        number = 2
        while True:
            yield f"{wanted}_{number}"
            number += 1

    return next(name for name in candidates() if name not in taken)


def _with(problem: Problem, **changed: Any) -> Problem:
    return read_problem({**{name: getattr(problem, name) for name in Problem.model_fields}, **changed})
