"""How expressions and primitives are written down: plain algebra here; LaTeX and words change what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

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
    constant,
)
from formulation.kinds.base import Constraint, Objective
from formulation.numbers import Number
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
from formulation.schema import Problem

__all__ = ["NO_SCOPE", "Notation", "constant_slope", "is_zero", "scaled_by", "taken_off"]

NO_SCOPE: Final[frozenset[str]] = frozenset()
"""No symbols are bound."""
_ZERO: Final = constant(0)


class Notation:
    """Plain text, in the language that models are written in."""

    senses: Mapping[str, str] = {op: f" {op} " for op in ("<=", ">=", "==", "<", ">", "!=")}
    joins: tuple[str, str] = (" and ", " or ")
    forall = "for every "

    def __init__(self, problem: Problem | None) -> None:
        self.problem = problem

    # -- leaves --

    def name(self, name: str) -> str:
        """A parameter, a variable, a set, or a symbol."""
        return name

    def set_name(self, name: str) -> str:
        return self.name(name)

    def symbol(self, name: str) -> str:
        return name

    def scalar(self, name: str) -> str:
        """A variable or parameter without index."""
        return self.name(name)

    def number(self, given: Number) -> str:
        return str(given)

    def element(self, given: Element) -> str:
        return repr(given)

    def index(self, part: Index) -> str:
        match part:
            case At(symbol=symbol, shift=shift):
                return self.symbol(symbol) + (f"{shift:+d}" if shift else "")
            case Item(element=element):
                return self.element(element)
            case Edge(end=end, set=name):
                return f"{self.name(end)}({self.set_name(name)})"

    def ref(self, given: Ref) -> str:
        if not given.index:
            return self.scalar(given.name)
        return f"{self.name(given.name)}[{', '.join(map(self.index, given.index))}]"

    def selected(self, given: Selected) -> str:
        return f"selected({self.ref(given.of)})"

    # -- expressions --

    def expr(self, given: Expr, scope: frozenset[str]) -> str:
        """An expression, where the symbols of `scope` are bound."""
        match given:
            case Num(number=found):
                return self.number(found)
            case Ref():
                return self.ref(given)
            case Selected():
                return self.selected(given)
            case Add(terms=terms):
                return self._sum_of(terms, scope)
            case Mul(left=Num(number=found), right=right) if abs(found.value) == 1 and not isinstance(right, Num):
                return f"-{self.factor(right, scope)}" if found.value < 0 else self.expr(right, scope)
            case Mul(left=left, right=right):
                return self.times(left, right, scope)
            case Div(above=above, below=below):
                return self.quotient(above, below, scope)
            case Sum(over=over, body=body):
                return self.sum_over(over, body, scope)
        raise AssertionError(given)

    def _sum_of(self, terms: Sequence[Expr], scope: frozenset[str]) -> str:
        found = ""
        for place, term in enumerate(terms):
            negative, shown = taken_off(term) if place else (False, term)
            text = self.expr(shown, scope)
            text = self.brackets(text) if place and (isinstance(shown, Add) or text.startswith("-")) else text
            found += f" {'-' if negative else '+'} {text}" if place else text
        return found or self.number(Number(_ZERO.number.value))

    def factor(self, given: Expr, scope: frozenset[str]) -> str:
        text = self.expr(given, scope)
        return self.brackets(text) if isinstance(given, Add) or text.startswith("-") else text

    def brackets(self, text: str) -> str:
        return f"({text})"

    def times(self, left: Expr, right: Expr, scope: frozenset[str]) -> str:
        first = self.brackets(self.expr(left, scope)) if isinstance(left, Add) else self.expr(left, scope)
        return f"{first}*{self.factor(right, scope)}"

    def quotient(self, above: Expr, below: Expr, scope: frozenset[str]) -> str:
        bottom = self.factor(below, scope)
        return f"{self.factor(above, scope)}/{self.brackets(bottom) if isinstance(below, Mul | Div) else bottom}"

    def sum_over(self, over: Quantifier, body: Expr, scope: frozenset[str]) -> str:
        clauses = " for ".join(self.generator(generator) for generator in over.generators)
        told = f" if {self.condition(over.condition, scope)}" if over.condition is not None else ""
        return f"sum({self.expr(body, scope | set(over.symbols))} for {clauses}{told})"

    # -- quantifiers and conditions --

    def joined(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    def generator(self, given: Generator) -> str:
        return f"{self.joined([self.symbol(symbol) for symbol in given.symbols])} in {self.set_name(given.set)}"

    def quantifier(self, given: Quantifier, scope: frozenset[str]) -> str:
        """What stands behind `for every`."""
        told = f" if {self.condition(given.condition, scope | set(given.symbols))}" if given.condition else ""
        return ", ".join(map(self.generator, given.generators)) + told

    def condition(self, given: Condition, scope: frozenset[str]) -> str:
        match given:
            case Compare(op=op, left=left, right=right):
                return self._side(left, scope) + self.compares(op) + self._side(right, scope)
            case Member(index=index, set=name):
                return f"{self.joined(list(map(self.index, index)))} in {self.set_name(name)}"
            case And(parts=parts):
                return self.joins[0].join(self._part(part, scope) for part in parts)
            case Or(parts=parts):
                return self.joins[1].join(self._part(part, scope) for part in parts)
            case Not(part=part):
                return f"not ({self.condition(part, scope)})"
        raise AssertionError(given)

    def compares(self, op: str) -> str:
        return Notation.senses[op]

    def _part(self, given: Condition, scope: frozenset[str]) -> str:
        text = self.condition(given, scope)
        return self.brackets(text) if isinstance(given, And | Or) else text

    def _side(self, side: Index | Expr, scope: frozenset[str]) -> str:
        side = as_index(side, scope)
        return self.expr(side, scope) if isinstance(side, Expr) else self.index(side)

    # -- decisions --

    def decision(self, given: Logical, scope: frozenset[str]) -> str:
        return f"{'not ' if given.negated else ''}{self.expr(given.of, scope)}"

    # -- statements --

    def statement(self, given: Constraint) -> tuple[str, ...]:
        """A line for each primitive of a statement, two bounds of one expression in one line."""
        return tuple(self.primitives(given.lower(), given.forall))

    def objective(self, given: Objective) -> tuple[str, ...]:
        """A line for each goal, the most important first."""
        return tuple(map(self.goal, sorted(given.goals(), key=lambda goal: goal.priority)))

    def primitives(self, given: Iterable[Primitive], forall: Quantifier | None) -> Iterator[str]:
        """A line for each primitive; a lower and an upper bound of one expression share a line."""
        waiting = list(given)
        while waiting:
            first = waiting.pop(0)
            second = waiting[0] if waiting else None
            if isinstance(first, Row) and isinstance(second, Row) and _is_range(first, second):
                del waiting[0]
                ends = (first, second) if first.sense == ">=" else (second, first)
                yield self._quantified(partial(self.between, *ends), forall, first.over)
            else:
                yield self.primitive(first, forall)

    def primitive(self, given: Primitive, forall: Quantifier | None) -> str:
        """A primitive of a statement with a quantifier."""
        return self._quantified(partial(self._said, given), forall, given.over)

    def _quantified(self, say: Callable[[frozenset[str]], str], *quantifiers: Quantifier | None) -> str:
        scope, every = NO_SCOPE, []
        for quantifier in quantifiers:
            if quantifier is not None:
                every.append(self.quantifier(quantifier, scope))
                scope |= set(quantifier.symbols)
        return self.under(say(scope), every) if every else say(scope)

    def under(self, said: str, every: Sequence[str]) -> str:
        """What is said, for every binding of quantifiers."""
        return f"{said}, {self.forall}{', '.join(every)}"

    def _said(self, given: Primitive, scope: frozenset[str]) -> str:
        match given:
            case Row():
                return self.row(given, scope)
            case Indicator(when=when, then=then):
                return self.indicator(when, [self._inner(row, scope) for row in then], scope)
            case Disjunction(alternatives=alternatives):
                return self.disjunction([[self._inner(row, scope) for row in rows] for rows in alternatives])
            case SemiContinuous():
                return self.semi(given, scope)
            case Multiple(of=of, size=size):
                return self.multiple(of, size, scope)
            case PiecewiseCost():
                return self.cost(given, scope)
        raise AssertionError(given)

    def _inner(self, row: Row, scope: frozenset[str]) -> str:
        """A row inside logic, with its own quantifier."""
        if row.over is None:
            return self.row(row, scope)
        said = self.row(row, scope | set(row.over.symbols))
        return self.brackets(self.under(said, [self.quantifier(row.over, scope)]))

    def row(self, given: Row, scope: frozenset[str]) -> str:
        sense = self.senses[given.sense[0] if given.strict else given.sense]
        return f"{self.expr(given.left, scope)}{sense}{self.expr(given.right, scope)}"

    def between(self, low: Row, high: Row, scope: frozenset[str]) -> str:
        least, most = (self.senses["<" if row.strict else "<="] for row in (low, high))
        middle = self.expr(low.left, scope)
        return f"{self.expr(low.right, scope)}{least}{middle}{most}{self.expr(high.right, scope)}"

    def indicator(self, when: Logical, then: Sequence[str], scope: frozenset[str]) -> str:
        return f"if {self.decision(when, scope)}: {self.joins[0].join(then)}"

    def disjunction(self, alternatives: Sequence[Sequence[str]]) -> str:
        return self.joins[1].join(
            self.brackets(self.joins[0].join(rows)) if len(rows) > 1 else rows[0] for rows in alternatives
        )

    def semi(self, given: SemiContinuous, scope: frozenset[str]) -> str:
        of, least = self.ref(given.of), self.expr(given.minimum, scope)
        at_most = f" <= {self.expr(given.maximum, scope)}" if given.maximum is not None else ""
        return f"{of} == 0 or " + (f"{least} <= {of}{at_most}" if at_most else f"{of} >= {least}")

    def multiple(self, of: Expr, size: Expr, scope: frozenset[str]) -> str:
        return f"{self.expr(of, scope)} == {self.factor(size, scope)}*k with k whole"

    def cost(self, given: PiecewiseCost, scope: frozenset[str]) -> str:
        slope = constant_slope(given)
        if slope is not None:
            return f"cost {self.expr(scaled_by(slope, given.of), scope)}"
        points = ", ".join(f"({self.expr(x, scope)}, {self.expr(y, scope)})" for x, y in given.points)
        slopes = [
            f"slope {self.expr(slope, scope)} {where}"
            for slope, where in ((given.before, "before"), (given.after, "after"))
            if slope is not None
        ]
        return f"cost of {self.expr(given.of, scope)} through {points}" + "".join(f", {told}" for told in slopes)

    # -- goals --

    def goal(self, given: Goal) -> str:
        weight = self.weight(given)
        if not given.worst:
            return f"{given.sense} {weight}{self.weighted(given)}"
        worst = "max" if given.sense == "minimize" else "min"
        over = f" for {self.quantifier(given.over, NO_SCOPE)}" if given.over is not None else ""
        scope = frozenset(given.over.symbols) if given.over is not None else NO_SCOPE
        return f"{given.sense} {weight}{worst}({', '.join(self.expr(of, scope) for of in given.of)}{over})"

    def weight(self, given: Goal) -> str:
        if given.weight is None or given.weight == constant(1):
            return ""
        return f"{self.factor(given.weight, NO_SCOPE)}*"

    def weighted(self, given: Goal) -> str:
        return self.factor(given.of[0], NO_SCOPE) if self.weight(given) else self.expr(given.of[0], NO_SCOPE)


def taken_off(term: Expr) -> tuple[bool, Expr]:
    """Whether a term is taken off, and what then stands behind the minus."""
    match term:
        case Num(number=found) if found.value < 0:
            return True, Num(_opposite(found))
        case Mul(left=Num(number=found), right=right) if found.value < 0:
            return True, Mul(Num(_opposite(found)), right)
    return False, term


def _opposite(given: Number) -> Number:
    text = given.text[1:].strip() if given.text is not None and given.text.startswith("-") else None
    return Number(-given.value, text)


def is_zero(expr: Expr | None) -> bool:
    """Whether an expression is the number 0."""
    return isinstance(expr, Num) and expr.number.value == 0


def _is_range(first: Row, second: Row) -> bool:
    return {first.sense, second.sense} == {"<=", ">="} and (first.left, first.over) == (second.left, second.over)


def constant_slope(given: PiecewiseCost) -> Expr | None:
    """The slope of a cost that is a line through the origin."""
    (x, y), *more = given.points
    return given.before if not more and is_zero(x) and is_zero(y) and given.before == given.after else None


def scaled_by(left: Expr, right: Expr) -> Expr:
    """left * right."""
    return right if left == constant(1) else Mul(left, right)
