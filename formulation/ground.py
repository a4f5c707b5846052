"""A problem with its data, written out: columns, and every primitive for every binding of its symbols.

Coefficients stay exact. `Ground` still holds logic as logic; `formulation.linearize` turns it into rows alone.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Final, Literal

from data.errors import DataError, UserError
from formulation.binding import Bound, BoundSet, Key, show_key
from formulation.expressions import (
    Add,
    And,
    At,
    Compare,
    Condition,
    Div,
    Edge,
    Element,
    Expr,
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
    Sense,
    Sum,
    as_index,
)
from formulation.kinds.base import Constraint
from formulation.numbers import Rational, exact
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
from formulation.schema import Domain, expressions_in, suggestion

__all__ = [
    "Choice",
    "Column",
    "Cost",
    "Ground",
    "GroundGoal",
    "Linear",
    "Lots",
    "Range",
    "Role",
    "Rows",
    "When",
    "ground",
]

Role = Literal["variable", "selected", "choice", "lots", "piece", "cost", "worst"]


@dataclass(frozen=True, slots=True)
class Column:
    """A variable of the written-out model. Those of a role other than `variable` were added to say a statement."""

    name: str
    key: Key
    domain: Domain
    lower: Rational | None
    upper: Rational | None
    role: Role = "variable"
    statement: str = ""

    def __str__(self) -> str:
        return show_key(self.name, self.key)

    @property
    def integral(self) -> bool:
        """Whether only whole numbers are allowed."""
        return self.domain != "continuous"


@dataclass(frozen=True, slots=True)
class Linear:
    """sum(coefficients * columns) + constant. Columns are numbers, each at most once, no coefficient is 0."""

    columns: tuple[int, ...]
    coefficients: tuple[Rational, ...]
    constant: Rational = 0

    def value(self, point: Sequence[Rational] | Mapping[int, Rational]) -> Rational:
        """The value at a point."""
        return self.constant + sum(a * point[i] for i, a in zip(self.columns, self.coefficients, strict=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """lower <= linear part <= upper; None is no bound. The constant has been taken to the bounds."""

    columns: tuple[int, ...]
    coefficients: tuple[Rational, ...]
    lower: Rational | None
    upper: Rational | None
    statement: str
    key: Key = ()
    derived: bool = False
    """Whether the row was added to say a statement in rows: a link, a big-M, a piece of a cost."""


@dataclass(frozen=True, slots=True)
class When:
    """The row holds where the binary column has the value `active`."""

    column: int
    active: Literal[0, 1]
    row: Rows


@dataclass(frozen=True, slots=True)
class Choice:
    """All rows of at least one alternative hold."""

    alternatives: tuple[tuple[Rows, ...], ...]
    statement: str
    key: Key = ()


@dataclass(frozen=True, slots=True)
class Range:
    """The column is 0 (the binary `selected` is 0), or within [minimum, maximum] (it is 1).

    A minimum of 0: the binary is 1 where the column is positive, and may be 1 where it is 0, which nothing rewards.
    """

    column: int
    selected: int
    minimum: Rational
    maximum: Rational | None
    statement: str
    key: Key = ()


@dataclass(frozen=True, slots=True)
class Lots:
    """of == size * the whole number `count`, a column."""

    of: Linear
    size: Rational
    count: int
    statement: str
    key: Key = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """A piecewise-linear cost of `of` through points of rising x, with slopes beyond them (None: not allowed there)."""

    of: Linear
    points: tuple[tuple[Rational, Rational], ...]
    before: Rational | None
    after: Rational | None
    statement: str
    key: Key = ()

    def at(self, x: Rational) -> Rational | None:
        """The cost at x, None where x is not allowed."""
        (first, start), (last, end) = self.points[0], self.points[-1]
        if x < first:
            return None if self.before is None else start + self.before * (x - first)
        if x > last:
            return None if self.after is None else end + self.after * (x - last)
        for (a, f), (b, g) in itertools.pairwise(self.points):
            if x <= b:
                return exact(f + Fraction(g - f, 1) * (x - a) / (b - a))
        return start


@dataclass(frozen=True, slots=True)
class GroundGoal:
    """What is minimised or maximised. With `worst`, the largest (smallest) of `of`; else `of` holds one expression."""

    sense: Literal["minimize", "maximize"]
    of: tuple[Linear, ...]
    worst: bool = False
    weight: Rational = 1
    priority: int = 0


@dataclass
class Ground:
    """A written-out model. `column` finds a column's number by name and key."""

    bound: Bound
    columns: list[Column] = field(default_factory=list)
    column: dict[str, dict[Key, int]] = field(default_factory=dict)
    rows: list[Rows] = field(default_factory=list)
    whens: list[When] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    ranges: dict[int, Range] = field(default_factory=dict)
    lots: list[Lots] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    goals: list[GroundGoal] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What was decided while writing out, by statement id: a strict row that could only be closed."""

    def add(self, column: Column) -> int:
        """A new column's number."""
        by_key = self.column.setdefault(column.name, {})
        if column.key in by_key:
            raise AssertionError(f"two columns {column}")
        by_key[column.key] = len(self.columns)
        self.columns.append(column)
        return len(self.columns) - 1


