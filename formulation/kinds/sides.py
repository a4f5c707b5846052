"""What the linear kinds share: comparing two sides, and expressions that stay numbers where they can."""

from __future__ import annotations

import operator
import random
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationInfo

from formulation.expressions import Expr, Mul, Num, Sense, constant, scaled, total
from formulation.numbers import Rational

__all__ = ["check_strict", "compares", "minus", "plus", "strictly", "times"]

_CLOSED: Final = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}
_STRICT: Final = {"<=": operator.lt, ">=": operator.gt}
_ZERO: Final = constant(0)


def compares(left: Rational, sense: Sense, right: Rational, strict: bool = False) -> bool:
    """Whether left (sense) right; `strict` turns <= into < and >= into >."""
    return bool((_STRICT if strict else _CLOSED)[sense](left, right))


def check_strict(strict: bool, info: ValidationInfo) -> bool:
    """A field `strict` as it was given, behind the field `sense`. Raises ValueError where it is true of an equality."""
    if strict and info.data.get("sense") == "==":
        raise ValueError("an equality is never strict: leave 'strict' out, or let the sense be <= or >=")
    return strict


def strictly(rng: random.Random, sense: Sense) -> tuple[bool, Sequence[str]]:
    """For generators: whether to be strict, and the variables to use (strictness is exact over integers alone)."""
    strict = sense != "==" and rng.random() < 0.4
    return strict, ("n", "m", "a") if strict else ("x", "y", "n", "m")


def plus(left: Expr, right: Expr) -> Expr:
    """left + right."""
    if isinstance(left, Num) and isinstance(right, Num):
        return constant(left.number.value + right.number.value)
    if _ZERO in (left, right):
        return right if left == _ZERO else left
    return total(left, right)


def minus(left: Expr, right: Expr) -> Expr:
    """left - right."""
    return plus(left, times(constant(-1), right))


def times(left: Expr, right: Expr) -> Expr:
    """left * right."""
    if isinstance(left, Num) and isinstance(right, Num):
        return constant(left.number.value * right.number.value)
    return scaled(left.number, right) if isinstance(left, Num) else Mul(left, right)
