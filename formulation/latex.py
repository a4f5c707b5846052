"""Expressions and primitives as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from formulation.expressions import (
    Add,
    Condition,
    Element,
    Expr,
    Generator,
    Logical,
    Member,
    Mul,
    Not,
    Num,
    Quantifier,
    Ref,
    Selected,
    Sum,
)
from formulation.lines import one_line
from formulation.notation import NO_SCOPE, Notation, constant_slope, scaled_by
from formulation.numbers import Number
from formulation.primitives import (
    Goal,
    PiecewiseCost,
    SemiContinuous,
)

__all__ = ["Latex", "escape_latex"]


class Latex(Notation):
    """LaTeX for math mode, without the dollars."""

    senses: Mapping[str, str] = {
        "<=": r" \le ",
        ">=": r" \ge ",
        "==": " = ",
        "<": " < ",
        ">": " > ",
        "!=": r" \neq ",
    }
    joins: tuple[str, str] = (r" \land ", r" \lor ")
    forall = r"\quad \forall\, "

    def name(self, name: str) -> str:
        return name if len(name) == 1 and name != "_" else rf"\mathrm{{{escape_latex(name)}}}"

    def symbol(self, name: str) -> str:
        return self.name(name)

    def number(self, given: Number) -> str:
        text = str(given)
        fraction = re.fullmatch(r"(-?)(\d+)/(\d+)", text)
        if fraction:
            return rf"{fraction[1]}\tfrac{{{fraction[2]}}}{{{fraction[3]}}}"
        power = re.fullmatch(r"([-+]?[\d.]+)[eE]([-+]?\d+)", text)
        if power:
            return rf"{power[1]} \cdot 10^{{{int(power[2])}}}"
        return text.replace(",", "{,}").replace("%", r"\%")

    def element(self, given: Element) -> str:
        return str(given) if isinstance(given, int) else rf"\text{{{escape_latex(given)}}}"

    def ref(self, given: Ref) -> str:
        if not given.index:
            return self.scalar(given.name)
        return f"{self.name(given.name)}_{{{', '.join(map(self.index, given.index))}}}"

    def selected(self, given: Selected) -> str:
        return rf"\mathbb{{1}}[{self.ref(given.of)} > 0]"

    def brackets(self, text: str) -> str:
        return rf"\left({text}\right)"

    def times(self, left: Expr, right: Expr, scope: frozenset[str]) -> str:
        first = self.expr(left, scope)
        first = self.brackets(first) if isinstance(left, Add | Sum) else first
        number = right.left if isinstance(right, Mul) else right
        sign = r" \cdot " if isinstance(number, Num) else r"\,"
        return f"{first}{sign}{self.factor(right, scope)}"

    def quotient(self, above: Expr, below: Expr, scope: frozenset[str]) -> str:
        return rf"\frac{{{self.expr(above, scope)}}}{{{self.expr(below, scope)}}}"

    def sum_over(self, over: Quantifier, body: Expr, scope: frozenset[str]) -> str:
        inside, under = scope, []
        for generator in over.generators:
            under.append(self._running(generator, inside))
            inside |= set(generator.symbols)
        told = rf" \,:\, {self.condition(over.condition, inside)}" if over.condition is not None else ""
        shown = self.expr(body, inside)
        return rf"\sum_{{{', '.join(under)}{told}}} {self.brackets(shown) if isinstance(body, Add) else shown}"

    def _running(self, given: Generator, scope: frozenset[str]) -> str:
        """A generator of a sum; where some of its symbols are bound, the others are named before it."""
        shown = self.generator(given)
        fresh = [symbol for symbol in given.symbols if symbol not in scope]
        if not fresh or len(fresh) == len(given.symbols):
            return shown
        return rf"{', '.join(map(self.symbol, fresh))} \,:\, {shown}"

    def generator(self, given: Generator) -> str:
        return rf"{self.joined([self.symbol(symbol) for symbol in given.symbols])} \in {self.set_name(given.set)}"

    def quantifier(self, given: Quantifier, scope: frozenset[str]) -> str:
        told = rf" \,:\, {self.condition(given.condition, scope | set(given.symbols))}" if given.condition else ""
        return r",\ ".join(map(self.generator, given.generators)) + told

    def condition(self, given: Condition, scope: frozenset[str]) -> str:
        match given:
            case Member(index=index, set=name):
                return rf"{self.joined(list(map(self.index, index)))} \in {self.set_name(name)}"
            case Not(part=Member(index=index, set=name)):
                return rf"{self.joined(list(map(self.index, index)))} \notin {self.set_name(name)}"
            case Not(part=part):
                return rf"\lnot {self.brackets(self.condition(part, scope))}"
        return super().condition(given, scope)

    def compares(self, op: str) -> str:
        return self.senses[op]

    def decision(self, given: Logical, scope: frozenset[str]) -> str:
        return f"{self.expr(given.of, scope)} = {0 if given.negated else 1}"

    def under(self, said: str, every: Sequence[str]) -> str:
        shown = r",\ ".join(every)
        return f"{said} {self.forall}{shown}"

    def indicator(self, when: Logical, then: Sequence[str], scope: frozenset[str]) -> str:
        return rf"{self.decision(when, scope)} \;\Rightarrow\; {self.joins[0].join(then)}"

    def disjunction(self, alternatives: Sequence[Sequence[str]]) -> str:
        return self.joins[1].join(self.brackets(self.joins[0].join(rows)) for rows in alternatives)

    def semi(self, given: SemiContinuous, scope: frozenset[str]) -> str:
        most = self.expr(given.maximum, scope) + "]" if given.maximum is not None else r"\infty)"
        return rf"{self.ref(given.of)} \in \{{0\}} \cup [{self.expr(given.minimum, scope)}, {most}"

    def multiple(self, of: Expr, size: Expr, scope: frozenset[str]) -> str:
        return rf"{self.expr(of, scope)} \in {self.factor(size, scope)}\,\mathbb{{Z}}"

    def cost(self, given: PiecewiseCost, scope: frozenset[str]) -> str:
        slope = constant_slope(given)
        if slope is not None:
            return rf"\text{{cost }} {self.expr(scaled_by(slope, given.of), scope)}"
        points = r",\ ".join(f"({self.expr(x, scope)}, {self.expr(y, scope)})" for x, y in given.points)
        slopes = "".join(
            rf",\ \text{{slope }} {self.expr(slope, scope)} \text{{ {where}}}"
            for slope, where in ((given.before, "before"), (given.after, "after"))
            if slope is not None
        )
        return rf"\text{{cost of }} {self.expr(given.of, scope)} \text{{ through }} {points}{slopes}"

    def goal(self, given: Goal) -> str:
        best = r"\min" if given.sense == "minimize" else r"\max"
        weight = self.weight(given).replace("*", r"\,")
        if not given.worst:
            return rf"{best}\; {weight}{self.weighted(given)}"
        worst = r"\max" if given.sense == "minimize" else r"\min"
        scope = frozenset(given.over.symbols) if given.over is not None else NO_SCOPE
        over = f"_{{{self.quantifier(given.over, NO_SCOPE)}}}" if given.over is not None else ""
        inside = r",\ ".join(self.expr(of, scope) for of in given.of)
        return rf"{best}\; {weight}{worst}{over} \left\{{{inside}\right\}}"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands, inside `\\text{}`."""
    return "".join(_ESCAPED.get(character, character) for character in one_line(text))


_ESCAPED: Final = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