def ground(bound: Bound, *, ignore_strict: bool = False) -> Ground:
    """Write a problem out. `ignore_strict` reads < as <= (as NL4Opt's gold models do).

    Raises DataError or UserError, with the statement's id.
    """
    model = Ground(bound)
    writer = _Writer(model, ignore_strict)
    for name, variable in bound.problem.variables.items():
        with _placed(f"variables.{name}"):
            writer.variable(name, variable)
    for statement in bound.problem.constraints:
        with _placed(statement.id):
            writer.decisions(statement)
    # The ranges first: what `selected(x)` means elsewhere does not depend on the order of statements.
    lowered = [(statement, statement.lower()) for statement in bound.problem.constraints]
    for statement, primitives in lowered:
        with _placed(statement.id):
            for primitive in primitives:
                if isinstance(primitive, SemiContinuous):
                    writer.primitive(primitive, statement.forall, statement.id)
    objective = bound.problem.objective
    if objective is not None:
        with _placed("objective"):
            for goal in objective.goals():
                writer.goal(goal)
    for statement, primitives in lowered:
        with _placed(statement.id):
            for primitive in primitives:
                if not isinstance(primitive, SemiContinuous):
                    writer.primitive(primitive, statement.forall, statement.id)
    return model


class _placed:
    """Says in which statement a mistake is."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, UserError):
            raise type(error)(f"{self.place}: {error}") from None


# ---- compiling expressions -------------------------------------------------------------------------------------------

_Env = dict[str, Element]
_Scope = dict[str, str | None]  # the set that each bound symbol runs through
_Row = dict[int, Rational]
_Emit = Callable[[_Env, Rational, _Row], Rational]  # adds factor * terms to the row; returns factor * constant
_Data = Callable[[_Env], Rational]
_KeyOf = Callable[[_Env], Key]
_Side = Literal["number", "member", "rank"]  # what a comparison asks of its sides

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Writer:
    """Compiles expressions to closures, once each, and runs them for every binding."""

    def __init__(self, model: Ground, ignore_strict: bool) -> None:
        self.model = model
        self.bound = model.bound
        self.problem = model.bound.problem
        self.ignore_strict = ignore_strict
        # The sign of what never gains from growing, in the row, goal or cost that is being written: 1 in a row <=.
        self.burden: Literal[-1, 0, 1] = 0

    # -- data --

    def _has_variables(self, expr: Expr) -> bool:
        match expr:
            case Ref(name=name):
                return name in self.problem.variables
            case Selected():
                return True
            case Add(terms=terms):
                return any(map(self._has_variables, terms))
            case Mul(left=a, right=b) | Div(above=a, below=b):
                return self._has_variables(a) or self._has_variables(b)
            case Sum(body=body):
                return self._has_variables(body)
        return False

    def data(self, expr: Expr, scope: _Scope) -> _Data:
        """A closure that gives the value of an expression without variables."""
        if self._has_variables(expr):
            raise UserError(f"'{expr}' must be a number: it holds a variable")
        emit = self.emit(expr, scope)
        nothing: _Row = {}  # it stays so: there are no variables
        return lambda env: emit(env, 1, nothing)

    def key(self, index: Sequence[Index], scope: _Scope) -> _KeyOf:
        """A closure that gives the key of an index."""
        parts = [self._part(part, scope) for part in index]
        if len(parts) == 1:
            (one,) = parts
            return lambda env: (one(env),)
        if index and all(isinstance(part, At) and not part.shift for part in index):
            return operator.itemgetter(*(part.symbol for part in index if isinstance(part, At)))
        return lambda env: tuple([part(env) for part in parts])

    def _part(self, part: Index, scope: _Scope) -> Callable[[_Env], Element]:
        match part:
            case Item(element=element):
                return lambda env: element
            case Edge(end=end, set=name):
                members = self._set(name)
                if not members.items:
                    return self._no_member(part, name)
                edge = members.items[0 if end == "first" else -1][0]
                return lambda env: edge
            case At(symbol=symbol, shift=shift):
                if symbol not in scope:
                    raise UserError(
                        f"'{symbol}' is bound by no quantifier: put an element of that name in quotes, "
                        f"or add 'forall: {symbol} in ...'"
                    )
                if not shift:
                    return lambda env: env[symbol]
                return self._shift(part, scope[symbol])
        raise AssertionError(part)

    @staticmethod
    def _no_member(part: Edge, name: str) -> Callable[[_Env], Element]:
        def missing(env: _Env) -> Element:  # not before it is asked for: what runs through an empty set never asks
            raise DataError(f"{part}: the set '{name}' is empty")

        return missing

    def _shift(self, part: At, name: str | None) -> Callable[[_Env], Element]:
        members = self.bound.sets[name] if name is not None else None
        if members is None or not members.ordered:
            raise UserError(f"'{part}': {part.symbol} runs through no ordered set: give its set 'ordered: true'")
        symbol, shift, position, items = part.symbol, part.shift, members.position, members.items

        def shifted(env: _Env) -> Element:
            place = position[env[symbol],] + shift
            if 0 <= place < len(items):
                return items[place][0]
            end = "first" if shift < 0 else "last"
            raise DataError(f"'{part}' leaves '{name}' at {env[symbol]!r}: filter it (if {symbol} != {end}({name}))")

        return shifted

    def _set(self, name: str) -> Any:
        if name not in self.bound.sets:
            raise UserError(f"no set '{name}'{suggestion(name, self.bound.sets)}")
        return self.bound.sets[name]

    # -- linear expressions --

    def emit(self, expr: Expr, scope: _Scope) -> _Emit:
        """A closure that adds an expression to a row."""
        match expr:
            case Num(number=found):
                value = found.rational
                return lambda env, factor, row: factor * value
            case Ref(name=name, index=index) if name in self.problem.parameters:
                return self._parameter(name, index, scope)
            case Ref(name=name, index=index) if name in self.problem.variables:
                column = self._column(expr, scope)

                def variable(env: _Env, factor: Rational, row: _Row) -> Rational:
                    i = column(env)
                    row[i] = row.get(i, 0) + factor
                    return 0

                return variable
            case Ref(name=name):
                if name in scope:
                    raise UserError(f"'{name}' is a member of a set, not a number: use a parameter indexed by it")
                known = [*self.problem.variables, *self.problem.parameters]
                raise UserError(f"no variable or parameter '{name}'{suggestion(name, known)}")
            case Selected(of=of):
                column, name = self._column(of, scope), str(of)

                def chosen(env: _Env, factor: Rational, row: _Row) -> Rational:
                    i = self.selected(column(env), name, burden=factor * self.burden > 0)
                    row[i] = row.get(i, 0) + factor
                    return 0

                return chosen
            case Add(terms=terms):
                emits = [self.emit(term, scope) for term in terms]

                def add(env: _Env, factor: Rational, row: _Row) -> Rational:
                    constant: Rational = 0
                    for emit in emits:
                        constant += emit(env, factor, row)
                    return constant

                return add
            case Mul(left=left, right=right):
                if self._has_variables(left) and self._has_variables(right):
                    raise UserError(f"'{expr}' multiplies variables: only linear expressions can be solved")
                if self._has_variables(left):
                    left, right = right, left
                scale, body = self.data(left, scope), self.emit(right, scope)
                return lambda env, factor, row: body(env, factor * scale(env), row)
            case Div(above=above, below=below):
                if self._has_variables(below):
                    raise UserError(f"'{expr}' divides by a variable: only linear expressions can be solved")
                body, divisor = self.emit(above, scope), self.data(below, scope)

                def divide(env: _Env, factor: Rational, row: _Row) -> Rational:
                    by = divisor(env)
                    if not by:
                        raise DataError(f"'{expr}' divides by zero")
                    return body(env, exact(Fraction(factor) / by), row)

                return divide
            case Sum(over=over, body=inner):
                inside = dict(scope)
                loop = self.loop(over, inside)
                body = self.emit(inner, inside)

                def sum_(env: _Env, factor: Rational, row: _Row) -> Rational:
                    constant: Rational = 0
                    for inner_env in loop(env):
                        constant += body(inner_env, factor, row)
                    return constant

                return sum_
        raise AssertionError(expr)

    def _parameter(self, name: str, index: Sequence[Index], scope: _Scope) -> _Emit:
        width = sum(self.bound.sets[part].dimension for part in self.problem.parameters[name].index)
        self._arity(name, len(index), width)
        if not index:
            value = self.bound.parameter(name, ())
            return lambda env, factor, row: factor * value
        key, values, missing = self.key(index, scope), self.bound.parameters[name], self.bound.parameter

        def parameter(env: _Env, factor: Rational, row: _Row) -> Rational:
            at = key(env)
            found = values.get(at)
            return factor * (found if found is not None else missing(name, at))

        return parameter

    def _column(self, ref: Ref, scope: _Scope) -> Callable[[_Env], int]:
        if ref.name not in self.problem.variables:
            raise UserError(f"no variable '{ref.name}'{suggestion(ref.name, self.problem.variables)}")
        over = self.problem.variables[ref.name].over
        width = len(dict.fromkeys(over.symbols)) if over is not None else 0
        self._arity(ref.name, len(ref.index), width)
        by_key, key = self.model.column.setdefault(ref.name, {}), self.key(ref.index, scope)
        name = ref.name

        def column(env: _Env) -> int:
            try:
                return by_key[key(env)]
            except KeyError:
                raise DataError(f"{show_key(name, key(env))} does not exist: filter it out (... if ...)") from None

        if not ref.index:
            fixed = by_key[()]
            return lambda env: fixed
        return column

    @staticmethod
    def _arity(name: str, given: int, wanted: int) -> None:
        if given != wanted:
            raise UserError(f"'{name}' has {wanted or 'no'} ind{'ex' if wanted == 1 else 'ices'}, not {given}")

    def selected(self, column: int, name: str, *, burden: bool) -> int:
        """The binary column that says whether a column is used at all.

        With `burden` nothing here gains where it is 1 (a cost is paid, a limited number is used up). Then it need not
        be 0 where the column is 0, so a continuous variable needs no minimum.
        """
        of = self.model.columns[column]
        if of.domain == "binary":
            return column
        known = self.model.ranges.get(column)
        if known is None or not (known.minimum or burden):
            variable = self.problem.variables[of.name]
            minimum: Rational
            if variable.minimum is not None:
                env = self._env_of(of)
                scope = self._scope_of(variable.over)
                minimum = self._above_0(self.data(variable.minimum, scope)(env), of)
            elif of.domain == "integer":
                minimum = 1
            elif burden:
                minimum = 0
            else:
                raise UserError(
                    f"selected({name}): the variable is continuous, so say how much counts as used: give it a 'minimum'"
                )
            self._range(column, minimum, None, "")
        return self.model.ranges[column].selected

    @staticmethod
    def _above_0(minimum: Rational, of: Column) -> Rational:
        if minimum <= 0:
            raise DataError(f"{of}: the minimum {minimum} must be above 0")
        return exact(minimum)

    def _range(self, column: int, minimum: Rational, maximum: Rational | None, statement: str) -> None:
        """Keep a column at 0 or within a range; a second range of the same column narrows the first."""
        of = self.model.columns[column]
        if of.lower is None or of.lower < 0:
            raise UserError(f"{of} can be negative: what is used or not needs a lower bound of 0")
        known = self.model.ranges.get(column)
        if known is None:
            binary = Column(f"{of.name}.selected", of.key, "binary", 0, 1, "selected", statement)
            self.model.ranges[column] = Range(column, self.model.add(binary), minimum, maximum, statement, of.key)
        else:
            highs = [x for x in (known.maximum, maximum) if x is not None]
            self.model.ranges[column] = Range(
                column,
                known.selected,
                max(known.minimum, minimum),
                min(highs, default=None),
                known.statement or statement,
                of.key,
            )

    def _scope_of(self, over: Quantifier | None) -> _Scope:
        scope: _Scope = {}
        for generator in over.generators if over is not None else ():
            scope.update(zip(generator.symbols, self.bound.places(generator.set), strict=True))
        return scope

    def _env_of(self, column: Column) -> _Env:
        over = self.problem.variables[column.name].over
        return dict(zip(dict.fromkeys(over.symbols), column.key, strict=True)) if over is not None else {}

    # -- quantifiers --

    def loop(self, over: Quantifier | None, scope: _Scope) -> Callable[[_Env], Iterable[_Env]]:
        """A closure that gives every binding, as one dictionary that changes; adds the symbols to `scope`."""
        if over is None:
            return lambda env: (env,)
        waiting = list(over.condition.parts) if isinstance(over.condition, And) else [over.condition]
        tests = [(test, self._symbols(test)) for test in waiting if test is not None]
        steps: list[tuple[Any, tuple[int, ...], tuple[int, ...], tuple[str, ...], list[Callable[[_Env], bool]]]] = []
        for number, generator in enumerate(over.generators):
            members = self._set(generator.set)
            if len(generator.symbols) != members.dimension and members.items:
                raise UserError(
                    f"'{generator}': the members of '{generator.set}' have {members.dimension} parts, "
                    f"not {len(generator.symbols)}"
                )
            symbols, places = generator.symbols, self.bound.places(generator.set)
            if not members.items:  # its members have no number of parts
                places = (places * len(symbols))[: len(symbols)]
            known = tuple(i for i, symbol in enumerate(symbols) if symbol in scope)
            fresh = tuple(i for i, symbol in enumerate(symbols) if symbol not in scope and symbols.index(symbol) == i)
            if len(set(symbols)) < len(symbols) and members.items:  # (i, i) in PAIRS
                same = [(symbols.index(symbol), i) for i, symbol in enumerate(symbols)]
                items = tuple(item for item in members.items if all(item[a] == item[b] for a, b in same))
                members = BoundSet(members.name, items, members.ordered, members.dimension, members.position)
            for i in fresh:
                scope[symbols[i]] = places[i]
            # A condition is tested as soon as its symbols are bound, but never before one that stands left of it,
            # which may guard it.
            later = {symbol for other in over.generators[number + 1 :] for symbol in other.symbols} - scope.keys()
            conditions: list[Callable[[_Env], bool]] = []
            while tests and not tests[0][1] & later:
                conditions.append(self.condition(tests.pop(0)[0], scope))
            steps.append((members, known, fresh, symbols, conditions))

        def run(env: _Env, depth: int, tested: bool = True) -> Iterable[_Env]:
            if depth == len(steps):
                yield env
                return
            members, known, fresh, symbols, conditions = steps[depth]
            last = depth + 1 == len(steps)  # then a generator for every member is spared
            if known:
                items = members.by(known).get(tuple(env[symbols[i]] for i in known), ())
            else:
                items = members.items
            for item in items:
                for i in fresh:
                    env[symbols[i]] = item[i]
                holds = True
                try:
                    for test in conditions if tested else ():
                        if not test(env):
                            holds = False
                            break
                except DataError:
                    if any(True for _ in run(dict(env), depth + 1, tested=False)):
                        raise
                    holds = False  # tested too soon: the generators to the right leave this binding out
                if holds and last:
                    yield env
                elif holds:
                    yield from run(env, depth + 1, tested)

        return lambda env: run(dict(env), 0)

    def _symbols(self, given: Condition | Index | Expr) -> set[str]:
        """Names in a condition that could be bound symbols."""
        match given:
            case At(symbol=symbol):
                return {symbol}
            case Compare(left=a, right=b) | Mul(left=a, right=b) | Div(above=a, below=b):
                return self._symbols(a) | self._symbols(b)
            case Member(index=index) | Ref(index=index) if index:
                return set().union(*map(self._symbols, index))
            case Ref(name=name):
                return {name} - self.problem.parameters.keys() - self.problem.variables.keys()
            case And(parts=parts) | Or(parts=parts):
                return set().union(*map(self._symbols, parts))
            case Not(part=part):
                return self._symbols(part)
            case Add(terms=terms):
                return set().union(*map(self._symbols, terms))
            case Sum(over=over, body=body):
                inner = self._symbols(body) | (self._symbols(over.condition) if over.condition is not None else set())
                return inner.union(over.symbols)  # a symbol that is bound already filters the sum
        return set()

    def condition(self, given: Condition, scope: _Scope) -> Callable[[_Env], bool]:
        """A closure that tests a condition."""
        match given:
            case Compare():
                return self._comparison(given, scope)
            case Member(index=index, set=name):
                members = self._set(name)
                if len(index) != members.dimension:
                    raise UserError(f"'{given}': the members of '{name}' have {members.dimension} parts")
                key = self.key(index, scope)

                def member(env: _Env) -> bool:
                    try:
                        return key(env) in members.position
                    except DataError:  # a shift that leaves its set is a member of nothing
                        return False

                return member
            case And(parts=parts):
                tests = [self.condition(part, scope) for part in parts]
                return lambda env: all(test(env) for test in tests)
            case Or(parts=parts):
                tests = [self.condition(part, scope) for part in parts]
                return lambda env: any(test(env) for test in tests)
            case Not(part=part):
                test = self.condition(part, scope)
                return lambda env: not test(env)
        raise AssertionError(given)

    def _comparison(self, given: Compare, scope: _Scope) -> Callable[[_Env], bool]:
        compare, left, right = _COMPARE[given.op], as_index(given.left, scope), as_index(given.right, scope)
        how: _Side
        if isinstance(left, Expr) or isinstance(right, Expr):
            how = "number"
        else:
            how = "member" if given.op in ("==", "!=") else "rank"
        ranked = how == "rank"
        a, b = self._side(left, scope, how), self._side(right, scope, how)
        orders = [name for side in (left, right) if (name := self._order(side, scope)) is not None]
        position = self.bound.sets[orders[0]].position if orders else None
        shifts = [side.shift if isinstance(side, At) else 0 for side in (left, right)]
        if ranked and any(shifts) and position is None:
            raise UserError(f"'{given}': its symbols run through no ordered set: give their set 'ordered: true'")

        def compared(env: _Env) -> bool:
            try:
                x, y = a(env), b(env)
                if ranked and position is not None and (any(shifts) or isinstance(x, str) or isinstance(y, str)):
                    if (x,) not in position or (y,) not in position:
                        raise DataError(f"'{given}': {x!r} and {y!r} are not both in one ordered set")
                    x, y = position[x,] + shifts[0], position[y,] + shifts[1]
                return compare(x, y)
            except TypeError:
                raise DataError(f"'{given}' compares a number with a text: use == or !=") from None

        return compared

    def _order(self, side: Index | Expr, scope: _Scope) -> str | None:
        """The ordered set that a side of a comparison moves in."""
        name = scope.get(side.symbol) if isinstance(side, At) else side.set if isinstance(side, Edge) else None
        return name if name is not None and self._set(name).ordered else None

    def _side(self, side: Index | Expr, scope: _Scope, how: _Side) -> Callable[[_Env], Any]:
        """The value of a side of a comparison; as a rank, its member before the shift."""
        if isinstance(side, Expr):
            return self.data(side, scope)
        if how == "rank" and isinstance(side, At):
            return self._part(At(side.symbol), scope)
        part = self._part(side, scope)
        if how != "member" or isinstance(side, Item) or (isinstance(side, At) and not side.shift):
            return part

        def member(env: _Env) -> Element | None:
            try:
                return part(env)
            except DataError:  # what leaves its set, and an end of an empty one, equals no member
                return None

        return member

    # -- statements --

    def decisions(self, statement: Constraint) -> None:
        """Raise UserError for a decision of a statement that is no yes or no."""
        for place, found in expressions_in(statement):
            if not isinstance(found, Logical) or not isinstance(found.of, Ref):
                continue
            of = found.of
            if of.name in self.problem.parameters:
                raise UserError(f"{place}: '{of}' is no decision: it is a parameter")
            if of.name in self.problem.variables and self.problem.variables[of.name].domain != "binary":
                raise UserError(
                    f"{place}: '{of}' is no decision: it is not binary; selected({of}) says whether it is used"
                )

    def variable(self, name: str, variable: Any) -> None:
        """The columns of a declared variable."""
        scope: _Scope = {}
        known = self.model.column.setdefault(name, {})
        loop = self.loop(variable.over, scope)
        low, high = (None if x is None else self.data(x, scope) for x in (variable.lower, variable.upper))
        for env in loop({}):
            lower = None if low is None else exact(low(env))
            upper = None if high is None else exact(high(env))
            if variable.domain == "binary":
                lower, upper = 0, 1
            key = tuple(env.values())
            if key in known:
                raise DataError(f"{show_key(name, key)} is there twice")
            if lower is not None and upper is not None and lower > upper:
                raise DataError(f"{show_key(name, key)}: its lower bound {lower} is above its upper bound {upper}")
            self.model.add(Column(name, key, variable.domain, lower, upper))

    def goal(self, goal: Goal) -> None:
        """One goal of the objective."""
        scope: _Scope = {}
        loop = self.loop(goal.over, scope)
        emits = [self.emit(expr, scope) for expr in goal.of]
        weight = self.data(goal.weight, {})({}) if goal.weight is not None else 1
        if weight < 0:
            raise DataError(f"the weight of a goal may not be below 0, not {weight}: turn its sense round instead")
        self.burden = 1 if goal.sense == "minimize" else -1
        found = [self._linear(emit, env) for env in loop({}) for emit in emits]
        if not found:
            raise DataError("it has nothing to optimise: its quantifier is empty")
        self.model.goals.append(GroundGoal(goal.sense, tuple(found), goal.worst, weight, goal.priority))

    @staticmethod
    def _linear(emit: _Emit, env: _Env) -> Linear:
        row: _Row = {}
        constant = emit(env, 1, row)
        kept = {i: exact(a) for i, a in row.items() if a}
        return Linear(tuple(kept), tuple(kept.values()), exact(constant))

    def primitive(self, given: Primitive, forall: Quantifier | None, statement: str) -> None:
        """Write a primitive out for all bindings of its statement's quantifier and its own."""
        scope: _Scope = {}
        outer = self.loop(forall, scope)
        inner = self.loop(given.over, scope)
        write = self._prepare(given, scope, statement)
        for env in outer({}):
            for one in inner(env):
                write(one, tuple(one.values()))

    def _prepare(self, given: Primitive, scope: _Scope, statement: str) -> Callable[[_Env, Key], None]:
        model = self.model
        match given:
            case Row():
                row = self._row(given, scope, statement)
                return lambda env, key: model.rows.append(row(env, key))
            case Indicator(when=when, then=then):
                rows = [self._nested(row, scope, statement) for row in then]
                column = self._decision(when, scope)
                active: Literal[0, 1] = 0 if when.negated else 1
                return lambda env, key: model.whens.extend(
                    When(column(env), active, row) for make in rows for row in make(env, key)
                )
            case Disjunction(alternatives=alternatives):
                parts = [[self._nested(row, scope, statement) for row in rows] for rows in alternatives]

                def choice(env: _Env, key: Key) -> None:
                    found = tuple(tuple(row for make in rows for row in make(env, key)) for rows in parts)
                    model.choices.append(Choice(found, statement, key))

                return choice
            case SemiContinuous(of=of, minimum=minimum, maximum=maximum):
                column = self._column(of, scope)
                low = self.data(minimum, scope)
                high = self.data(maximum, scope) if maximum is not None else None

                def semi(env: _Env, key: Key) -> None:
                    least = self._above_0(low(env), model.columns[column(env)])
                    self._range(column(env), least, None if high is None else exact(high(env)), statement)

                return semi
            case Multiple(of=of, size=size):
                emit, amount = self.emit(of, scope), self.data(size, scope)

                def lots(env: _Env, key: Key) -> None:
                    self.burden = 0
                    found = exact(amount(env))
                    if found <= 0:
                        raise DataError(f"the size of a lot must be above 0, not {found}")
                    count = model.add(Column(f"{statement}.lots", key, "integer", None, None, "lots", statement))
                    model.lots.append(Lots(self._linear(emit, env), found, count, statement, key))

                return lots
            case PiecewiseCost(of=of, points=points, before=before, after=after):
                emit = self.emit(of, scope)
                ends = [(self.data(x, scope), self.data(y, scope)) for x, y in points]
                slopes = [None if slope is None else self.data(slope, scope) for slope in (before, after)]

                def cost(env: _Env, key: Key) -> None:
                    at = tuple((exact(x(env)), exact(y(env))) for x, y in ends)
                    if any(a[0] >= b[0] for a, b in itertools.pairwise(at)):
                        raise DataError(f"the amounts {', '.join(str(x) for x, _ in at)} of its points must rise")
                    first, last = (None if slope is None else exact(slope(env)) for slope in slopes)
                    if len(at) == 1 and (first is None or last is None):
                        raise DataError("one point is no function: add points, or slopes before and after it")
                    rises = all(a[1] <= b[1] for a, b in itertools.pairwise(at)) and (last is None or last >= 0)
                    self.burden = 1 if rises and first is not None and first >= 0 else 0
                    model.costs.append(Cost(self._linear(emit, env), at, first, last, statement, key))

                return cost
        raise AssertionError(given)

    def _decision(self, decision: Logical, scope: _Scope) -> Callable[[_Env], int]:
        of = decision.of
        if isinstance(of, Selected):
            column, name = self._column(of.of, scope), str(of.of)
            return lambda env: self.selected(column(env), name, burden=not decision.negated)
        return self._column(of, scope)

    def _nested(self, row: Row, scope: _Scope, statement: str) -> Callable[[_Env, Key], Iterable[Rows]]:
        """A row inside a piece of logic, for all bindings of its own quantifier."""
        inside = dict(scope)
        loop = self.loop(row.over, inside)
        make = self._row(row, inside, statement)
        return lambda env, key: [make(one, tuple(one.values())) for one in loop(env)]

    def _row(self, row: Row, scope: _Scope, statement: str) -> Callable[[_Env, Key], Rows]:
        left, right = self.emit(row.left, scope), self.emit(row.right, scope)
        burden: Literal[-1, 0, 1] = 1 if row.sense == "<=" else -1 if row.sense == ">=" else 0

        def make(env: _Env, key: Key) -> Rows:
            self.burden = burden
            found: _Row = {}
            constant = left(env, 1, found) + right(env, -1, found)
            kept = {i: exact(a) for i, a in found.items() if a}
            rhs = exact(-constant)
            if row.strict and not self.ignore_strict:
                rhs = self._closed(kept, row.sense, rhs, statement)
            lower = rhs if row.sense != "<=" else None
            upper = rhs if row.sense != ">=" else None
            return Rows(tuple(kept), tuple(kept.values()), lower, upper, statement, key)

        return make

    def _closed(self, row: _Row, sense: Sense, rhs: Rational, statement: str) -> Rational:
        """The bound of a closed row that means the strict one: over integers the next multiple of the row's gcd."""
        if not row:  # 0 < rhs, or 0 > rhs: true or false
            return rhs if (rhs > 0 if sense == "<=" else rhs < 0) else (-1 if sense == "<=" else 1)
        if not all(self.model.columns[i].integral for i in row):
            note = "'less than' and 'more than' over continuous quantities are read as 'at most' and 'at least'"
            if (statement, note) not in self.model.notes:
                self.model.notes.append((statement, note))
            return rhs
        below = lcm(*(Fraction(a).denominator for a in row.values()))
        step = Fraction(gcd(*(int(a * below) for a in row.values())), below)
        if sense == "<=":
            return exact((-((-Fraction(rhs)) // step) - 1) * step)
        return exact((Fraction(rhs) // step + 1) * step)
