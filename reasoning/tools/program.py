"""Small programs as steps of a solution: one Python statement a line, run at once, over exact rational numbers.

A language model writes the lines. They are parsed (`ast.parse`), checked and walked here: nothing is compiled,
evaluated or imported. Length, nesting, digits, items and the work of a line are bounded before the work is done, so
that a usual line costs tens of microseconds and none costs more than milliseconds. Only ProgramError is raised.

A line assigns: `x = ...`, `a = b = ...`, `a, b = ...`, `x += ...`, `x: int = ...`. Expressions are numbers, names,
`+ - * / // % **`, comparisons, `and or not`, conditional expressions, tuples, lists, items by their number, and calls
of `min max round abs sum len range int float floor ceil`. They mean what they mean in Python, but for three things:
decimals are exact (`0.1` is 1/10), lists and ranges are tuples, and roots must be rational (`4 ** 0.5` is 2).
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias

__all__ = ["ProgramError", "Value", "run_line", "run_program", "spell", "state_key"]

Value: TypeAlias = Fraction | bool | tuple["Value", ...]

MAX_LINE: Final = 400  # characters
MAX_LINES: Final = 64
MAX_NAME: Final = 64  # characters
MAX_BRACKETS: Final = 40  # of a line: CPython's parser recurses into them
MAX_NESTING: Final = 100  # levels of a line's syntax tree, of which a sum takes one for each term
MAX_BITS: Final = 512  # of a numerator or a denominator
MAX_ITEMS: Final = 1_000  # of a sequence, those of sequences in it included
MAX_LEVELS: Final = 8  # sequences in sequences
MAX_WORK: Final = 2_500  # items of all sequences that a line makes, compares, assigns or passes to functions
MAX_STATE: Final = 2_000  # numbers in all variables

# What the tokenizer may take for a number; in `3if x else y` it warns, and reads on.
_NUMBER_LIKE: Final = re.compile(r"(?<![\w.])\.?[0-9](?:[eE][+-]|[\w.])*")
_NUMBER: Final = re.compile(r"(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]{1,3})?")


class ProgramError(ValueError):
    """A line cannot be run. The message is one short line."""


def run_program(text: str) -> dict[str, Value]:
    """The variables after all lines of a program, the one assigned last at the end. Raises ProgramError."""
    if text.removesuffix("\n").count("\n") >= MAX_LINES:
        raise ProgramError(f"the program is longer than {MAX_LINES} lines")
    variables: dict[str, Value] = {}
    for line in text.split("\n"):
        variables = run_line(line, variables)
    return variables


def run_line(line: str, variables: Mapping[str, Value]) -> dict[str, Value]:
    """The variables after one more line; a blank line or a comment changes nothing. Raises ProgramError."""
    if len(line) > MAX_LINE:
        raise ProgramError(f"the line is longer than {MAX_LINE} characters")
    line = line.strip()
    if "\n" in line or "\r" in line:
        raise ProgramError("a line holds one statement")
    code = line.partition("#")[0].rstrip()  # a string, which might hold a #, is refused in any case
    if not code:
        return dict(variables)
    try:
        run = _Run(code, variables)
        run.statement(_parse(code))
    except RecursionError:  # the caller's own stack is nearly full
        raise ProgramError("the line is nested too deeply") from None
    if sum(map(_size, run.variables.values())) > MAX_STATE:
        raise ProgramError(f"the variables hold more than {MAX_STATE} numbers")
    return run.variables


def spell(value: Value) -> str:
    """A value in its canonical spelling, which is exact: `72`, `11/2`, `True`, `(1, 2)`."""
    if isinstance(value, tuple):
        return f"({', '.join(map(spell, value))}{',' * (len(value) == 1)})"
    return str(value)


def state_key(variables: Mapping[str, Value]) -> str:
    """The variables in a canonical spelling: equal exactly where names and values are. `True` and `1` are not equal."""
    return "; ".join(f"{name}={spell(variables[name])}" for name in sorted(variables))


# ---- parsing ---------------------------------------------------------------------------------------------------------


def _parse(code: str) -> ast.stmt:
    """The one statement of a line, all of it within the subset."""
    if sum(map(code.count, "([{")) > MAX_BRACKETS:
        raise ProgramError(f"the line has more than {MAX_BRACKETS} brackets")
    if "\\" in code:  # the tokenizer warns of escapes in strings
        raise ProgramError("a backslash is not part of a program here")
    for token in _NUMBER_LIKE.findall(code):
        if not _NUMBER.fullmatch(token):
            raise ProgramError(f"{token[:40]!r} is not a number")
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, MemoryError) as error:
        reason = str(getattr(error, "msg", None) or error).split(" (")[0]
        raise ProgramError(f"not a Python statement: {reason[:80] or type(error).__name__}") from None
    if len(body) != 1:
        raise ProgramError("a line holds one statement")
    statement = body[0]
    if isinstance(statement, ast.Expr | ast.Pass) or (isinstance(statement, ast.AnnAssign) and not statement.value):
        raise ProgramError("the line assigns nothing")
    _check(statement)
    return statement


def _check(statement: ast.stmt) -> None:
    """Raises ProgramError where anything is not of the subset, be it in a branch that is never run."""
    level: list[ast.AST] = [statement]
    for _ in range(MAX_NESTING):
        for node in level:
            if type(node) not in _SUBSET or (
                isinstance(node, ast.Constant) and not isinstance(node.value, int | float)
            ):
                raise ProgramError(f"{_name_of(node)} is not part of a program here")
        level = [part for node in level for part in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ProgramError("the line is nested too deeply")


def _name_of(node: ast.AST) -> str:
    """What a Python programmer calls a piece of syntax."""
    if isinstance(node, ast.Constant):
        return "a string" if isinstance(node.value, str) else str(node.value)[:40]
    return _NAMES.get(type(node), type(node).__name__.lower())


# ---- running ---------------------------------------------------------------------------------------------------------


class _Run:
    """One line over the variables before it."""

    def __init__(self, code: str, variables: Mapping[str, Value]) -> None:
        self.code = code
        self.variables = dict(variables)
        self.work = 0

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.assign(target, value)
        elif isinstance(node, ast.AugAssign):
            left = self.value(node.target)
            self.assign(node.target, self.spend(_binary(node.op, left, self.value(node.value))))
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.assign(node.target, self.value(node.value))

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            if len(target.id) > MAX_NAME:
                raise ProgramError(f"a name is longer than {MAX_NAME} characters")
            kept = self.spend(value)
            self.variables.pop(target.id, None)  # what is assigned last stands last
            self.variables[target.id] = kept
        elif isinstance(target, ast.Tuple | ast.List):
            if not isinstance(value, tuple):
                raise ProgramError(f"{len(target.elts)} names cannot take one number")
            if len(value) != len(target.elts):
                raise ProgramError(f"{len(target.elts)} names cannot take {len(value)} values")
            for part, item in zip(target.elts, value, strict=True):
                self.assign(part, item)
        else:
            raise ProgramError("an item of a sequence cannot be assigned")

    def value(self, node: ast.expr) -> Value:
        return _EXPRESSIONS[type(node)](self, node)

    def spend(self, value: Value) -> Value:
        """The value, once the work that its items may cost is within the bound."""
        if isinstance(value, tuple):
            self.work += _size(value)
            if self.work > MAX_WORK:
                raise ProgramError("the line takes too long to run")
        return value

    def name(self, node: ast.Name) -> Value:
        try:
            return self.variables[node.id]
        except KeyError:
            kind = "is a function, not a number" if node.id in _FUNCTIONS else "is not defined"
            raise ProgramError(f"{node.id[:MAX_NAME]!r} {kind}") from None

    def constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool):
            return node.value
        if isinstance(node.value, int):
            return _bounded(Fraction(node.value))
        # The decimal as it is written, which its float is not. Positions count bytes.
        source = self.code.encode()[node.col_offset : node.end_col_offset].decode()
        return _bounded(Fraction(Decimal(source.replace("_", ""))))

    def binary(self, node: ast.BinOp) -> Value:
        return self.spend(_binary(node.op, self.value(node.left), self.value(node.right)))

    def unary(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        number = _number(value)
        return -number if isinstance(node.op, ast.USub) else number

    def logical(self, node: ast.BoolOp) -> Value:
        value = self.value(node.values[0])
        for part in node.values[1:]:
            if bool(value) is isinstance(node.op, ast.Or):
                break
            value = self.value(part)
        return value

    def choice(self, node: ast.IfExp) -> Value:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        for kind, part in zip(node.ops, node.comparators, strict=True):
            right = self.spend(self.value(part))
            try:
                if not _COMPARISONS[type(kind)](left, right):
                    return False
            except TypeError:
                raise ProgramError("a number and a sequence cannot be compared") from None
            left = right
        return True

    def sequence(self, node: ast.Tuple | ast.List) -> Value:
        return self.spend(tuple(map(self.value, node.elts)))

    def item(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if not isinstance(value, tuple):
            raise ProgramError("a number has no items")
        index = _whole(self.value(node.slice), "the number of an item")
        if not -len(value) <= index < len(value):
            raise ProgramError(f"there is no item {spell(Fraction(index))[:40]} of {len(value)}")
        return value[index]

    def call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name):
            raise ProgramError("only a function's name can be called")
        name = node.func.id
        if name in self.variables:
            raise ProgramError(f"{name[:MAX_NAME]!r} is a variable, not a function")
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ProgramError(f"there is no function {name[:MAX_NAME]!r} here")
        return self.spend(function([self.spend(self.value(part)) for part in node.args]))


def _size(value: Value, levels: int = MAX_LEVELS) -> int:
    """The numbers in a value, an empty sequence counted as one. Raises ProgramError where it is too large."""
    if not isinstance(value, tuple):
        return 1
    if not levels:
        raise ProgramError(f"more than {MAX_LEVELS} sequences are nested")
    size = 0
    for item in value:
        size += _size(item, levels - 1)
        if size > MAX_ITEMS:
            raise ProgramError(f"a sequence has more than {MAX_ITEMS} items")
    return size or 1


def _number(value: Value) -> Fraction:
    if isinstance(value, tuple):
        raise ProgramError("a sequence is not a number")
    return value if isinstance(value, Fraction) else Fraction(value)


def _whole(value: Value, what: str) -> int:
    number = _number(value)
    if number.denominator != 1:
        raise ProgramError(f"{what} must be whole, not {spell(number)[:40]}")
    return number.numerator


def _bounded(number: Fraction) -> Fraction:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_BITS:
        raise ProgramError("a number has too many digits")
    return number


def _binary(kind: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(left, tuple) and isinstance(right, tuple) and isinstance(kind, ast.Add):
        return left + right
    try:
        return _bounded(_OPERATIONS[type(kind)](_number(left), _number(right)))
    except ZeroDivisionError:
        raise ProgramError("division by zero") from None


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    whole, degree = exponent.numerator, exponent.denominator
    if base < 0 and degree > 1:
        raise ProgramError("a root of a negative number is not a number here")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if (bits - 1) * abs(whole) >= MAX_BITS * degree:  # the power has more bits than this product; it is 0 for -1, 0, 1
        raise ProgramError("a number has too many digits")
    power: Fraction = Fraction(_root(base.numerator, degree), _root(base.denominator, degree)) ** whole
    return power


def _root(number: int, degree: int) -> int:
    """The root of a natural number, or any number itself for degree 1. Raises ProgramError where it is not whole."""
    if degree == 1 or number < 2:
        return number
    if degree < MAX_BITS:
        root = 1 << -(-number.bit_length() // degree)  # Newton's method descends from above to the floor of the root
        while (lower := ((degree - 1) * root + number // root ** (degree - 1)) // degree) < root:
            root = lower
        if root**degree == number:
            return root
    raise ProgramError("the root is not a rational number")


# ---- functions -------------------------------------------------------------------------------------------------------


def _arguments(name: str, values: Sequence[Value], least: int, most: int) -> None:
    if not least <= len(values) <= most:
        raise ProgramError(f"{name} does not take {len(values)} argument{'s' * (len(values) != 1)}")


def _sequence(name: str, value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise ProgramError(f"{name} takes a sequence")
    return value


def _extreme(name: str, choose: Callable[..., Any]) -> Callable[[Sequence[Value]], Value]:
    def function(values: Sequence[Value]) -> Value:
        items = _sequence(name, values[0]) if len(values) == 1 else values
        if not items:
            raise ProgramError(f"{name} of nothing")
        found: Value = choose(items, key=_number)
        return found

    return function


def _sum(values: Sequence[Value]) -> Value:
    _arguments("sum", values, 1, 2)
    total = _number(values[1]) if len(values) == 2 else Fraction(0)
    for item in _sequence("sum", values[0]):
        total = _bounded(total + _number(item))
    return total


def _len(values: Sequence[Value]) -> Value:
    _arguments("len", values, 1, 1)
    return Fraction(len(_sequence("len", values[0])))


def _abs(values: Sequence[Value]) -> Value:
    _arguments("abs", values, 1, 1)
    return abs(_number(values[0]))


def _round(values: Sequence[Value]) -> Value:
    _arguments("round", values, 1, 2)
    number = _number(values[0])
    digits = _whole(values[1], "the number of digits") if len(values) == 2 else 0
    if abs(digits) > 100:
        raise ProgramError("a number has too many digits")
    return _bounded(Fraction(round(number, digits)))


def _range(values: Sequence[Value]) -> Value:
    _arguments("range", values, 1, 3)
    whole = [_whole(value, "an argument of range") for value in values]
    if len(whole) == 3 and whole[2] == 0:
        raise ProgramError("the step of range is zero")
    numbers = range(*whole)
    # Of a range that is longer than sys.maxsize, len() fails; its items are looked up all the same.
    if numbers[MAX_ITEMS : MAX_ITEMS + 1]:
        raise ProgramError(f"a range has more than {MAX_ITEMS} items")
    return tuple(map(Fraction, numbers))


def _rounded(name: str, function: Callable[[Fraction], int]) -> Callable[[Sequence[Value]], Value]:
    def rounded(values: Sequence[Value]) -> Value:
        _arguments(name, values, 1, 1)
        return Fraction(function(_number(values[0])))

    return rounded


def _float(values: Sequence[Value]) -> Value:
    _arguments("float", values, 1, 1)
    return _number(values[0])


# ---- the subset of Python --------------------------------------------------------------------------------------------

_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXPRESSIONS: Final[Mapping[type[ast.expr], Callable[[_Run, Any], Value]]] = {
    ast.BinOp: _Run.binary,
    ast.BoolOp: _Run.logical,
    ast.Call: _Run.call,
    ast.Compare: _Run.compare,
    ast.Constant: _Run.constant,
    ast.IfExp: _Run.choice,
    ast.List: _Run.sequence,
    ast.Name: _Run.name,
    ast.Subscript: _Run.item,
    ast.Tuple: _Run.sequence,
    ast.UnaryOp: _Run.unary,
}
_FUNCTIONS: Final[Mapping[str, Callable[[Sequence[Value]], Value]]] = {
    "min": _extreme("min", min),
    "max": _extreme("max", max),
    "round": _round,
    "abs": _abs,
    "sum": _sum,
    "len": _len,
    "range": _range,
    "int": _rounded("int", math.trunc),
    "floor": _rounded("floor", math.floor),
    "ceil": _rounded("ceil", math.ceil),
    "float": _float,
}
_STATEMENTS: Final = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_MARKS: Final = (ast.And, ast.Or, ast.Not, ast.UAdd, ast.USub, ast.Load, ast.Store)
_SUBSET: Final = frozenset[type[ast.AST]]((*_STATEMENTS, *_EXPRESSIONS, *_OPERATIONS, *_COMPARISONS, *_MARKS))
_NAMES: Final[Mapping[type[ast.AST], str]] = {  # of what is refused, where it is not its type's in small letters
    ast.AsyncFor: "a loop",
    ast.AsyncFunctionDef: "a function definition",
    ast.Attribute: "an attribute",
    ast.BitAnd: "the operator &",
    ast.BitOr: "the operator |",
    ast.BitXor: "the operator ^",
    ast.ClassDef: "a class",
    ast.Delete: "del",
    ast.Dict: "a dictionary",
    ast.DictComp: "a comprehension",
    ast.For: "a loop",
    ast.FunctionDef: "a function definition",
    ast.GeneratorExp: "a generator expression",
    ast.If: "an if statement",
    ast.ImportFrom: "import",
    ast.In: "the operator in",
    ast.Invert: "the operator ~",
    ast.Is: "the operator is",
    ast.IsNot: "the operator is not",
    ast.JoinedStr: "a string",
    ast.LShift: "the operator <<",
    ast.ListComp: "a comprehension",
    ast.MatMult: "the operator @",
    ast.NamedExpr: "an assignment within an expression",
    ast.NotIn: "the operator not in",
    ast.RShift: "the operator >>",
    ast.Set: "a set",
    ast.SetComp: "a comprehension",
    ast.Slice: "a slice",
    ast.Starred: "a starred expression",
    ast.While: "a loop",
    ast.keyword: "a named argument",
}
