"""Exact arithmetic for annotations such as `<<48/2=24>>`: checks what was written and says what it should be.

The expressions come from a language model. They are parsed, never evaluated by Python, over digits, `+ - * / ( )`
and a postfix `%` (50% is 1/2); length, nesting and digits are bounded, so that any input costs microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

__all__ = [
    "NUMBER",
    "Annotation",
    "CalculatorError",
    "check",
    "evaluate",
    "format_number",
    "number",
    "operations",
    "postfix",
]

MAX_LENGTH: Final = 200  # characters of an expression; the longest in GSM8K has 30
MAX_DIGITS: Final = 20  # of one number
MAX_DEPTH: Final = 20  # nested parentheses and signs

NUMBER: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_TOKEN = re.compile(rf" *(?:(?P<number>{NUMBER})|(?P<mark>[-+*/()%]))")
_VALUE = re.compile(rf"-?(?:{NUMBER})")
_DIGITS = frozenset(".0123456789")
_BRACKET = re.compile(r"<<|>>")


class CalculatorError(ValueError):
    """The expression is malformed, too large, or divides by zero. The message is one short line."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One `<<expr=value>>` of a line.

    `start` and `end` are character offsets of `written`, the value, in the line (of the whole annotation where no
    value can be told). `correct` is the exact value as `format_number` writes it, None where `expr` has none. `ok`
    says that `written` equals the exact value or, where that has no short decimal form (10/3), rounds it correctly to
    the decimals written. 7/2=4 is not ok: no annotation of GSM8K rounds a value that can be written down. `error` says
    why an annotation is malformed.
    """

    start: int
    end: int
    expr: str
    written: str
    correct: str | None
    ok: bool
    error: str | None = None


def evaluate(expr: str) -> Fraction:
    """The exact value of an arithmetic expression. Raises CalculatorError."""
    return operations([number(item) if item[0] in _DIGITS else item for item in postfix(expr)])[-1]


def postfix(expr: str) -> tuple[str, ...]:
    """An expression in postfix order: numbers as written, `+ - * / %`, and `neg`. Raises CalculatorError."""
    if len(expr) > MAX_LENGTH:
        raise CalculatorError(f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(_tokens(expr)).parse()


def operations(program: Sequence[Fraction | str]) -> list[Fraction]:
    """The value of every operation of a `postfix` program in order, the whole's last; a lone number is its own value.

    Raises CalculatorError where something is divided by zero.
    """
    stack: list[Fraction] = []
    results: list[Fraction] = []
    for item in program:
        if not isinstance(item, str):
            stack.append(item)
            continue
        value = stack.pop()
        if item == "neg":
            value = -value
        elif item == "%":
            value /= 100
        elif item == "+":
            value = stack.pop() + value
        elif item == "-":
            value = stack.pop() - value
        elif item == "*":
            value = stack.pop() * value
        elif value == 0:
            raise CalculatorError("division by zero")
        else:
            value = stack.pop() / value
        stack.append(value)
        results.append(value)
    return results or stack


def number(text: str) -> Fraction:
    """The value of a decimal as annotations write it: `-1.50`, `.5`, `3.`, `1,200`."""
    whole, _, decimals = text.replace(",", "").partition(".")
    return Fraction(int(whole + decimals), 10 ** len(decimals))


def check(line: str) -> list[Annotation]:
    """Every annotation of `line`, in order; an opened `<<` that never becomes one is an annotation with an error.

    Linear in the length of the line.
    """
    found: list[Annotation] = []
    opened: int | None = None
    for bracket in _BRACKET.finditer(line):
        if bracket.group() == "<<":
            if opened is not None:
                found.append(_malformed(line, opened, bracket.start(), "'<<' without '>>'"))
            opened = bracket.start()
        elif opened is not None:
            found.append(_annotation(line, opened, bracket.end()))
            opened = None
    if opened is not None:
        found.append(_malformed(line, opened, len(line), "'<<' without '>>'"))
    return found


def format_number(value: Fraction) -> str:
    """A number as GSM8K writes it: integers plain, up to 6 decimals exact, else rounded half up to 2 decimals.

    A rounded value keeps at least two significant digits: 1/300 is 0.0033.
    """
    if value.denominator == 1:
        return str(value.numerator)
    if _is_short(value):
        return _decimal(value, 6).rstrip("0")
    decimals = 2
    while abs(value) * 10**decimals < 10 and abs(value) < 1:
        decimals += 1
    return _decimal(value, decimals)


def _is_short(value: Fraction) -> bool:
    """Whether at most 6 decimals write the value exactly."""
    return 1_000_000 % value.denominator == 0


def _decimal(value: Fraction, decimals: int) -> str:
    scaled = abs(value) * 10**decimals
    digits = str((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _annotation(line: str, opened: int, closed: int) -> Annotation:
    inside = line[opened + 2 : closed - 2]
    expr, equals, value = inside.partition("=")
    if not equals:
        return _malformed(line, opened, closed, "no '=' in the annotation")
    start = opened + 2 + len(expr) + 1
    start += len(value) - len(value.lstrip(" "))
    value = value.strip(" ")
    end = start + len(value)
    try:
        exact = evaluate(expr)
    except CalculatorError as error:
        return _malformed(line, opened, closed, str(error))
    correct = format_number(exact)
    if not _VALUE.fullmatch(value) or len(value) > MAX_LENGTH:
        return Annotation(start, end, expr, value[:MAX_LENGTH], correct, False, "the value is not a number")
    return Annotation(start, end, expr, value, correct, _agrees(value, exact))


def _malformed(line: str, start: int, end: int, error: str) -> Annotation:
    # Only the beginning of what was opened is kept: the rest of the line may be long.
    return Annotation(start, end, line[start : min(end, start + MAX_LENGTH)], "", None, False, error)


def _agrees(written: str, exact: Fraction) -> bool:
    plain = written.replace(",", "")
    value = number(plain)
    if value == exact or _is_short(exact):
        return value == exact
    return bool(abs(value - exact) * 2 * 10 ** len(plain.partition(".")[2]) <= 1)


def _tokens(expr: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(expr.rstrip(" "))
    while position < end:
        match = _TOKEN.match(expr, position)
        if match is None:
            raise CalculatorError(f"{expr[position : position + 1]!r} is not arithmetic")
        if match["number"] is not None and sum(map(str.isdigit, match["number"])) > MAX_DIGITS:
            raise CalculatorError(f"a number has more than {MAX_DIGITS} digits")
        tokens.append(match["number"] or match["mark"])
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent: sum = product (+|- product)*, product = factor (*|/ factor)*, factor = sign* atom %*."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.next = 0
        self.depth = 0
        self.out: list[str] = []

    def parse(self) -> tuple[str, ...]:
        self.sum()
        if self.next < len(self.tokens):
            raise CalculatorError(f"unexpected {self.tokens[self.next]!r}")
        return tuple(self.out)

    def take(self, marks: str) -> str | None:
        if self.next < len(self.tokens) and self.tokens[self.next] in marks:
            self.next += 1
            return self.tokens[self.next - 1]
        return None

    def sum(self) -> None:
        self.product()
        while mark := self.take("+-"):
            self.product()
            self.out.append(mark)

    def product(self) -> None:
        self.factor()
        while mark := self.take("*/"):
            self.factor()
            self.out.append(mark)

    def factor(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise CalculatorError(f"more than {MAX_DEPTH} nested parentheses or signs")
        if mark := self.take("+-"):
            self.factor()
            if mark == "-":
                self.out.append("neg")
        else:
            self.atom()
        self.depth -= 1

    def atom(self) -> None:
        if self.take("("):
            self.sum()
            if not self.take(")"):
                raise CalculatorError("a parenthesis is not closed")
        elif self.next < len(self.tokens) and self.tokens[self.next][0] in _DIGITS:
            self.out.append(self.tokens[self.next])
            self.next += 1
        else:
            found = repr(self.tokens[self.next]) if self.next < len(self.tokens) else "the end"
            raise CalculatorError(f"a number is missing before {found}")
        while self.take("%"):
            self.out.append("%")
