"""The language of expressions as Python text over plain lists, dictionaries and the variables of a Pyomo model `m`."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from formulation.binding import Bound, Key
from formulation.expressions import (
    Add,
    And,
    At,
    Compare,
    Condition,
    Div,
    Edge,
    Expr,
    Index,
    Item,
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
from formulation.numbers import decimal_text

__all__ = ["Every", "Names", "PythonText", "Scope", "listed", "literal", "table"]

_WIDTH: Final = 110


def literal(value: Any) -> str:
    """A number, an element of a set, or a tuple of these as Python writes it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if value is None or isinstance(value, str):
        return repr(value)
    text = decimal_text(value)
    return f"({text})" if "/" in text else text


def table(name: str, values: Mapping[Key, Any]) -> list[str]:
    """An assignment of a dictionary by key, or of the one value that has no key."""
    if values.keys() == {()}:
        return [f"{name} = {literal(values[()])}"]
    return listed(name, "{", [f"{literal(_bare(key))}: {literal(value)}" for key, value in values.items()], "}")


def listed(name: str, start: str, parts: Sequence[str], end: str) -> list[str]:
    """An assignment of a list or dictionary, on one line where it fits."""
    whole = f"{name} = {start}{', '.join(parts)}{end}"
    if len(whole) <= _WIDTH:
        return [whole]
    lines, line = [f"{name} = {start}"], "   "
    for part in parts:
        if len(line) + len(part) > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {part},"
    return [*lines, line, end]


def _bare(key: Key) -> Any:
    return key[0] if len(key) == 1 else key


