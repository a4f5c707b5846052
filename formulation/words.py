"""Expressions and primitives in plain language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from formulation.expressions import (
    Add,
    Div,
    Edge,
    Element,
    Expr,
    Index,
    Logical,
    Mul,
    Num,
    Quantifier,
    Ref,
    Selected,
    Sum,
)
from formulation.notation import NO_SCOPE, Notation, constant_slope, is_zero, taken_off
from formulation.primitives import (
    Goal,
    PiecewiseCost,
    Row,
    SemiContinuous,
)

__all__ = ["Words"]

_LABEL: Final = re.compile(r"[^\W\d_][\w' -]{0,38}\w?")
_KEPT: Final = frozenset({"and", "or", "not", "plus", "minus", "times", "is", "if"})


class Words(Notation):
    """Plain language, as far as it stays exact."""

    senses: Mapping[str, str] = {
        "<=": " must be at most ",
        ">=": " must be at least ",
        "==": " must equal ",
        "<": " must be less than ",
        ">": " must be more than ",
    }

    def scalar(self, name: str) -> str:
        return self._labels.get(name, name)

    def set_name(self, name: str) -> str:
        return self._labels.get(name, name)

    @cached_property
    def _labels(self) -> dict[str, str]:
        """Labels by name, where they are short, without signs or words of algebra, and say one thing only."""
        if self.problem is None:
            return {}
        sections = (self.problem.sets, self.problem.parameters, self.problem.variables)
        labels: dict[str, str | None] = {name: owner.label for section in sections for name, owner in section.items()}
        count = Counter([*labels, *labels.values()])
        return {
            name: label
            for name, label in labels.items()
            if label is not None
            and count[label] == 1
            and _LABEL.fullmatch(label)
            and not _KEPT & set(label.lower().split())
        }

    def element(self, given: Element) -> str:
        return str(given) if isinstance(given, int) or given.isidentifier() else repr(given)

    def selected(self, given: Selected) -> str:
        return f"(1 if {self.ref(given.of)} is used)"

    def times(self, left: Expr, right: Expr, scope: frozenset[str]) -> str:
        shown = self.factor(right, scope)
        if isinstance(left, Num) and not isinstance(right, Num | Mul | Div | Sum):
            return f"{self.number(left.number)} {shown}"
        first = self.expr(left, scope)
        return f"{self.brackets(first) if isinstance(left, Add) else first} * {shown}"

    def quantifier(self, given: Quantifier, scope: frozenset[str]) -> str:
        told = f" where {self.condition(given.condition, scope | set(given.symbols))}" if given.condition else ""
        return " and every ".join(map(self.generator, given.generators)) + told

    def decision(self, given: Logical, scope: frozenset[str]) -> str:
        if isinstance(given.of, Selected):
            return f"{self.ref(given.of.of)} is {'not ' if given.negated else ''}used"
        return f"{self.ref(given.of)} is {'no' if given.negated else 'yes'}"

    def index(self, part: Index) -> str:
        if not isinstance(part, Edge):
            return super().index(part)
        label = self.set_name(part.set)
        return f"the {part.end} {label if label != part.set else f'of {part.set}'}"

    def compares(self, op: str) -> str:
        return {"==": " is ", "!=": " is not "}.get(op, f" {op} ")

    def side(self, given: Expr, scope: frozenset[str]) -> str:
        """A side of a relation."""
        if isinstance(given, Mul) and isinstance(given.left, Num) and isinstance(given.right, Sum):
            part = 0 < given.left.number.value < 1
            return f"{self.number(given.left.number)} {'of' if part else 'times'} {self.side(given.right, scope)}"
        if not isinstance(given, Sum):
            return self.expr(given, scope)
        inside, over = scope, []
        for generator in given.over.generators:
            fresh = [symbol for symbol in generator.symbols if symbol not in inside]
            some = 0 < len(fresh) < len(generator.symbols)
            over.append((f"{self.joined(fresh)} with " if some else "") + self.generator(generator))
            inside |= set(generator.symbols)
        told = f" where {self.condition(given.over.condition, inside)}" if given.over.condition is not None else ""
        return f"the sum of {self.expr(given.body, inside)} over every {' and every '.join(over)}{told}"

    def row(self, given: Row, scope: frozenset[str]) -> str:
        sense = self.senses[given.sense[0] if given.strict else given.sense]
        return self._logic(given, scope) or f"{self.side(given.left, scope)}{sense}{self.side(given.right, scope)}"

    def _logic(self, given: Row, scope: frozenset[str]) -> str:
        """A row over decisions alone: one that follows from another, or how many of several are yes."""
        if given.strict:
            return ""
        left, right = self._decided(given.left), self._decided(given.right)
        if left is not None and right is not None:
            first, second = self.decision(left, scope), self.decision(right, scope)
            return {
                "<=": f"if {first}, then {second}",
                ">=": f"if {second}, then {first}",
                "==": f"{first} exactly if {second}",
            }[given.sense]
        if left is not None and isinstance(given.right, Num) and given.right.number.value in (0, 1):
            yes = given.right.number.value == 1
            if given.sense in ("==", ">=" if yes else "<="):
                return self.decision(left if yes else left.opposite(), scope)
        counted = self._counted(given.left, scope)
        if not counted:
            return ""
        how = {"<=": "at most", ">=": "at least", "==": "exactly"}[given.sense]
        return f"{how} {self.expr(given.right, scope)} of these must be so: {counted}"

    def _counted(self, given: Expr, scope: frozenset[str]) -> str:
        """The decisions that an expression counts, or nothing."""
        match given:
            case Add(terms=terms):
                decisions = self._each(terms)
                return ", ".join(self.decision(one, scope) for one in decisions or ())
            case Sum(over=over, body=body):
                inside = scope | set(over.symbols)
                one = self._decided(body)
                told = self.decision(one, inside) if one is not None else self._counted(body, inside)
                return f"{told}, over every {self.quantifier(over, scope)}" if told else ""
        return ""

    def _each(self, terms: Sequence[Expr]) -> list[Logical] | None:
        """The decisions whose indicators are added; that of a negated one is two terms, 1 - x."""
        found: list[Logical] = []
        waiting = list(terms)
        while waiting:
            one = self._decided(waiting[0])
            if one is None:
                one = self._decided(Add(tuple(waiting[:2])))
                del waiting[:1]
            if one is None:
                return None
            found.append(one)
            del waiting[:1]
        return found

    def _decided(self, given: Expr) -> Logical | None:
        """The decision that an expression is the indicator of."""
        match given:
            case Selected():
                return Logical(given)
            case Ref(name=name) if self.problem is not None and name in self.problem.variables:
                return Logical(given) if self.problem.variables[name].domain == "binary" else None
            case Add(terms=(Num(number=one), Mul(left=Num(number=minus), right=of))):
                found = self._decided(of) if one.value == 1 and minus.value == -1 else None
                return found.opposite() if found is not None and not found.negated else None
        return None

    def between(self, low: Row, high: Row, scope: frozenset[str]) -> str:
        least, most = ("more than" if low.strict else "at least"), ("less than" if high.strict else "at most")
        ends = f"{least} {self.expr(low.right, scope)} and {most} {self.expr(high.right, scope)}"
        counted = self._counted(low.left, scope)
        return f"{ends} of these must be so: {counted}" if counted else f"{self.side(low.left, scope)} must be {ends}"

    def indicator(self, when: Logical, then: Sequence[str], scope: frozenset[str]) -> str:
        return f"if {self.decision(when, scope)}, {self.joins[0].join(then)}"

    def disjunction(self, alternatives: Sequence[Sequence[str]]) -> str:
        return "either " + ", or ".join(self.joins[0].join(rows) for rows in alternatives)

    def semi(self, given: SemiContinuous, scope: frozenset[str]) -> str:
        most = f" and at most {self.expr(given.maximum, scope)}" if given.maximum is not None else ""
        return f"{self.ref(given.of)} must be 0, or at least {self.expr(given.minimum, scope)}{most}"

    def multiple(self, of: Expr, size: Expr, scope: frozenset[str]) -> str:
        return f"{self.expr(of, scope)} must be a whole number of lots of {self.expr(size, scope)}"

    def cost(self, given: PiecewiseCost, scope: frozenset[str]) -> str:
        of, same = given.of, constant_slope(given)
        if same is not None and isinstance(of, Selected):
            return f"{self.expr(same, scope)} is charged if {self.ref(of.of)} is used"
        if same is not None:
            return f"each unit of {self.expr(of, scope)} costs {self.expr(same, scope)}"
        amount = self.expr(of, scope)
        (first, start), (last, end) = given.points[0], given.points[-1]
        told = []
        if len(given.points) > 1 or not (is_zero(start) and given.before is not None):
            points = ", ".join(f"{self.expr(y, scope)} at {self.expr(x, scope)}" for x, y in given.points)
            told.append(f"{amount} costs {points}" + (", and in proportion between" if len(given.points) > 1 else ""))
        low, high = self.expr(first, scope), self.expr(last, scope)
        if given.before is None and given.after is None:
            told.append(f"{amount} must stay from {low} to {high}")
        for slope, edge, where, limit in ((given.before, low, "below", "least"), (given.after, high, "above", "most")):
            if slope is None and (given.before is not None or given.after is not None):
                told.append(f"{amount} must be at {limit} {edge}")
            elif slope is not None and not is_zero(slope):
                negative, per_unit = taken_off(slope)
                costs = "costs" if (where == "above") != negative else "gains"
                told.append(f"each unit of {amount} {where} {edge} {costs} {self.expr(per_unit, scope)}")
        return "; ".join(told) or f"{amount} costs {self.expr(end, scope)}"

    def goal(self, given: Goal) -> str:
        verb = "make as small as possible" if given.sense == "minimize" else "make as large as possible"
        weight = f" (weight {self.expr(given.weight, NO_SCOPE)})" if self.weight(given) and given.weight else ""
        if not given.worst:
            return f"{verb}{weight}: {self.side(given.of[0], NO_SCOPE)}"
        worst = "largest" if given.sense == "minimize" else "smallest"
        scope = frozenset(given.over.symbols) if given.over is not None else NO_SCOPE
        over = f", over every {self.quantifier(given.over, NO_SCOPE)}" if given.over is not None else ""
        return f"{verb}{weight}: the {worst} of {', '.join(self.expr(of, scope) for of in given.of)}{over}"
