"""Checks of a problem before its data: names, indices, linearity and units, each with its place.

Units: both sides of a relation, and all terms of a sum, have one unit. What declares none has an unknown one, and
nothing is ever wrong with that. Nor is it known of a number written into an expression: 45 in `45*chair` may be
dollars per chair. Only 1, -1, percentages and `selected(x)` leave the unit of what they multiply as it is, and a
number that stands alone has the unit of what is beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, NoReturn

from pydantic import BaseModel

from data.errors import UserError
from formulation.expressions import (
    Add,
    And,
    At,
    Compare,
    Condition,
    Div,
    Edge,
    Expr,
    Generator,
    Index,
    Item,
    Logical,
    Member,
    Mul,
    Not,
    Num,
    Or,
    Quantifier,
    Ref,
    Selected,
    Sum,
    as_index,
)
from formulation.kinds.base import Constraint, Objective
from formulation.primitives import (
    Disjunction,
    Goal,
    Indicator,
    Multiple,
    PiecewiseCost,
    Primitive,
    Row,
    SemiContinuous,
)
from formulation.schema import Problem, Variable, expressions_in, suggestion
from formulation.units import ONE, Unit

__all__ = ["check", "mistakes"]


def check(problem: Problem) -> None:
    """Raise UserError for the first mistake, with its place, and say how many more there are."""
    found = mistakes(problem)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UserError(f"{found[0]}{more}")


def mistakes(problem: Problem) -> tuple[str, ...]:
    """The first mistake of every set, parameter, variable and statement, as `place: what is wrong`."""
    names = [*_set_mistakes(problem), *_index_mistakes(problem)]
    return tuple(names or _Checker(problem).run())


# ---- sets and parameters ---------------------------------------------------------------------------------------------


def _set_mistakes(problem: Problem) -> Iterator[str]:
    sets = problem.sets
    for name, members in sets.items():
        for i, part in enumerate(members.within):
            if part not in sets:
                yield f'sets.{name}.within[{i}]: no such set "{part}"{suggestion(part, sets)}'
    # A set is laid aside once the sets it comes from are; what remains refers in a circle.
    waiting = dict(sets)
    while ready := [name for name, members in waiting.items() if not any(part in waiting for part in members.within)]:
        for name in ready:
            del waiting[name]
    circle = [name for name, members in waiting.items() if any(part in waiting for part in members.within)]
    if circle:
        yield f"sets.{circle[0]}.within: the sets {', '.join(circle)} refer to each other"


def _index_mistakes(problem: Problem) -> Iterator[str]:
    for name, parameter in problem.parameters.items():
        for i, part in enumerate(parameter.index):
            if part not in problem.sets:
                yield f'parameters.{name}.index[{i}]: no such set "{part}"{suggestion(part, problem.sets)}'
                break


# ---- places ----------------------------------------------------------------------------------------------------------


class _Mistake(Exception):
    """What is wrong with a node of a tree (or with one of several, the first that stands in a field).

    `short` says it where the place names the node already.
    """

    def __init__(self, node: object, what: str, short: str | None = None, *, beside: object = None) -> None:
        super().__init__(what)
        self.nodes = (node, beside)
        self.what = what
        self.short = short


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple):
        for part in tree:
            yield from _nodes(part)
    elif is_dataclass(tree):
        yield tree
        for field in fields(tree):
            yield from _nodes(getattr(tree, field.name))


def _name(node: object) -> str | None:
    match node:
        case Ref(name=name) | Generator(set=name) | Member(set=name) | Edge(set=name) | At(symbol=name):
            return name
    return None


def _by_variable(tree: object) -> dict[int, str]:
    """The places of variables in coefficients by variable: `["chair"]`."""
    terms = tree.terms if isinstance(tree, Add) else (tree,)
    if not all(isinstance(term, Mul) and isinstance(term.right, Ref | Selected) for term in terms):
        return {}
    if not isinstance(tree, Add) and not (isinstance(tree, Mul) and isinstance(tree.left, Num)):
        return {}
    return {id(node): f'["{term.right}"]' for term in terms if isinstance(term, Mul) for node in _nodes(term)}


def _told(mistake: _Mistake, record: BaseModel, base: str) -> str:
    """A mistake with its place: the field that holds its node, or else one that names the same."""
    trees = list(expressions_in(record))
    for wrong in mistake.nodes:
        for path, tree in trees:
            if any(node is wrong for node in _nodes(tree)):
                inner = _by_variable(tree).get(id(wrong), "")
                if mistake.short is not None and inner == f'["{wrong}"]':
                    return f"{base}.{path}{inner}: {mistake.short}"
                return f"{base}.{path}{inner if isinstance(tree, Add) else ''}: {mistake.what}"
    name = _name(mistake.nodes[0])
    alike = (path for path, tree in trees if name is not None and name in map(_name, _nodes(tree)))
    return f"{'.'.join((base, *itertools.islice(alike, 1)))}: {mistake.what}"


# ---- expressions -----------------------------------------------------------------------------------------------------

_Scope = dict[str, str | None]  # the set that each bound symbol runs through
# The unit of an expression. None: unknown. "number": a number of whatever unit. "pure": what changes no unit.
_Measure = Unit | Literal["number", "pure"] | None
_PURE: Final = (1, -1)


class _Checker:
    """Walks through a problem's variables and statements."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.objective: _Measure = None

    def run(self) -> Iterator[str]:
        """The first mistake of every variable and statement."""
        problem = self.problem
        for name, variable in problem.variables.items():
            yield from self._first(variable, f"variables.{name}", self._variable, variable)
        if problem.objective is not None:
            yield from self._first(problem.objective, "objective", self._objective, problem.objective)
        for i, statement in enumerate(problem.constraints):
            yield from self._first(statement, f"constraints[{i}]", self._constraint, statement)

    @staticmethod
    def _first(record: BaseModel, base: str, look: Any, *given: Any) -> Iterator[str]:
        try:
            look(*given)
        except _Mistake as mistake:
            yield _told(mistake, record, base)
        except UserError as error:  # of a kind that cannot be lowered
            yield f"{base}: {error}"

    # -- statements --

    def _variable(self, variable: Variable) -> None:
        scope: _Scope = {}
        self._quantifier(variable.over, scope)
        for bound in (variable.lower, variable.upper, variable.minimum):
            if bound is not None:
                self._alike("compares", bound, [variable.unit, self._number(bound, scope)])

    def _objective(self, objective: Objective) -> None:
        goals = objective.goals()
        found = [self._goal(goal) for goal in goals]
        self.objective = found[0] if len(found) == 1 and goals[0].weight is None else None

    def _goal(self, goal: Goal) -> _Measure:
        scope: _Scope = {}
        self._quantifier(goal.over, scope)
        if goal.weight is not None:
            self._number(goal.weight, {})
        return self._alike("compares", goal.of[0], [self._measure(of, scope) for of in goal.of])

    def _constraint(self, statement: Constraint) -> None:
        scope: _Scope = {}
        self._quantifier(statement.forall, scope)
        for _, found in expressions_in(statement):
            if isinstance(found, Logical):
                self._decision(found)
        for primitive in statement.lower():
            self._primitive(primitive, dict(scope))

    def _decision(self, decision: Logical) -> None:
        of = decision.of
        if not isinstance(of, Ref):
            return
        if of.name in self.problem.parameters:
            raise _Mistake(of, f"'{of}' is no decision: it is a parameter")
        if of.name in self.problem.variables and self.problem.variables[of.name].domain != "binary":
            raise _Mistake(of, f"'{of}' is no decision: it is not binary; selected({of}) says whether it is used")

    def _primitive(self, given: Primitive, scope: _Scope) -> None:
        self._quantifier(given.over, scope)
        match given:
            case Row():
                self._row(given, scope)
            case Indicator(when=when, then=then):
                self._measure(when.of, scope)
                self._rows(then, scope)
            case Disjunction(alternatives=alternatives):
                for rows in alternatives:
                    self._rows(rows, scope)
            case SemiContinuous(of=of, minimum=minimum, maximum=maximum):
                amount = self._chosen(of, scope)
                for bound in (minimum, maximum):
                    if bound is not None:
                        self._alike("compares", bound, [amount, self._number(bound, scope)])
            case Multiple(of=of, size=size):
                self._alike("compares", size, [self._measure(of, scope), self._number(size, scope)])
            case PiecewiseCost(of=of, points=points, before=before, after=after):
                amount = self._measure(of, scope)
                for x, y in points:
                    self._alike("compares", x, [amount, self._number(x, scope)])
                    self._alike("adds", y, [self.objective, self._number(y, scope)])
                for slope in (before, after):
                    if slope is not None:
                        paid = self._times(self._number(slope, scope), amount)
                        self._alike("adds", slope, [self.objective, paid])

    def _rows(self, rows: Iterable[Row], scope: _Scope) -> None:
        for row in rows:
            inside = dict(scope)
            self._quantifier(row.over, inside)
            self._row(row, inside)

    def _row(self, row: Row, scope: _Scope) -> None:
        sides = [self._measure(row.left, scope), self._measure(row.right, scope)]
        self._alike("compares", row.left, sides, beside=row.right)

    # -- expressions --

    def _number(self, expr: Expr, scope: _Scope) -> _Measure:
        """The unit of what must hold no variable."""
        found = self._measure(expr, scope)
        variable = self._variable_in(expr)
        if variable is not None:
            raise _Mistake(variable, f"must be a number: it holds the variable '{variable}'")
        return found

    def _variable_in(self, expr: Expr) -> Ref | None:
        match expr:
            case Ref(name=name):
                return expr if name in self.problem.variables else None
            case Selected(of=of):
                return of
            case Add(terms=terms):
                return next((found for term in terms if (found := self._variable_in(term)) is not None), None)
            case Mul(left=a, right=b) | Div(above=a, below=b):
                return self._variable_in(a) or self._variable_in(b)
            case Sum(body=body):
                return self._variable_in(body)
        return None

    def _measure(self, expr: Expr, scope: _Scope) -> _Measure:
        """The unit of an expression, once its names, indices and products are right."""
        match expr:
            case Num(number=found):
                percent = found.text is not None and found.text.endswith("%")
                return "pure" if percent or found.value in _PURE else "number"
            case Ref(name=name):
                if name in self.problem.parameters:
                    return self._parameter(expr, scope)
                if name in self.problem.variables:
                    return self._chosen(expr, scope)
                if name in scope:
                    raise _Mistake(expr, f"'{name}' is a member of a set, not a number: use a parameter indexed by it")
                close = suggestion(name, [*self.problem.variables, *self.problem.parameters])
                raise _Mistake(expr, f'no such variable or parameter "{name}"{close}', f"no such variable{close}")
            case Selected(of=of):
                self._chosen(of, scope)
                return "pure"
            case Add(terms=terms):
                return self._alike("adds", expr, [self._measure(term, scope) for term in terms])
            case Mul(left=left, right=right):
                found_ = self._times(self._measure(left, scope), self._measure(right, scope))
                one, other = self._variable_in(left), self._variable_in(right)
                if one is not None and other is not None:
                    what = f"'{expr}' multiplies variables: only linear expressions can be solved"
                    raise _Mistake(expr, what, beside=one)
                return found_
            case Div(above=above, below=below):
                measure, by = self._measure(above, scope), self._measure(below, scope)
                variable = self._variable_in(below)
                if variable is not None:
                    raise _Mistake(variable, f"'{expr}' divides by a variable: only linear expressions can be solved")
                return self._times(measure, ONE / by if isinstance(by, Unit) else by)
            case Sum(over=over, body=body):
                inside = dict(scope)
                self._quantifier(over, inside)
                return self._measure(body, inside)
        raise AssertionError(expr)

    @staticmethod
    def _times(left: _Measure, right: _Measure) -> _Measure:
        if isinstance(left, Unit) and isinstance(right, Unit):
            return left * right
        if left == "pure" or right == "pure":
            return right if left == "pure" else left
        return "number" if left == right == "number" else None

    @staticmethod
    def _alike(does: str, node: Expr, measures: Sequence[_Measure], *, beside: Expr | None = None) -> _Measure:
        """The one unit that all of these have, as far as they have one."""
        units = [found for found in measures if isinstance(found, Unit)]
        other = next((found for found in units if found != units[0]), None)
        if other is not None:
            raise _Mistake(node, f"{does} {units[0]} and {other}", beside=beside)
        if units:
            return units[0]
        return None if None in measures else "number" if "number" in measures or not measures else "pure"

    def _parameter(self, ref: Ref, scope: _Scope) -> _Measure:
        parameter = self.problem.parameters[ref.name]
        widths = [self._dimension(name) for name in parameter.index]
        wanted = None if None in widths else sum(width for width in widths if width is not None)
        self._arity(ref, wanted, parameter.index)
        self._indices(ref.index, scope)
        return parameter.unit

    def _chosen(self, ref: Ref, scope: _Scope) -> _Measure:
        if ref.name not in self.problem.variables:
            if ref.name in self.problem.parameters:
                raise _Mistake(ref, f'"{ref.name}" is a parameter: name a variable here')
            raise _Mistake(ref, f'no such variable "{ref.name}"{suggestion(ref.name, self.problem.variables)}')
        variable = self.problem.variables[ref.name]
        symbols = list(dict.fromkeys(variable.over.symbols)) if variable.over is not None else []
        self._arity(ref, len(symbols), symbols)
        self._indices(ref.index, scope)
        return variable.unit

    def _arity(self, ref: Ref, wanted: int | None, index: Sequence[str]) -> None:
        given = len(ref.index)
        if wanted is None or given == wanted:
            return
        many = f"{wanted} ind{'ex' if wanted == 1 else 'ices'} ({', '.join(index)})" if wanted else "no index"
        raise _Mistake(ref, f"'{ref}' has {given or 'none'}, but \"{ref.name}\" has {many}")

    # -- indices, quantifiers, conditions --

    def _set(self, node: object, name: str) -> None:
        if name not in self.problem.sets:
            raise _Mistake(node, f'no such set "{name}"{suggestion(name, self.problem.sets)}')

    def _dimension(self, name: str) -> int | None:
        """How many parts a set's members have; None where only its data say so."""
        members = self.problem.sets[name]
        if members.within:
            parts = [self._dimension(part) for part in members.within]
            return None if None in parts else sum(part for part in parts if part is not None)
        if members.table is not None:
            return len(members.table.keys)
        if members.elements is not None:
            first = next(iter(members.elements), None)
            return None if first is None else len(first) if isinstance(first, tuple) else 1
        return 1

    def _places(self, name: str, width: int) -> tuple[str | None, ...]:
        """For each place of a set's members, the set that it runs through."""
        within = self.problem.sets[name].within
        if width == 1:
            return (name,)
        found = tuple(place for part in within for place in self._places(part, self._dimension(part) or 1))
        return found if len(found) == width else (None,) * width

    def _ordered(self, name: str | None) -> bool:
        members = self.problem.sets[name] if name is not None else None
        return members is not None and (members.ordered or members.range is not None)

    def _indices(self, index: Iterable[Index], scope: _Scope) -> None:
        for part in index:
            match part:
                case At(symbol=symbol, shift=shift):
                    if symbol not in scope:
                        self._unbound(part)
                    if shift and not self._ordered(scope[symbol]):
                        raise _Mistake(
                            part, f"'{part}': {symbol} runs through no ordered set: give its set 'ordered: true'"
                        )
                case Edge(set=name):
                    self._set(part, name)
                    if not self._ordered(name):
                        raise _Mistake(part, f"'{part}': \"{name}\" is not ordered: give it 'ordered: true'")
                case Item():
                    pass

    def _unbound(self, at: At) -> NoReturn:
        owners = [
            name
            for name, members in self.problem.sets.items()
            if members.elements is not None and at.symbol in members.elements
        ]
        if owners:
            raise _Mistake(at, f"'{at.symbol}' is an element of \"{owners[0]}\": put it in quotes")
        raise _Mistake(
            at,
            f"'{at.symbol}' is bound by no quantifier: put an element of that name in quotes, "
            f"or add 'forall: {at.symbol} in ...'",
        )

    def _quantifier(self, over: Quantifier | None, scope: _Scope) -> None:
        """Check a quantifier, and add its symbols to `scope`."""
        if over is None:
            return
        for generator in over.generators:
            self._set(generator, generator.set)
            width = self._dimension(generator.set)
            if width is not None and width != len(generator.symbols):
                raise _Mistake(
                    generator,
                    f"'{generator}': the members of \"{generator.set}\" have {width} parts, "
                    f"not {len(generator.symbols)}",
                )
            places = self._places(generator.set, len(generator.symbols))
            for symbol, place in zip(generator.symbols, places, strict=True):
                if symbol in self.problem.variables or symbol in self.problem.parameters:
                    what = "variable" if symbol in self.problem.variables else "parameter"
                    raise _Mistake(generator, f"'{symbol}' is also a {what}: choose another symbol")
                scope.setdefault(symbol, place)
        if over.condition is not None:
            self._condition(over.condition, scope)

    def _condition(self, condition: Condition, scope: _Scope) -> None:
        match condition:
            case Compare(left=left, right=right):
                sides = [as_index(left, scope), as_index(right, scope)]
                self._indices((side for side in sides if not isinstance(side, Expr)), scope)
                found = [self._number(side, scope) for side in sides if isinstance(side, Expr)]
                if isinstance(left, Expr):
                    self._alike("compares", left, found)
            case Member(index=index, set=name):
                self._set(condition, name)
                width = self._dimension(name)
                if width is not None and width != len(index):
                    raise _Mistake(condition, f"'{condition}': the members of \"{name}\" have {width} parts")
                self._indices(index, scope)
            case And(parts=parts) | Or(parts=parts):
                for part in parts:
                    self._condition(part, scope)
            case Not(part=part):
                self._condition(part, scope)
