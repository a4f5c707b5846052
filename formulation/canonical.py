"""A matrix in canonical form: rows with coprime whole coefficients, bounds as rows, everything minimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from formulation.ground import Column
from formulation.linearize import Matrix
from formulation.numbers import Rational, exact

__all__ = ["Form", "Goal", "System", "form", "system"]


@dataclass(frozen=True, slots=True)
class Form:
    """sum(coefficients * columns) <= rhs, or == rhs where `equal`.

    Coefficients are whole and coprime, columns rise; the first coefficient of an equality is positive. Rows that differ
    by a positive factor (an equality: by any factor) have one form. `source` says which statement or bound it is from.
    """

    equal: bool
    columns: tuple[int, ...]
    coefficients: tuple[int, ...]
    rhs: Rational
    source: str = ""

    @property
    def key(self) -> tuple[bool, tuple[int, ...], tuple[int, ...], Rational]:
        """What makes two forms the same row."""
        return self.equal, self.columns, self.coefficients, self.rhs

    @property
    def terms(self) -> dict[int, Rational]:
        """Coefficients by column."""
        return dict(zip(self.columns, self.coefficients, strict=True))

    def holds(self, point: Sequence[Rational]) -> bool:
        """Whether a point satisfies it, by exact arithmetic."""
        value = sum(a * point[i] for i, a in zip(self.columns, self.coefficients, strict=True))
        return value == self.rhs if self.equal else value <= self.rhs

    def moved(self, to: Sequence[int]) -> Form:
        """The same row over other columns: column i becomes `to[i]`."""
        terms = {to[i]: a for i, a in zip(self.columns, self.coefficients, strict=True)}
        return form(terms, self.rhs, self.equal, self.source)


@dataclass(frozen=True, slots=True)
class Goal:
    """An expression to minimise. Coefficients are neither scaled nor, but for a maximised one, negated."""

    terms: Mapping[int, Rational]
    constant: Rational

    def value(self, point: Sequence[Rational]) -> Rational:
        """Its value at a point."""
        return self.constant + sum(a * point[i] for i, a in self.terms.items())

    def moved(self, to: Sequence[int]) -> Goal:
        """The same expression over other columns."""
        return Goal({to[i]: a for i, a in self.terms.items()}, self.constant)


@dataclass(frozen=True)
class System:
    """A model as forms. `goals`: the most important first; trailing ones that are 0 are left out.

    `maximised` says that the model itself maximises its first goal.
    """

    columns: tuple[Column, ...]
    integral: tuple[bool, ...]
    forms: tuple[Form, ...]
    goals: tuple[Goal, ...]
    maximised: bool = False

    def goal(self, number: int) -> Goal:
        """The goal of a level; 0 where there is none."""
        return self.goals[number] if number < len(self.goals) else Goal({}, 0)

    def broken(self, point: Sequence[Rational]) -> str | None:
        """What a point does not satisfy: the source of a form, or a column that must be whole; None where all hold."""
        for i, whole in enumerate(self.integral):
            if whole and Fraction(point[i]).denominator != 1:
                return f"{self.columns[i]} is whole"
        return next((one.source for one in self.forms if not one.holds(point)), None)


def form(terms: Mapping[int, Rational], rhs: Rational, equal: bool = False, source: str = "") -> Form:
    """The form of sum(terms) <= rhs, or == rhs."""
    kept = sorted((i, a) for i, a in terms.items() if a)
    if not kept:
        # True or false: scaled to 1, 0 or -1.
        sign = (rhs > 0) - (rhs < 0)
        return Form(equal, (), (), abs(sign) if equal else sign, source)
    whole = [a for _, a in kept]
    factor: Rational = 1
    if not all(type(a) is int for a in whole):
        factor = lcm(*(Fraction(a).denominator for a in whole))
        whole = [int(a * factor) for a in whole]
    common = gcd(*map(int, whole))
    if equal and whole[0] < 0:
        common = -common
    coefficients = tuple(int(a) // common for a in whole)
    scaled = rhs if factor == common else exact(Fraction(rhs) * factor / common)
    return Form(equal, tuple(i for i, _ in kept), coefficients, scaled, source)


def system(matrix: Matrix) -> System:
    """The canonical form of a matrix: ranges are two forms, bounds of columns are forms, rows without bounds none."""
    forms: list[Form] = []
    for i, column in enumerate(matrix.columns):
        forms += _sides({i: 1}, column.lower, column.upper, f"bound of {column}")
    for row in matrix.rows:
        terms = dict(zip(row.columns, row.coefficients, strict=True))
        forms += _sides(terms, row.lower, row.upper, row.statement or "linking")
    goals: list[Goal] = []
    for objective in matrix.objectives:
        sign = 1 if objective.sense == "minimize" else -1
        of = objective.of
        terms = {i: sign * a for i, a in zip(of.columns, of.coefficients, strict=True) if a}
        goals.append(Goal(terms, sign * of.constant))
    while goals and not goals[-1].terms and not goals[-1].constant:
        goals.pop()
    integral = tuple(column.integral for column in matrix.columns)
    maximised = bool(matrix.objectives) and matrix.objectives[0].sense == "maximize"
    return System(tuple(matrix.columns), integral, tuple(forms), tuple(goals), maximised)


def _sides(terms: Mapping[int, Rational], lower: Rational | None, upper: Rational | None, source: str) -> list[Form]:
    if lower is not None and lower == upper:
        return [form(terms, lower, True, source)]
    found = [form(terms, upper, False, source)] if upper is not None else []
    if lower is not None:
        found.append(form({i: -a for i, a in terms.items()}, -lower, False, source))
    return found
