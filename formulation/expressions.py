"""Linear expressions over declared names: the tree, the text people write, and both ways between them.

    8*chair + 2*table                                    scalar variables and numbers
    sum(cost[i, j]*ship[i, j] for (i, j) in ARCS)        parameters, indexed variables, sums over sets
    sum(make[p, t] for p in P if (p, t) in ALLOWED)      filters
    stock[p, t-1]                                        the element before t in an ordered set
    setup*selected(make[p, t])                           1 where the variable is used at all, else 0

The syntax is Python's, read by Python's parser and never run. A generator whose symbols are bound already filters: in
`sum(ship[i, j] for (i, j) in ARCS)` under a quantifier `i in PLANTS` only the arcs of that plant are summed.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, Self, TypeVar
from typing import Literal as OneOf

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from formulation.numbers import Number, number

__all__ = [
    "NAME",
    "Add",
    "And",
    "At",
    "Compare",
    "Comparison",
    "Condition",
    "Div",
    "Edge",
    "Element",
    "Expr",
    "Generator",
    "Index",
    "Item",
    "Logical",
    "Member",
    "Mul",
    "Not",
    "Num",
    "Or",
    "Quantifier",
    "Ref",
    "Relation",
    "Selected",
    "Sense",
    "Sum",
    "as_index",
    "constant",
    "expression",
    "literal",
    "names_in",
    "quantifier",
    "relation",
    "renamed",
    "scaled",
    "symbols_in",
    "terms_of",
    "total",
]  # fmt: skip

_T = TypeVar("_T")

Element = str | int
"""A member of a set."""
Sense = OneOf["<=", ">=", "=="]
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""How names of sets, parameters, variables and constraints look."""
_MOST_TEXT: Final = 20_000
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_MOST_DEPTH: Final = 50  # of brackets; every later walk through a tree stays far from Python's own limit
_PLAIN: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+")
"""A number without sign that Python writes alike."""


class _Written:
    """Something people write as text: a pydantic type through its parser, and text again."""

    __slots__ = ()

    @classmethod
    def _read(cls, given: Any) -> Any:
        raise AssertionError(cls)

    def plain(self) -> Any:
        """What JSON and YAML hold of it; it reads back to an equal tree."""
        return str(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda given: cls._read(given),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda x: x.plain()),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": (cls.__doc__ or "").splitlines()[0]}


# ---- indices ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class At:
    """A bound symbol, or the element `shift` places after it in its ordered set: `t`, `t-1`."""

    symbol: str
    shift: int = 0

    def __str__(self) -> str:
        return self.symbol if not self.shift else f"{self.symbol}{self.shift:+d}"


