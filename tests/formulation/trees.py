"""Random expressions over one small problem with data, for properties of parsers and of the two ways to their value."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import strategies as st

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
    Member,
    Mul,
    Not,
    Num,
    Or,
    Quantifier,
    Ref,
    Selected,
    Sum,
)
from formulation.numbers import Number

SETS = {
    "I": {"elements": ["a", "b", "it's"], "ordered": True},
    "T": {"range": [1, 4]},
    "P": {"elements": [["a", 1], ["b", 3], ["a", 2], ["it's", 4]], "within": ["I", "T"]},
    "Q": {"elements": [["a", "b"], ["b", "b"], ["it's", "a"]], "within": ["I", "I"]},
    "NONE": {"elements": [], "within": ["T"], "ordered": True},
}
PARAMETERS = {
    "k": "2/3",
    "b": {"index": ["I"], "values": {"a": 1, "b": "-1/2", "it's": 0}},
    "c": {"index": ["T"], "values": [[1, 5], [2, 0], [3, "0.25"], [4, -2]]},
    "d": {"index": ["I", "T"], "values": [["a", 1, 2], ["b", 3, -7]], "default": "1/3"},
}
VARIABLES = {
    "x": {"lower": -5, "upper": 5},
    "n": {"domain": "integer", "upper": 4},
    "o": {"domain": "binary"},
    "y": {"over": "i in I", "lower": 0, "upper": 9, "minimum": "1/2"},
    "z": {"over": "i in I, t in T", "lower": None},
    "p": {"over": "(i, t) in P", "domain": "integer", "lower": 0, "upper": 3},
}
"""`y` and `n`, `o` and `p` may be asked for with `selected`."""

_PLACES = {"b": ("I",), "c": ("T",), "d": ("I", "T"), "y": ("I",), "z": ("I", "T"), "p": ("I", "T")}
_GENERATORS = {"I": ("I",), "T": ("T",), "P": ("I", "T"), "Q": ("I", "I"), "NONE": ("T",)}
_MEMBERS: Mapping[str, tuple[str | int, ...]] = {"I": ("a", "b", "it's"), "T": (1, 2, 3, 4)}

Scope = Mapping[str, str]
"""The set that every bound symbol runs through."""

amounts = st.fractions(min_value=-20, max_value=20, max_denominator=12)


@st.composite
def index(draw: st.DrawFn, of: str, scope: Scope, *, shifts: bool = True) -> Index:
    """An index into a set; a shift may lead out of it."""
    symbols = sorted(symbol for symbol, name in scope.items() if name == of)
    choice = draw(st.integers(0, 5))
    if symbols and choice < 4:
        return At(draw(st.sampled_from(symbols)), draw(st.sampled_from([0, 0, 0, -1, 1])) if shifts else 0)
    if choice == 4:
        return Edge(draw(st.sampled_from(["first", "last"])), of)
    return Item(draw(st.sampled_from(_MEMBERS[of])))


@st.composite
def ref(draw: st.DrawFn, names: tuple[str, ...], scope: Scope) -> Ref:
    """A parameter or variable with a right index."""
    name = draw(st.sampled_from(names))
    return Ref(name, tuple(draw(index(of, scope)) for of in _PLACES.get(name, ())))


@st.composite
def condition(draw: st.DrawFn, scope: Scope, depth: int) -> Condition:
    """A condition on indices and data."""
    choice = draw(st.integers(0, 7 if depth else 4))
    if choice < 3 and scope:
        of = draw(st.sampled_from(["I", "T"]))
        op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
        return Compare(op, draw(index(of, scope)), draw(index(of, scope)))
    if choice == 3:
        name = draw(st.sampled_from(["P", "Q", "NONE", "T"]))
        return Member(tuple(draw(index(of, scope)) for of in _GENERATORS[name]), name)
    if choice in (0, 1, 2, 4):
        op = draw(st.sampled_from(["<", ">=", "=="]))
        return Compare(op, draw(ref(("k", "b", "c", "d"), scope)), Num(Number(draw(amounts))))
    if choice == 5:
        return Not(draw(condition(scope, depth - 1)))
    parts = tuple(draw(condition(scope, depth - 1)) for _ in range(draw(st.integers(2, 3))))
    return And(parts) if choice == 6 else Or(parts)


@st.composite
def quantifier(draw: st.DrawFn, scope: Scope, depth: int) -> tuple[Quantifier, Scope]:
    """A quantifier, and the scope inside it. A symbol that is bound already filters."""
    inside, generators = dict(scope), []
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(["I", "T", "P", "Q", "NONE"]))
        symbols = []
        for of in _GENERATORS[name]:
            known = [symbol for symbol, runs in inside.items() if runs == of]
            symbol = draw(st.sampled_from([*known, *({"I": ["i", "j"], "T": ["t", "s"]}[of])]))
            inside.setdefault(symbol, of)
            symbols.append(symbol)
        generators.append(Generator(tuple(symbols), name))
    test = draw(condition(inside, depth)) if draw(st.booleans()) else None
    return Quantifier(tuple(generators), test), inside


@st.composite
def expr(draw: st.DrawFn, scope: Scope | None = None, depth: int = 3, *, data: bool = False) -> Expr:
    """A linear expression; with `data` one without variables."""
    scope = scope or {}
    choice = draw(st.integers(0, 9 if depth else 2))
    if choice == 0:
        return Num(Number(draw(amounts)))
    if choice <= 2 or (choice == 3 and data):
        names = ("k", "b", "c", "d") if data else ("k", "b", "c", "d", "x", "n", "o", "y", "z", "p")
        return draw(ref(names, scope))
    if choice == 3:
        return Selected(draw(ref(("n", "o", "y", "p"), scope)))
    if choice <= 5:
        return Add(tuple(draw(expr(scope, depth - 1, data=data)) for _ in range(draw(st.integers(1, 3)))))
    if choice <= 7:
        sides = [draw(expr(scope, depth - 1, data=data)), draw(expr(scope, depth - 1, data=True))]
        return Mul(*(sides if draw(st.booleans()) else reversed(sides)))
    if choice == 8:
        return Div(draw(expr(scope, depth - 1, data=data)), draw(expr(scope, depth - 1, data=True)))
    over, inside = draw(quantifier(scope, depth - 1))
    return Sum(over, draw(expr(inside, depth - 1, data=data)))


values = st.fractions(min_value=0, max_value=4, max_denominator=3)
"""Values of variables."""


def of_domain(value: Fraction, domain: str) -> Fraction:
    """A value that a variable of a domain can take."""
    return value if domain == "continuous" else Fraction(int(value) if domain == "integer" else int(value) % 2)
