"""What expressions mean at a point, by exact arithmetic: a plain interpreter, independent of how models are built."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from data.errors import DataError
from formulation.binding import Bound, Key, show_key
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
    Sum,
    as_index,
)
from formulation.kinds.base import Binding, Env
from formulation.numbers import Rational, exact

__all__ = ["Point", "World", "elements"]

Point = Mapping[tuple[str, Key], Rational]
"""The value of every variable, by name and index."""

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class World:
    """A problem with data, and a point."""

    bound: Bound
    point: Point

    def value(self, expr: Expr, env: Env) -> Rational:
        """The value of an expression under a binding of symbols. Raises DataError."""
        match expr:
            case Num(number=found):
                return found.rational
            case Ref(name=name, index=index):
                key = elements(self.bound, index, env, expr)
                if name in self.bound.problem.parameters:
                    return self.bound.parameter(name, key)
                try:
                    return self.point[name, key]
                except KeyError:
                    raise DataError(f"{show_key(name, key)} does not exist: filter it out (... if ...)") from None
            case Selected(of=of):
                return 1 if self.value(of, env) > 0 else 0
            case Add(terms=terms):
                return sum((self.value(term, env) for term in terms), 0)
            case Mul(left=left, right=right):
                return exact(self.value(left, env) * self.value(right, env))
            case Div(above=above, below=below):
                divisor = self.value(below, env)
                if not divisor:
                    raise DataError(f"'{expr}' divides by zero")
                return exact(Fraction(self.value(above, env)) / divisor)
            case Sum(over=over, body=body):
                return sum((self.value(body, inner) for inner in self.instances(over, env)), 0)
        raise AssertionError(expr)

    def truth(self, decision: Logical, env: Env) -> bool:
        """Whether a decision is yes."""
        return (self.value(decision.of, env) > 0) != decision.negated

    def instances(self, over: Quantifier | None, env: Env) -> Iterator[Env]:
        """Every binding of a quantifier's symbols, added to `env`; `env` itself where there is no quantifier."""
        if over is None:
            yield env
            return
        yield from self._instances(over, 0, env)

    def _instances(self, over: Quantifier, depth: int, env: Env) -> Iterator[Env]:
        if depth == len(over.generators):
            if over.condition is None or self.holds(over.condition, env):
                yield env
            return
        generator = over.generators[depth]
        members = self.bound.sets[generator.set]
        places = self.bound.places(generator.set)
        # Looked up by what is bound already: a sum over arcs inside "for every depot" sees only its own.
        known = tuple(i for i, symbol in enumerate(generator.symbols) if symbol in env)
        wanted = tuple(env[generator.symbols[i]].element for i in known)
        for item in members.by(known).get(wanted, ()) if known else members.items:
            found = dict(env)
            for symbol, part, name in zip(generator.symbols, item, places, strict=True):
                if found.setdefault(symbol, Binding(part, name)).element != part:
                    break  # a symbol that is bound already filters
            else:
                yield from self._instances(over, depth + 1, found)

    def holds(self, condition: Condition, env: Env) -> bool:
        """Whether a condition on indices and data holds."""
        match condition:
            case Compare():
                return self._compares(condition, env)
            case Member(index=index, set=name):
                return self._key(index, env) in self.bound.sets[name].position
            case And(parts=parts):
                return all(self.holds(part, env) for part in parts)
            case Or(parts=parts):
                return any(self.holds(part, env) for part in parts)
            case Not(part=part):
                return not self.holds(part, env)

    def _key(self, index: tuple[Index, ...], env: Env) -> Key | None:
        """A key, or None where a shift leaves its set (such a key is a member of nothing)."""
        try:
            return elements(self.bound, index, env, None)
        except DataError:
            return None

    def _compares(self, given: Compare, env: Env) -> bool:
        """Numbers compare by size, texts (and what is shifted) by their places in an ordered set, else as words do."""
        op, left, right = given.op, as_index(given.left, env), as_index(given.right, env)
        a: Any
        b: Any
        if isinstance(left, Expr) or isinstance(right, Expr):
            a, b = (
                self.value(side, env) if isinstance(side, Expr) else elements(self.bound, (side,), env, None)[0]
                for side in (left, right)
            )
        elif op in ("==", "!="):
            a, b = self._key((left,), env), self._key((right,), env)
        else:
            a, b = self._ranks(left, right, env)
        try:
            return _COMPARE[op](a, b)
        except TypeError:
            raise DataError(f"'{given}' compares a number with a text: use == or !=") from None

    def _ranks(self, left: Index, right: Index, env: Env) -> tuple[Any, Any]:
        """What says which of two members comes first. A shift may lead out of the set here."""
        shifts = [side.shift if isinstance(side, At) else 0 for side in (left, right)]
        bare = tuple(At(side.symbol) if isinstance(side, At) else side for side in (left, right))
        found = elements(self.bound, bare, env, None)
        sets = [env[x.symbol].set if isinstance(x, At) else x.set for x in bare if not isinstance(x, Item)]
        ordered = [self.bound.sets[name] for name in sets if name is not None and self.bound.sets[name].ordered]
        if not any(shifts) and not (ordered and any(isinstance(element, str) for element in found)):
            return found[0], found[1]
        if not ordered:
            raise DataError(f"'{left}' and '{right}' run through no ordered set: give their set 'ordered: true'")
        places = [ordered[0].position.get((element,)) for element in found]
        if places[0] is None or places[1] is None:
            raise DataError(f"'{left}' and '{right}' are not both in '{ordered[0].name}'")
        return places[0] + shifts[0], places[1] + shifts[1]


def elements(bound: Bound, index: tuple[Index, ...], env: Env, of: Expr | None) -> Key:
    """The elements that an index stands for. Raises DataError where a shift leaves its set."""
    found: list[Element] = []
    for part in index:
        match part:
            case Item(element=element):
                found.append(element)
            case At(symbol=symbol, shift=shift):
                found.append(env[symbol].element if not shift else _shifted(bound, env[symbol], part, of))
            case Edge(end=end, set=name):
                items = bound.sets[name].items
                if not items:
                    raise DataError(f"{part}: the set '{name}' is empty")
                found.append(items[0 if end == "first" else -1][0])
    return tuple(found)


def _shifted(bound: Bound, at: Binding, part: At, of: Expr | None) -> Element:
    """The element `shift` places away in the ordered set that the symbol runs through."""
    members = bound.sets[at.set] if at.set is not None else None
    if members is None or not members.ordered:
        raise DataError(f"'{part}': {part.symbol} runs through no ordered set: give its set 'ordered: true'")
    place = members.position[at.element,] + part.shift
    if not 0 <= place < len(members.items):
        end = "first" if part.shift < 0 else "last"
        raise DataError(
            f"'{part}'{f' in {of}' if of is not None else ''} leaves '{members.name}' at {at.element!r}: "
            f"filter it (if {part.symbol} != {end}({members.name}))"
        )
    return members.items[place][0]