@dataclass(frozen=True, slots=True)
class Item:
    """An element itself: `'chair'`, `3`."""

    element: Element

    def __str__(self) -> str:
        return repr(self.element)


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or last element of a set: `first(T)`, `last(T)`."""

    end: OneOf["first", "last"]
    set: str

    def __str__(self) -> str:
        return f"{self.end}({self.set})"


Index = At | Item | Edge


# ---- expressions -----------------------------------------------------------------------------------------------------


class Expr(_Written):
    """A linear expression: a number, text such as `8*chair + 2*table`, or coefficients as in `{chair: 8, table: 2}`."""

    __slots__ = ()

    @classmethod
    def _read(cls, given: Any) -> Expr:
        return expression(given)

    def plain(self) -> Any:
        """Coefficients by variable where that is all there is, else text."""
        if isinstance(self, Num):
            return self.number.plain()
        terms = terms_of(self)
        if terms is not None and isinstance(self, Add) and all(isinstance(term, Mul) for term in self.terms):
            return {str(ref): coefficient.plain() for ref, coefficient in terms.items()}
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number_ = {"anyOf": [{"type": "number"}, {"type": "string"}]}
        return {"anyOf": [*number_["anyOf"], {"type": "object", "additionalProperties": number_}]}


@dataclass(frozen=True, slots=True)
class Num(Expr):
    """A number."""

    number: Number

    def __str__(self) -> str:
        text = str(self.number)
        return text if _PLAIN.fullmatch(text) else _exact_text(self.number)


@dataclass(frozen=True, slots=True)
class Ref(Expr):
    """A parameter or a variable, with its index."""

    name: str
    index: tuple[Index, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"[{', '.join(map(str, self.index))}]" if self.index else "")

    @classmethod
    def _read(cls, given: Any) -> Ref:
        found = expression(given)
        if not isinstance(found, Ref):
            raise ValueError(f"'{found}' is no variable: name one, such as chair or make[p, t]")
        return found

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": "A variable, with its index: `chair`, `make[p, t]`."}


@dataclass(frozen=True, slots=True)
class Selected(Expr):
    """1 where a variable is positive, 0 where it is 0."""

    of: Ref

    def __str__(self) -> str:
        return f"selected({self.of})"


@dataclass(frozen=True, slots=True)
class Add(Expr):
    """A sum of terms written out."""

    terms: tuple[Expr, ...]

    def __str__(self) -> str:
        parts: list[str] = []
        for term in self.terms:
            negative, shown = _signed(term) if parts else (False, _factor(term))
            parts += [" - " if negative else " + ", shown] if parts else [shown]
        return "".join(parts) or "0"


@dataclass(frozen=True, slots=True)
class Mul(Expr):
    """A product; at most one side holds variables."""

    left: Expr
    right: Expr

    def __str__(self) -> str:
        if self.left == constant(-1) and not _counted(self.right):
            return f"-{_factor(self.right, after=True)}"
        return f"{_factor(self.left)}*{_factor(self.right, after=True)}"


@dataclass(frozen=True, slots=True)
class Div(Expr):
    """A quotient; below stand only numbers and parameters."""

    above: Expr
    below: Expr

    def __str__(self) -> str:
        return f"{_factor(self.above)}/{_factor(self.below, after=True)}"


@dataclass(frozen=True, slots=True)
class Sum(Expr):
    """A sum over the members of sets."""

    over: Quantifier
    body: Expr

    def __str__(self) -> str:
        return f"sum({self.body} for {self.over.clauses()})"


def _exact_text(given: Number) -> str:
    value = given.value
    return f"({value.numerator}/{value.denominator})" if value.denominator != 1 else str(value.numerator)


def _factor(expr: Expr, *, after: bool = False) -> str:
    shown = str(expr)
    if isinstance(expr, Add) or (after and (isinstance(expr, Mul | Div) or shown.startswith("-"))):
        return f"({shown})"
    return shown


def _signed(term: Expr) -> tuple[bool, str]:
    """Whether a term behind another one is taken off, and what then stands there."""
    negative = True
    match term:
        case Num(number=found) if found.value < 0:
            term = _turned(term)
        case Mul(left=Num(number=found), right=right) if found.value < 0:
            term = right if found.value == -1 and not _counted(right) else _turned(term)
        case _:
            negative = False
    shown = str(term)
    return negative, f"({shown})" if isinstance(term, Add) or shown.startswith("-") else shown


def _counted(expr: Expr) -> bool:
    return isinstance(expr, Num) or (isinstance(expr, Mul) and isinstance(expr.left, Num))


def _turned(expr: Expr) -> Expr:
    """What `-expr` is read as."""
    match expr:
        case Num(number=found):
            return Num(Number(-found.value))
        case Mul(left=Num(number=found), right=right):
            return Mul(Num(Number(-found.value)), right)
    return Mul(constant(-1), expr)


def constant(value: Any) -> Num:
    """A number as an expression."""
    return Num(number(value))


def scaled(factor: Any, expr: Expr) -> Expr:
    """A number times an expression, without a needless factor 1."""
    found = number(factor)
    return expr if found.value == 1 else Mul(Num(found), expr)


def total(*terms: Expr) -> Expr:
    """The sum of terms; sums among them are joined."""
    flat = tuple(x for term in terms for x in (term.terms if isinstance(term, Add) else (term,)))
    return flat[0] if len(flat) == 1 else Add(flat)


def terms_of(expr: Expr) -> dict[Ref, Number] | None:
    """Coefficients by reference, where the expression is only references times numbers, each named once; else None."""
    found: dict[Ref, Number] = {}
    for term in expr.terms if isinstance(expr, Add) else (expr,):
        factor, body = (
            (term.left.number, term.right)
            if isinstance(term, Mul) and isinstance(term.left, Num)
            else (
                number(1),
                term,
            )
        )
        if not isinstance(body, Ref) or body in found:
            return None
        found[body] = factor
    return found


# ---- quantifiers and conditions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Generator:
    """`(i, j) in ARCS`: symbols run through the members of a set."""

    symbols: tuple[str, ...]
    set: str

    def __str__(self) -> str:
        shown = ", ".join(self.symbols)
        return f"{shown if len(self.symbols) == 1 else f'({shown})'} in {self.set}"


Comparison = OneOf["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two indices, or of two expressions of numbers and parameters."""

    op: Comparison
    left: Index | Expr
    right: Index | Expr

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(frozen=True, slots=True)
class Member:
    """`(i, j) in ARCS`, as a condition."""

    index: tuple[Index, ...]
    set: str

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.index))
        return f"{shown if len(self.index) == 1 else f'({shown})'} in {self.set}"


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, And | Or) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition

    def __str__(self) -> str:
        return f"not ({self.part})"


