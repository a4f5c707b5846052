"""Small programs as steps of a solution: one Python statement a line, run at once, over exact rational numbers.

A language model writes the lines. They are parsed (`ast.parse`) and walked here: nothing is compiled, evaluated or
imported. Length, nesting, digits and the work of a line are bounded before it is done, so that any input costs less
than a millisecond. Only ProgramError is raised.

A line assigns: `x = ...`, `a = b = ...`, `a, b = ...`, `x += ...`, `x: int = ...`. Expressions are numbers, names,
`+ - * / // % **`, comparisons, `and or not`, conditional expressions, tuples, and calls of `min max round abs sum len
range int float floor ceil`. They mean what they mean in Python, but for decimals, which are exact: `0.1` is 1/10.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Union

__all__ = ["ProgramError", "Value", "run_line", "run_program", "spell", "state_key"]

Value = Union[Fraction, bool, tuple["Value", ...]]  # noqa: UP007 (the name is not there yet)

MAX_LINE: Final = 400  # characters
MAX_LINES: Final = 64
MAX_NODES: Final = 200  # of a line's syntax tree
MAX_NESTING: Final = 30  # brackets within brackets, and signs before signs
MAX_BITS: Final = 512  # of a numerator or a denominator
MAX_ITEMS: Final = 1_000  # of a tuple or a range
MAX_NAME: Final = 64  # characters

_NUMBER: Final = re.compile(
    r"[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]{1,3})?|\.[0-9][0-9_]*(?:[eE][+-]?[0-9]{1,3})?"
)


class ProgramError(ValueError):
    """A line cannot be run. The message is one short line."""


def run_program(text: str) -> dict[str, Value]:
    """The variables after all lines of a program. Raises ProgramError."""
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise ProgramError(f"the program is longer than {MAX_LINES} lines")
    variables: dict[str, Value] = {}
    for line in lines:
        variables = run_line(line, variables)
    return variables


def run_line(line: str, variables: Mapping[str, Value]) -> dict[str, Value]:
    """The variables after one more line; a blank line or a comment changes nothing. Raises ProgramError."""
    if len(line) > MAX_LINE:
        raise ProgramError(f"the line is longer than {MAX_LINE} characters")
    line = line.strip()
    if not line or line.startswith("#"):
        return dict(variables)
    statement = _parse(line)
    run = _Run(line, variables)
    run.statement(statement)
    return run.variables


def spell(value: Value) -> str:
    """A value in its canonical spelling: `72`, `11/2`, `True`, `(1, 2)`."""
    if isinstance(value, tuple):
        return f"({', '.join(map(spell, value))}{',' * (len(value) == 1)})"
    return str(value)


def state_key(variables: Mapping[str, Value]) -> str:
    """The variables in a canonical spelling: equal exactly where names and values are."""
    return "; ".join(f"{name}={spell(variables[name])}" for name in sorted(variables))


# ---- parsing ---------------------------------------------------------------------------------------------------------


def _parse(line: str) -> ast.stmt:
    depth = deepest = signs = 0
    for character in line:  # CPython's parser answers deep nesting with MemoryError or RecursionError
        depth += (character in "([{") - (character in ")]}")
        signs = signs + 1 if character in "+-~" else signs if character == " " else 0
        deepest = max(deepest, depth, signs)
    if deepest > MAX_NESTING:
        raise ProgramError(f"more than {MAX_NESTING} brackets or signs are nested")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(line).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(getattr(error, "msg", None) or error).split(" (")[0]
        raise ProgramError(f"not a Python statement: {reason[:80] or type(error).__name__}") from None
    if len(body) != 1:
        raise ProgramError("a line holds one statement" if body else "the line is empty")
    if sum(1 for _ in ast.walk(body[0])) > MAX_NODES:
        raise ProgramError("the line is too long to run")
    return body[0]


_KINDS: Final = {
    ast.Attribute: "an attribute",
    ast.Await: "await",
    ast.Dict: "a dictionary",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a generator",
    ast.JoinedStr: "a string",
    ast.Lambda: "lambda",
    ast.ListComp: "a comprehension",
    ast.NamedExpr: "an assignment within an expression",
    ast.Set: "a set",
    ast.SetComp: "a comprehension",
    ast.Starred: "a starred expression",
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.FunctionDef: "a definition",
    ast.AsyncFunctionDef: "a definition",
    ast.ClassDef: "a class",
    ast.For: "a loop",
    ast.While: "a loop",
    ast.If: "an if statement",
    ast.With: "with",
    ast.Delete: "del",
    ast.Return: "return",
}


def _refused(node: ast.AST) -> ProgramError:
    return ProgramError(f"{_KINDS.get(type(node), type(node).__name__)} is not part of a program here")


# ---- running ---------------------------------------------------------------------------------------------------------


class _Run:
    """One line over the variables before it."""

    def __init__(self, line: str, variables: Mapping[str, Value]) -> None:
        self.line = line
        self.variables = dict(variables)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.assign(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.assign(node.target, self.value(node.value))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            left = self.name(node.target.id)
            self.assign(node.target, _binary(node.op, left, self.value(node.value)))
        elif isinstance(node, ast.Expr | ast.AnnAssign | ast.Pass):
            raise ProgramError("the line assigns nothing")
        else:
            raise _refused(node)

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            if len(target.id) > MAX_NAME:
                raise ProgramError(f"a name is longer than {MAX_NAME} characters")
            self.variables[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            if not isinstance(value, tuple) or len(value) != len(target.elts):
                raise ProgramError(f"{len(target.elts)} names do not take {spell(value)[:40]}")
            for part, item in zip(target.elts, value, strict=True):
                self.assign(part, item)
        else:
            raise _refused(target)

    def name(self, name: str) -> Value:
        try:
            return self.variables[name]
        except KeyError:
            raise ProgramError(f"{name[:MAX_NAME]!r} is not defined") from None

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.BinOp):
            return _binary(node.op, self.value(node.left), self.value(node.right))
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.BoolOp):
            value = self.value(node.values[0])
            for part in node.values[1:]:
                if bool(value) is isinstance(node.op, ast.Or):
                    break
                value = self.value(part)
            return value
        if isinstance(node, ast.IfExp):
            return self.value(node.body if self.value(node.test) else node.orelse)
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.value(part) for part in node.elts)
        if isinstance(node, ast.Subscript):
            return self.item(node)
        raise _refused(node)

    def constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool):
            return node.value
        if not isinstance(node.value, int | float):
            raise ProgramError(f"{'a string' if isinstance(node.value, str) else 'such a constant'} is not a number")
        if isinstance(node.value, int):
            return _bounded(Fraction(node.value))
        # The decimal as it is written, which its float is not. Positions are in bytes, which a number's are too.
        source = self.line.encode()[node.col_offset : node.end_col_offset].decode()
        if not _NUMBER.fullmatch(source):
            raise ProgramError(f"{source[:40]!r} is not a number")
        return _bounded(Fraction(Decimal(source.replace("_", ""))))

    def unary(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(node.op, ast.Invert):
            raise _refused(node.op)
        number = _number(value)
        return -number if isinstance(node.op, ast.USub) else number

    def compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        for kind, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part)
            operation = _COMPARISONS.get(type(kind))
            if operation is None:
                raise ProgramError("only < <= > >= == != compare here")
            try:
                found = operation(left, right)
            except TypeError:
                raise ProgramError("a number and a sequence cannot be compared") from None
            if not found:
                return False
            left = right
        return True

    def item(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if isinstance(node.slice, ast.Slice) or not isinstance(value, tuple):
            raise ProgramError("only an item of a sequence can be taken, by its number")
        index = _whole(self.value(node.slice), "the number of an item")
        if not -len(value) <= index < len(value):
            raise ProgramError(f"there is no item {index} of {len(value)}")
        return value[index]

    def call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name):
            raise _refused(node.func)
        name = node.func.id
        if name in self.variables:
            raise ProgramError(f"{name[:MAX_NAME]!r} is a number, not a function")
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ProgramError(f"there is no function {name[:MAX_NAME]!r} here")
        if node.keywords:
            raise ProgramError(f"{name} takes no named arguments here")
        return function([self.value(part) for part in node.args])


def _number(value: Value) -> Fraction:
    if isinstance(value, tuple):
        raise ProgramError("a sequence is not a number")
    return Fraction(value)


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
        if len(left) + len(right) > MAX_ITEMS:
            raise ProgramError(f"a sequence has more than {MAX_ITEMS} items")
        return left + right
    a, b = _number(left), _number(right)
    if isinstance(kind, ast.Pow):
        return _power(a, b)
    operation = _OPERATIONS.get(type(kind))
    if operation is None:
        raise _refused(kind)
    if b == 0 and isinstance(kind, ast.Div | ast.FloorDiv | ast.Mod):
        raise ProgramError("division by zero")
    return _bounded(Fraction(operation(a, b)))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if base == 0 and exponent < 0:
        raise ProgramError("division by zero")
    if max(exponent.numerator.bit_length(), exponent.denominator.bit_length()) > 12:
        if base in (0, 1):
            return base if exponent else Fraction(1)
        raise ProgramError("a number has too many digits")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) != 1 and base and (bits - 1) * abs(exponent) > 2 * MAX_BITS:
        raise ProgramError("a number has too many digits")
    if exponent.denominator != 1:
        if base < 0:
            raise ProgramError("a root of a negative number is not a number here")
        base = Fraction(_root(base.numerator, exponent.denominator), _root(base.denominator, exponent.denominator))
    return _bounded(Fraction(base**exponent.numerator))


def _root(number: int, degree: int) -> int:
    """The whole root. Raises ProgramError where there is none."""
    if degree > MAX_BITS:
        root = 1
    elif degree == 2:
        root = math.isqrt(number)
    else:
        low, high = 0, 1 << (number.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        root = low
    if root**degree != number:
        raise ProgramError("the root is not a rational number")
    return root


# ---- functions -------------------------------------------------------------------------------------------------------


def _arguments(name: str, values: Sequence[Value], least: int, most: int) -> None:
    if not least <= len(values) <= most:
        raise ProgramError(f"{name} does not take {len(values)} arguments")


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
    start, stop, step = (0, whole[0], 1) if len(whole) == 1 else (*whole, 1)[:3]
    count = max(0, -((start - stop) // step))
    if count > MAX_ITEMS:
        raise ProgramError(f"a range has more than {MAX_ITEMS} items")
    return tuple(Fraction(start + i * step) for i in range(count))


def _rounded(name: str, function: Callable[[Fraction], int]) -> Callable[[Sequence[Value]], Value]:
    def rounded(values: Sequence[Value]) -> Value:
        _arguments(name, values, 1, 1)
        return Fraction(function(_number(values[0])))

    return rounded


def _float(values: Sequence[Value]) -> Value:
    _arguments("float", values, 1, 1)
    return _number(values[0])


_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[Fraction, Fraction], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
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