class Names:
    """Names for Python, each given once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = {*keyword.kwlist, *dir(builtins), *taken}

    def __call__(self, wanted: str, beside: Container[str] = ()) -> str:
        """A new name like the one wanted, and none of `beside`."""
        while wanted in self.taken or wanted in beside:
            wanted += "_"
        self.taken.add(wanted)
        return wanted


@dataclass
class Scope:
    """The Python name of every bound symbol, and the set that it runs through."""

    names: dict[str, str] = field(default_factory=dict)
    sets: dict[str, str | None] = field(default_factory=dict)

    def copy(self) -> Scope:
        """The same, to be added to."""
        return Scope(dict(self.names), dict(self.sets))

    @property
    def symbols(self) -> str:
        """`p, t`."""
        return ", ".join(self.names.values())

    @property
    def key(self) -> str:
        """`p` or `(p, t)`."""
        return self.symbols if len(self.names) == 1 else f"({self.symbols})"


@dataclass(frozen=True)
class Every:
    """All bindings of quantifiers: as the index of a Pyomo component, and as the loops of a comprehension.

    Without quantifiers both are empty.
    """

    scope: Scope
    index: str = ""
    loops: str = ""

    @property
    def at(self) -> str:
        """`[p, t]`, or nothing."""
        return f"[{self.scope.symbols}]" if self.index else ""

    def component(self, kind: str, *arguments: str) -> str:
        """A Pyomo component with this index: `pyo.Var(P, T, ...)`."""
        return f"pyo.{kind}({', '.join([self.index, *arguments] if self.index else arguments)})"

    def rule(self, left: str, sense: str, right: str, wrapped: str = "") -> str:
        """A constraint for every binding, its relation inside a call of `wrapped` where one is named."""
        start, end = (f"{wrapped}(m, ", ")") if wrapped else ("", "")
        head = f"lambda m, {self.scope.symbols}: " if self.index else ""
        arguments = f"{self.index}, rule={head}" if self.index else "expr="
        short = f"pyo.Constraint({arguments}{start}{left} {sense} {right}{end})"
        if len(short) <= _WIDTH:
            return short
        index = f"\n        {self.index}," if self.index else ""
        line = f"{left} {sense} {right}"
        if len(line) > _WIDTH - 30:
            line = f"(\n            {left}\n            {sense} {right}\n        )"
        return f"pyo.Constraint({index}\n        {'rule' if self.index else 'expr'}={head}{start}{line}{end},\n    )"

    def total(self, term: str) -> str:
        """The sum of a term over every binding."""
        return f"sum({term} {self.loops})" if self.index else term


class PythonText:
    """Writes expressions; collects what they need: `helpers` by name, and the sets that membership is asked of."""

    def __init__(self, bound: Bound, names: Names, components: Names) -> None:
        self.bound, self.problem = bound, bound.problem
        self.names = names
        self.name_of = {name: names(name) for name in (*self.problem.sets, *self.problem.parameters)}
        self.variable_of = {name: f"m.{components(name)}" for name in self.problem.variables}
        self.used_of: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.members: set[str] = set()
        self._symbols: dict[str, str] = {}

    def _symbol(self, symbol: str) -> str:
        if symbol not in self._symbols:
            self._symbols[symbol] = self.names(symbol)
        return self._symbols[symbol]

    # -- expressions --

    def expr(self, given: Expr, scope: Scope) -> str:
        """An expression, where the symbols of the scope are bound."""
        match given:
            case Num(number=found):
                return literal(found.rational)
            case Ref():
                return self._ref(given, scope)
            case Selected(of=of) if self.problem.variables[of.name].domain == "binary":
                return self._ref(of, scope)
            case Selected(of=of):
                return self.used_of[of.name] + self._at(of.index, scope)
            case Add(terms=terms):
                return self._add(terms, scope)
            case Mul(left=Num(number=found), right=right) if abs(found.value) == 1 and not isinstance(right, Num):
                return self.expr(right, scope) if found.value == 1 else f"-{self.factor(right, scope)}"
            case Mul(left=left, right=right):
                return f"{self.factor(left, scope)}*{self.factor(right, scope)}"
            case Div(above=above, below=below):
                return f"{self.factor(above, scope)}/{self.factor(below, scope)}"
            case Sum(over=over, body=body):
                inside = scope.copy()
                loops = self.loops(over, inside)
                return f"sum({self.expr(body, inside)} {loops})"
        raise AssertionError(given)

    def factor(self, given: Expr, scope: Scope) -> str:
        """An expression that may stand in a product."""
        text = self.expr(given, scope)
        return f"({text})" if isinstance(given, Add | Mul | Div) or text.startswith("-") else text

    def _add(self, terms: Sequence[Expr], scope: Scope) -> str:
        found = ""
        for place, term in enumerate(terms):
            text = self.factor(term, scope) if isinstance(term, Add) else self.expr(term, scope)
            sign = " - " if text.startswith("-") else " + "
            found += sign + text.removeprefix("-") if place else text
        return found or "0"

    def _ref(self, given: Ref, scope: Scope) -> str:
        name, index = given.name, given.index
        if name in self.variable_of:
            return self.variable_of[name] + self._at(index, scope)
        default = self.problem.parameters[name].default
        if default is None or not index:
            return self.name_of[name] + self._at(index, scope)
        key = ", ".join(self.index(part, scope) for part in index)
        return f"{self.name_of[name]}.get({key if len(index) == 1 else f'({key})'}, {literal(default.rational)})"

    def _at(self, index: Sequence[Index], scope: Scope) -> str:
        return f"[{', '.join(self.index(part, scope) for part in index)}]" if index else ""

    def index(self, part: Index, scope: Scope) -> str:
        """An element of a set."""
        match part:
            case Item(element=element):
                return literal(element)
            case Edge(end=end, set=name):
                return f"{self.name_of[name]}[{0 if end == 'first' else -1}]"
            case At(symbol=symbol, shift=0):
                return scope.names[symbol]
            case At(symbol=symbol, shift=shift):
                self.helpers.add("moved")
                return f"moved({self.name_of[str(scope.sets[symbol])]}, {scope.names[symbol]}, {shift})"
        raise AssertionError(part)

    # -- quantifiers --

    def every(self, *quantifiers: Quantifier | None) -> Every:
        """All bindings of quantifiers, one inside the other."""
        given = [over for over in quantifiers if over is not None]
        if not given:
            return Every(Scope())
        generators = tuple(generator for over in given for generator in over.generators)
        conditions = tuple(over.condition for over in given if over.condition is not None)
        scope = Scope()
        condition = None if not conditions else conditions[0] if len(conditions) == 1 else And(conditions)
        whole = Quantifier(generators, condition)
        loops = self.loops(whole, scope)
        if condition is None and len(set(whole.symbols)) == len(whole.symbols):
            return Every(scope, ", ".join(self.name_of[generator.set] for generator in generators), loops)
        return Every(scope, f"[{scope.key} {loops}]", loops)

    def loops(self, over: Quantifier, scope: Scope) -> str:
        """`for i in I for (i_, j) in ARCS if i_ == i`; adds the symbols to the scope."""
        found = []
        for generator in over.generators:
            members = self.bound.sets[generator.set]
            places = self.bound.places(generator.set) if members.items else (None,) * len(generator.symbols)
            targets: list[str] = []
            tests = []
            for symbol, place in zip(generator.symbols, places, strict=True):
                if symbol in scope.names:
                    targets.append(self._beside(symbol, scope, targets))
                    tests.append(f"{targets[-1]} == {scope.names[symbol]}")
                else:
                    scope.names[symbol], scope.sets[symbol] = self._symbol(symbol), place
                    targets.append(scope.names[symbol])
            shown = targets[0] if len(targets) == 1 else f"({', '.join(targets)})"
            found.append(f"for {shown} in {self.name_of[generator.set]}")
            found += [f"if {' and '.join(tests)}"] if tests else []
        if over.condition is not None:
            found.append(f"if {self.condition(over.condition, scope)}")
        return " ".join(found)

    def _beside(self, symbol: str, scope: Scope, others: Sequence[str]) -> str:
        """A name for a loop that runs beside the symbol's own binding."""
        name = f"{scope.names[symbol]}_"
        while name in self.names.taken or name in others:
            name += "_"
        return name

    def condition(self, given: Condition, scope: Scope) -> str:
        """A condition on indices and data."""
        match given:
            case Compare():
                return self._compare(given, scope)
            case Member(index=index, set=name):
                self.members.add(name)
                parts = ", ".join(self.index(part, scope) for part in index)
                return f"{parts if len(index) == 1 else f'({parts})'} in {self.members_of(name)}"
            case And(parts=parts):
                return " and ".join(self._nested(part, scope) for part in parts)
            case Or(parts=parts):
                return " or ".join(self._nested(part, scope) for part in parts)
            case Not(part=part):
                return f"not ({self.condition(part, scope)})"
        raise AssertionError(given)

    def members_of(self, name: str) -> str:
        """The name of a set's members as a Python set."""
        key = f"{name} as a set"
        if key not in self.name_of:
            self.name_of[key] = self.names(f"in_{name}")
        return self.name_of[key]

    def _nested(self, given: Condition, scope: Scope) -> str:
        text = self.condition(given, scope)
        return f"({text})" if isinstance(given, And | Or) else text

    def _compare(self, given: Compare, scope: Scope) -> str:
        left, right = as_index(given.left, scope.names), as_index(given.right, scope.names)
        if isinstance(left, Expr) or isinstance(right, Expr):
            sides = [self.expr(x, scope) if isinstance(x, Expr) else self.index(x, scope) for x in (left, right)]
        elif given.op in ("==", "!="):
            sides = [self.index(x, scope) for x in (left, right)]
        else:
            sides = self._ranks([left, right], scope)
        return f"{sides[0]} {given.op} {sides[1]}"

    def _ranks(self, sides: Sequence[Index], scope: Scope) -> list[str]:
        """What says which of two members comes first: numbers themselves, others their places in their set."""
        names = [scope.sets[x.symbol] if isinstance(x, At) else x.set for x in sides if not isinstance(x, Item)]
        sets = [self.bound.sets[name] for name in names if name is not None]
        texts = any(isinstance(part, str) for members in sets for item in members.items for part in item)
        shifts = [x.shift if isinstance(x, At) else 0 for x in sides]
        if not texts and not any(shifts):
            return [self.index(x, scope) for x in sides]
        ordered = self.name_of[next(members.name for members in sets if members.ordered)]
        bare = [self.index(At(x.symbol) if isinstance(x, At) else x, scope) for x in sides]
        moved = [f" {'-' if shift < 0 else '+'} {abs(shift)}" if shift else "" for shift in shifts]
        return [f"{ordered}.index({x}){by}" for x, by in zip(bare, moved, strict=True)]