Condition = Compare | Member | And | Or | Not


@dataclass(frozen=True, slots=True)
class Quantifier(_Written):
    """Members of sets that something holds for: `t in T`, `(i, j) in ARCS if cost[i, j] > 0`, `p in P, t in T`."""

    generators: tuple[Generator, ...]
    condition: Condition | None = None

    def __str__(self) -> str:
        told = f" if {self.condition}" if self.condition is not None else ""
        return ", ".join(map(str, self.generators)) + told

    def clauses(self) -> str:
        """As it stands behind `for` in a sum."""
        told = f" if {self.condition}" if self.condition is not None else ""
        return " for ".join(map(str, self.generators)) + told

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, in order."""
        return tuple(symbol for generator in self.generators for symbol in generator.symbols)

    def where(self, condition: Condition) -> Self:
        """The same with one more condition."""
        both = condition if self.condition is None else And((self.condition, condition))
        return type(self)(self.generators, both)

    @classmethod
    def _read(cls, given: Any) -> Quantifier:
        return quantifier(given)


# ---- decisions and relations -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Logical(_Written):
    """A yes-or-no decision: a binary variable, `selected(x)`, or `not` one of these."""

    of: Ref | Selected
    negated: bool = False

    def __str__(self) -> str:
        return f"not {self.of}" if self.negated else str(self.of)

    @property
    def indicator(self) -> Expr:
        """The expression that is 1 where the decision is yes and 0 where it is no."""
        return Add((constant(1), Mul(constant(-1), self.of))) if self.negated else self.of

    def opposite(self) -> Logical:
        """The decision turned round."""
        return Logical(self.of, not self.negated)

    @classmethod
    def _read(cls, given: Any) -> Logical:
        return literal(given)


@dataclass(frozen=True, slots=True)
class Relation(_Written):
    """Two expressions compared: `make[p] <= capacity[p]`; `<` and `>` are strict."""

    left: Expr
    sense: Sense
    right: Expr
    strict: bool = False

    def __str__(self) -> str:
        return f"{self.left} {self.sense[0] if self.strict else self.sense} {self.right}"

    @classmethod
    def _read(cls, given: Any) -> Relation:
        return relation(given)


# ---- reading ---------------------------------------------------------------------------------------------------------


def expression(given: Any) -> Expr:
    """An expression from a number, text, or coefficients by variable. Raises ValueError."""
    if isinstance(given, Expr):
        return given
    if isinstance(given, Mapping):
        terms = []
        for key, coefficient in given.items():
            ref = expression(str(key))
            if not isinstance(ref, Ref | Selected):
                raise ValueError(f"'{key}' is no variable: coefficients stand by variable, such as {{chair: 8}}")
            terms.append(Mul(_coefficient(key, coefficient), ref))
        return terms[0] if len(terms) == 1 else Add(tuple(terms)) if terms else constant(0)
    if isinstance(given, str):
        try:
            return Num(number(given))
        except ValueError:
            return _Parser(given).expression()
    return Num(number(given))


def _coefficient(key: Any, given: Any) -> Expr:
    if isinstance(given, Mapping):
        raise ValueError(f"coefficient of '{key}': write a number or an expression, not coefficients again")
    try:
        found = expression(given)
    except ValueError as error:
        raise ValueError(f"coefficient of '{key}': {error}") from None
    return found


def quantifier(given: Any) -> Quantifier:
    """A quantifier from text such as `t in T if t != first(T)`. Raises ValueError."""
    return given if isinstance(given, Quantifier) else _Parser(_text(given, "t in T")).quantifier()


def literal(given: Any) -> Logical:
    """A decision from text such as `open`, `not open`, `selected(make[p])`. Raises ValueError."""
    if isinstance(given, Logical):
        return given
    if isinstance(given, Ref | Selected):
        return Logical(given)
    return _Parser(_text(given, "not open[i]")).literal()


def relation(given: Any) -> Relation:
    """A relation from text such as `make <= 2*sell`. Raises ValueError."""
    return given if isinstance(given, Relation) else _Parser(_text(given, "make <= 2*sell")).relation()


def _text(given: Any, like: str) -> str:
    if not isinstance(given, str):
        raise ValueError(f"write it as text such as '{like}', not as a {type(given).__name__}")
    return given


_SENSES: Final[dict[type[ast.cmpop], Comparison]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


class _Parser:
    """Turns Python's syntax tree of one text into ours; whatever we do not know is refused with what was meant."""

    def __init__(self, text: str) -> None:
        self.text = re.sub(r"[\r\n]", " ", text)
        self.part = b""  # what was parsed last, for the digits of its numbers
        self.bound: list[str] = []
        self.depth = 0

    def _parse(self, text: str) -> ast.expr:
        if len(text) > _MOST_TEXT:
            raise ValueError(f"longer than {_MOST_TEXT} characters: use sums over sets, or coefficients by variable")
        if "#" in _QUOTED.sub("", text):
            raise ValueError(f"cannot read '{self._shown()}': '#' would hide what follows it")
        try:
            self.part = text.strip().encode()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # such as 1in: what Python only warns of is no mistake
                return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            hint = "; an equality is written ==" if re.search(r"(?<![<>=!])=(?!=)", text) else ""
            hint = "; inside a formula 30% is written 0.3" if re.search(r"\d\s*%", text) else hint
            raise ValueError(f"cannot read '{self._shown()}'{hint}") from None
        except (RecursionError, MemoryError):
            raise ValueError("nested too deeply: use sums over sets, or coefficients by variable") from None

    def _shown(self) -> str:
        return self.text if len(self.text) <= 80 else self.text[:77] + "..."

    def _refuse(self, node: ast.AST, why: str) -> ValueError:
        shown = ast.unparse(node) if len(self.text) < 2000 else self._shown()
        return ValueError(f"'{shown}' {why}")

    def expression(self) -> Expr:
        return self._guarded(lambda: self._expr(self._parse(self.text)))

    def quantifier(self) -> Quantifier:
        def read() -> Quantifier:
            head, *tests = re.split(r"\bif\b", self.text, maxsplit=1)
            generators: list[Generator] = []
            for part in re.split(r"\bfor\b|,(?![^(]*\))", head):
                match self._parse(part):
                    case ast.Compare(left=left, ops=[ast.In()], comparators=[source]):
                        generators.append(self._generator(left, source))
                        self.bound += generators[-1].symbols
                    case _:
                        raise ValueError(
                            f"cannot read '{self._shown()}': write it like 'p in P, t in T if t != first(T)'"
                        )
            return Quantifier(tuple(generators), self._condition(self._parse(tests[0])) if tests else None)

        return self._guarded(read)

    def literal(self) -> Logical:
        def read() -> Logical:
            node, negated = self._parse(self.text), False
            while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                node, negated = node.operand, not negated
            found = self._expr(node)
            if not isinstance(found, Ref | Selected):
                raise ValueError(
                    f"'{self._shown()}' is no decision: name a binary variable, or selected(x), or not one"
                )
            return Logical(found, negated)

        return self._guarded(read)

    def relation(self) -> Relation:
        def read() -> Relation:
            node = self._parse(self.text)
            if not isinstance(node, ast.Compare) or len(node.ops) != 1:
                raise ValueError(f"'{self._shown()}' is no relation: write one of <=, >=, == between two sides")
            op = _SENSES.get(type(node.ops[0]))
            if op is None or op == "!=":
                raise ValueError(f"'{self._shown()}' is no relation: write one of <=, >=, == between two sides")
            left, right = self._expr(node.left), self._expr(node.comparators[0])
            sense: Sense = "==" if op == "==" else "<=" if op[0] == "<" else ">="
            return Relation(left, sense, right, strict=op in "<>")

        return self._guarded(read)

    def _guarded(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except RecursionError:
            raise ValueError("nested too deeply: use sums over sets, or coefficients by variable") from None

    def _deeper(self, read: Callable[[ast.expr], _T], node: ast.expr) -> _T:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError("nested too deeply: use sums over sets, or coefficients by variable")
        found = read(node)
        self.depth -= 1
        return found

    def _expr(self, node: ast.expr) -> Expr:
        return self._deeper(self._algebra, node)

    def _algebra(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                digits = self.part[node.col_offset : node.end_col_offset].decode()
                try:
                    return Num(number(digits))
                except ValueError:  # 0x10, 1_000
                    return Num(number(node.value))
            case ast.Name():
                if node.id in self.bound:
                    raise self._refuse(node, "is a member of a set, not a number: use a parameter indexed by it")
                return Ref(node.id)
            case ast.Subscript(value=ast.Name(id=name)):
                return Ref(name, self._indices(node.slice))
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return Mul(self._expr(left), self._expr(right))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._quotient(self._expr(left), self._expr(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _turned(self._expr(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._expr(operand)
            case ast.Call(func=ast.Name(id="sum"), args=[ast.GeneratorExp() as inner], keywords=[]):
                depth = len(self.bound)
                over = self._quantifier(inner.generators)
                found = Sum(over, self._expr(inner.elt))
                del self.bound[depth:]
                return found
            case ast.Call(func=ast.Name(id="selected"), args=[inner], keywords=[]):
                of = self._expr(inner)
                if not isinstance(of, Ref):
                    raise self._refuse(node, "must name one variable: selected(x) or selected(x[i])")
                return Selected(of)
            case ast.Call():
                raise self._refuse(node, "is unknown: there are sum(... for i in I) and selected(x)")
        raise self._refuse(node, "is not linear algebra: write numbers, names, + - * /, sum(...) and selected(x)")

    def _sum(self, node: ast.expr) -> Expr:
        """Terms in order; a chain of hundreds of + is walked, not recursed into."""
        terms: list[Expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            right = self._expr(node.right)
            terms.append(_turned(right) if isinstance(node.op, ast.Sub) else right)
            node = node.left
        terms.append(self._expr(node))
        return Add(tuple(reversed(terms)))

    @staticmethod
    def _quotient(above: Expr, below: Expr) -> Expr:
        if isinstance(above, Num) and isinstance(below, Num) and below.number.value:
            text = f"{above}/{below}"
            return Num(
                Number(above.number.value / below.number.value, text if re.fullmatch(r"[\d./]+", text) else None)
            )
        return Div(above, below)

    def _quantifier(self, parts: Sequence[ast.comprehension]) -> Quantifier:
        generators: list[Generator] = []
        conditions: list[Condition] = []
        for part in parts:
            generators.append(self._generator(part.target, part.iter))
            self.bound += generators[-1].symbols
            conditions += [self._condition(test) for test in part.ifs]
        condition = None if not conditions else conditions[0] if len(conditions) == 1 else And(tuple(conditions))
        return Quantifier(tuple(generators), condition)

    def _generator(self, target: ast.expr, source: ast.expr) -> Generator:
        symbols = target.elts if isinstance(target, ast.Tuple) else [target]
        if not isinstance(source, ast.Name):
            raise self._refuse(source, "is no set: name a declared one, as in 'i in PLANTS'")
        if not all(isinstance(symbol, ast.Name) for symbol in symbols):
            raise self._refuse(target, "cannot run through a set: name symbols, as in '(i, j) in ARCS'")
        return Generator(tuple(symbol.id for symbol in symbols if isinstance(symbol, ast.Name)), source.id)

    def _indices(self, node: ast.expr) -> tuple[Index, ...]:
        return tuple(map(self._index, node.elts if isinstance(node, ast.Tuple) else [node]))

    def _index(self, node: ast.expr) -> Index:
        match node:
            case ast.Name(id=name):
                return At(name)
            case ast.Constant(value=str() | int() as element) if not isinstance(element, bool):
                return Item(element)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as element)):
                return Item(-element)
            case ast.BinOp(left=ast.Name(id=name), op=op, right=ast.Constant(value=int() as by)):
                if isinstance(op, ast.Add | ast.Sub) and not isinstance(by, bool):
                    return At(name, by if isinstance(op, ast.Add) else -by)
            case ast.Call(func=ast.Name(id="first" | "last" as end), args=[ast.Name(id=name)], keywords=[]):
                return Edge("first" if end == "first" else "last", name)
        raise self._refuse(node, "is no index: write a symbol, 'an element', t-1, first(T) or last(T)")

    def _condition(self, node: ast.expr) -> Condition:
        return self._deeper(self._logic, node)

    def _logic(self, node: ast.expr) -> Condition:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = tuple(map(self._condition, values))
                return And(parts) if isinstance(op, ast.And) else Or(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._condition(operand))
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[ast.Name(id=name)]):
                member = Member(self._indices(left), name)
                return member if isinstance(op, ast.In) else Not(member)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                found: list[Condition] = []
                for comparison, right in zip(ops, rights, strict=True):
                    if type(comparison) not in _SENSES:
                        raise self._refuse(node, "is no condition: compare with ==, !=, <, <=, >, >=, in")
                    found.append(_compared(_SENSES[type(comparison)], self._side(left), self._side(right)))
                    left = right
                return found[0] if len(found) == 1 else And(tuple(found))
        raise self._refuse(node, "is no condition: compare with ==, !=, <, <=, >, >=, in")

    def _side(self, node: ast.expr) -> Index | Expr:
        """An index where it mentions a bound symbol or an element's text, else an expression of data."""
        match node:
            case ast.Constant(value=str()) | ast.Call(func=ast.Name(id="first" | "last")):
                return self._index(node)
            case ast.Name(id=name) | ast.BinOp(left=ast.Name(id=name)) if name in self.bound:
                return self._index(node)
            case ast.Constant(value=int()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
                return self._index(node)
        return self._expr(node)


def _compared(op: Comparison, left: Index | Expr, right: Index | Expr) -> Compare:
    """A comparison of two indices or of two expressions.

    A bare name may be a parameter, or a symbol that a quantifier further out binds (see `as_index`).
    """

    def alike(side: Index | Expr, other: Index | Expr) -> Index | Expr:
        if isinstance(side, Item) and isinstance(side.element, int) and isinstance(other, Expr):
            return side if isinstance(other, Ref) and not other.index else constant(side.element)
        return side

    return Compare(op, alike(left, right), alike(right, left))


def as_index(side: Index | Expr, bound: Container[str]) -> Index | Expr:
    """A side of a comparison, as the index that it is where it is a bound symbol or one with a shift."""
    match side:
        case Ref(name=name, index=()) if name in bound:
            return At(name)
        case Add(terms=(Ref(name=name, index=()), Num(number=by))) if name in bound and by.value.denominator == 1:
            return At(name, int(by.value))
    return side


# ---- walking ---------------------------------------------------------------------------------------------------------


def names_in(given: Expr | Quantifier | Logical | Relation | Condition | Index | None) -> Iterator[str]:
    """Every name of a set, parameter or variable that is mentioned, with repeats; bound symbols are none."""
    match given:
        case Ref(name=name, index=index):
            yield name
            for part in index:
                yield from names_in(part)
        case Edge(set=name):
            yield name
        case Selected(of=of):
            yield from names_in(of)
        case Logical(of=decision):
            yield from names_in(decision)
        case Add(terms=terms):
            for term in terms:
                yield from names_in(term)
        case Mul(left=a, right=b) | Div(above=a, below=b) | Relation(left=a, right=b) | Compare(left=a, right=b):
            yield from names_in(a)
            yield from names_in(b)
        case Sum(over=over, body=body):
            yield from names_in(over)
            yield from names_in(body)
        case Quantifier(generators=generators, condition=condition):
            yield from (generator.set for generator in generators)
            yield from names_in(condition)
        case Member(index=index, set=name):
            yield name
            for part in index:
                yield from names_in(part)
        case And(parts=parts) | Or(parts=parts):
            for part_ in parts:
                yield from names_in(part_)
        case Not(part=negated):
            yield from names_in(negated)


def renamed(given: _T, names: Mapping[str, str]) -> _T:
    """The same with other symbols, wherever a quantifier binds them or an index uses them."""
    found: Any = given
    match given:
        case At(symbol=symbol, shift=shift):
            found = At(names.get(symbol, symbol), shift)
        case Generator(symbols=symbols, set=name):
            found = Generator(tuple(names.get(symbol, symbol) for symbol in symbols), name)
        case Compare(op=op, left=left, right=right):
            found = Compare(op, renamed(as_index(left, names), names), renamed(as_index(right, names), names))
        case tuple():
            found = tuple(renamed(part, names) for part in given)
        case _ if is_dataclass(given) and not isinstance(given, type):
            found = type(given)(*(renamed(getattr(given, part.name), names) for part in fields(given)))
    return found  # type: ignore[no-any-return]


def symbols_in(given: Any) -> Iterator[str]:
    """Every symbol that a quantifier inside binds or an index uses, with repeats."""
    match given:
        case At(symbol=symbol):
            yield symbol
        case Generator(symbols=symbols):
            yield from symbols
        case Compare(left=left, right=right):
            for side in (left, right):
                yield from symbols_in(as_index(side, set(names_in(side))))
        case tuple():
            for part in given:
                yield from symbols_in(part)
        case _ if is_dataclass(given):
            for field in fields(given):
                yield from symbols_in(getattr(given, field.name))
