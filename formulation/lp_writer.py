"""Matrices as LP and MPS files.

HiGHS' own writer (1.15) rounds to 15 digits, loses columns that stand in no row, or takes them for whole ones, and
leaves rows without columns unreadable. What is written here holds every number that a double can hold, multiplies a row
through where that makes its numbers such, and says what is rounded all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path
from typing import Any, Final

from data.errors import UserError
from formulation.build import to_highs
from formulation.ground import Column, Linear, Rows
from formulation.linearize import Matrix, Objective
from formulation.lines import one_line
from formulation.numbers import Rational, decimal_text, exact

__all__ = ["Written", "write_lp", "write_mps"]

_MOST_NAME: Final = 200  # characters; some readers take no more than 255
_PER_LINE: Final = 8  # terms
_WORDS: Final = frozenset(
    """
    minimize minimise minimum min maximize maximise maximum max subject such to st bounds bound free inf infinity end
    general generals gen integer integers int binary binaries bin semi semis sc sos sos1 sos2 and or rhs ranges lo up
    rows columns name endata objsense marker intorg intend obj
    """.split()  # noqa: SIM905
)
"""Words that mean something in such files, or did to some reader."""
_NUMERIC: Final = re.compile(r"\d|e(\d|$)|inf|nan", re.IGNORECASE)
_MOST: Final = 10**15  # HiGHS refuses coefficients from here on


@dataclass(frozen=True)
class Written:
    """The names that a file has for columns and rows, in the order of the matrix, and the names of what is rounded.

    A row with two limits has two names where the format has no such rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rounded: tuple[str, ...]


# ---- names -----------------------------------------------------------------------------------------------------------


class _Names:
    """Names that every reader of such files takes, each given once; case alone does not tell two apart."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.taken: set[str] = set(_WORDS)

    def of(self, wanted: str, endings: Sequence[str] = ("",)) -> tuple[str, ...]:
        """Names like the one wanted, one for each ending."""
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", wanted)[:_MOST_NAME].strip("_")
        # What starts like 3, e5, inf or nan is a number to some reader.
        if not plain or _NUMERIC.match(plain) or plain.lower() in _WORDS:
            plain = f"{self.prefix}_{plain}".rstrip("_")
        found, count = plain, 1
        while any((found + ending).lower() in self.taken for ending in endings):
            count += 1
            found = f"{plain}_{count}"
        names = tuple(found + ending for ending in endings)
        self.taken.update(name.lower() for name in names)
        return names


def _wanted(name: str, key: Iterable[Any]) -> str:
    return "_".join(map(str, (name, *key)))


# ---- writing ---------------------------------------------------------------------------------------------------------


@dataclass
class _File:
    """A matrix as the lines of a file will hold it."""

    objective: Objective
    columns: list[Column]
    rows: list[Rows]
    names: list[str]
    row_names: list[tuple[str, ...]]
    rounded: list[str]

    def number(self, value: Rational, place: str) -> str:
        """A number's digits, or the nearest double's."""
        text = decimal_text(value)
        if "/" not in text and _is_double(Fraction(value)):
            return text
        if place not in self.rounded:
            self.rounded.append(place)
        return repr(float(value))


def _prepared(matrix: Matrix, *, ranges: bool) -> _File:
    """What is written. `ranges` says whether the format has rows with two different limits. Raises UserError."""
    if len(matrix.objectives) > 1:
        raise UserError(
            "LP and MPS files hold one objective, and the problem has several goals, one after the other: "
            "weigh them (kind goals), or export as .json or .py"
        )
    to_highs(matrix)  # refuses numbers that no solver takes
    objective = matrix.objectives[0] if matrix.objectives else Objective("minimize", Linear((), ()))
    names, row_names = _Names("x"), _Names("r")
    columns = [names.of(_wanted(column.name, column.key))[0] for column in matrix.columns]
    rows = [_doubles_where_possible(row) for row in matrix.rows]
    named = []
    for row in rows:
        named.append(row_names.of(_wanted(row.statement or "link", row.key), _endings(row, ranges)))
    return _File(objective, matrix.columns, rows, columns, named, [])


def _endings(row: Rows, ranges: bool) -> tuple[str, ...]:
    """The endings of a row's names: none for one without limits, two for one that must be split."""
    if row.lower is None and row.upper is None:
        return ()
    if row.lower is None or row.upper is None or row.lower == row.upper:
        return ("",)
    return ("",) if ranges and _range_of(row) is not None else ("lo", "up")


def _doubles_where_possible(row: Rows) -> Rows:
    """The row, multiplied through where some of its numbers are no doubles and then all are, and HiGHS takes them."""
    numbers = [Fraction(x) for x in (*row.coefficients, row.lower, row.upper) if x is not None]
    if all(_is_double(x) for x in numbers):
        return row
    below = lcm(*(x.denominator for x in numbers))
    whole = Fraction(below, gcd(*(int(x * below) for x in numbers)) or 1)
    for factor in (whole, _without_2_and_5(below)):
        if all(abs(x * factor) < _MOST and _is_double(x * factor) for x in numbers):
            lower, upper = (None if x is None else exact(x * factor) for x in (row.lower, row.upper))
            return replace(
                row, coefficients=tuple(exact(a * factor) for a in row.coefficients), lower=lower, upper=upper
            )
    return row


def _is_double(value: Fraction) -> bool:
    """Whether the shortest decimal of the nearest double is the number itself."""
    return Fraction(repr(float(value))) == value


def _without_2_and_5(value: int) -> int:
    """A denominator without what decimals can hold."""
    for prime in (2, 5):
        while value % prime == 0:
            value //= prime
    return value


def _range_of(row: Rows) -> tuple[str, Rational, Rational] | None:
    """How MPS says two limits: the row's type, its right-hand side, and how far the other limit is.

    Readers add the two in doubles; None where that would miss the other limit.
    """
    assert row.lower is not None and row.upper is not None
    width = exact(Fraction(row.upper) - row.lower)
    if Fraction(float(row.upper) - float(width)) == Fraction(float(row.lower)):
        return "L", row.upper, width
    if Fraction(float(row.lower) + float(width)) == Fraction(float(row.upper)):
        return "G", row.lower, width
    return None


def write_lp(matrix: Matrix, path: Path, title: str = "") -> Written:
    """Write a matrix as an LP file. Raises UserError for several objectives, DataError for numbers without double."""
    file = _prepared(matrix, ranges=False)
    lines = [*_comment("\\", title), "maximize" if file.objective.sense == "maximize" else "minimize"]
    of = file.objective.of
    told = [*_terms(file, of.columns, of.coefficients, "objective")]
    if of.constant:
        told.append(_signed(file.number(of.constant, "objective")))
    lines += _wrapped(" obj:", told)
    lines.append("subject to")
    idle = file.names[0] if file.names else ""
    for row, names in zip(file.rows, file.row_names, strict=True):
        told = [*_terms(file, row.columns, row.coefficients, "".join(names[:1]))] or [f"+0 {idle}"]
        ends = [(sense, x) for sense, x in ((">=", row.lower), ("<=", row.upper)) if x is not None]
        if len(names) == 1 and len(ends) == 2:
            ends = [("=", row.lower)]  # type: ignore[list-item]
        for name, (sense, end) in zip(names, ends, strict=True):
            lines += _wrapped(f" {name}:", [*told, f"{sense} {file.number(end, name)}"])
    lines += ["bounds", *_lp_bounds(file)]
    for section, wanted in (("binary", True), ("general", False)):
        members = [
            name
            for name, column in zip(file.names, file.columns, strict=True)
            if column.integral and _is_binary(column) == wanted
        ]
        if members:
            lines += [section, *_wrapped("", members)]
    lines.append("end")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Written(tuple(file.names), tuple(file.row_names), tuple(file.rounded))


def _is_binary(column: Column) -> bool:
    return column.integral and (column.lower, column.upper) == (0, 1)


def _comment(sign: str, title: str) -> list[str]:
    return [f"{sign} {one_line(title)}"] if title.strip() else []


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _terms(file: _File, columns: Sequence[int], coefficients: Sequence[Rational], place: str) -> Iterator[str]:
    for i, a in zip(columns, coefficients, strict=True):
        yield f"{_signed(file.number(a, place))} {file.names[i]}"


def _wrapped(head: str, parts: Sequence[str]) -> list[str]:
    """Parts on lines of a few each; the first begins with a head."""
    lines = [" ".join(parts[i : i + _PER_LINE]) for i in range(0, len(parts), _PER_LINE)] or [""]
    return [f"{head} {lines[0]}".rstrip(), *(f"  {line}" for line in lines[1:])]


def _lp_bounds(file: _File) -> Iterator[str]:
    """Bounds of all columns but those that have the default [0, inf) and stand elsewhere in the file."""
    used = {i for row in file.rows for i in row.columns}.union(file.objective.of.columns)
    for i, (name, column) in enumerate(zip(file.names, file.columns, strict=True)):
        lower, upper = column.lower, column.upper
        if _is_binary(column) or (i in used and lower == 0 and upper is None):
            continue
        if lower is None and upper is None:
            yield f" {name} free"
        elif lower is not None and lower == upper:
            yield f" {name} = {file.number(lower, name)}"
        else:
            least = "-inf" if lower is None else file.number(lower, name)
            yield f" {least} <= {name} <= {'inf' if upper is None else file.number(upper, name)}"


def write_mps(matrix: Matrix, path: Path, title: str = "") -> Written:
    """Write a matrix as an MPS file (free format). Raises as `write_lp` does."""
    file = _prepared(matrix, ranges=True)
    lines = [*_comment("*", title), "NAME model"]
    if file.objective.sense == "maximize":
        lines += ["OBJSENSE", "    MAX"]
    lines += ["ROWS", " N obj"]
    right: list[str] = []
    ranges: list[str] = []
    entries: list[list[str]] = [[] for _ in file.columns]
    of = file.objective.of
    for i, a in zip(of.columns, of.coefficients, strict=True):
        entries[i].append(f"obj {file.number(a, 'objective')}")
    if of.constant:
        right.append(f"obj {file.number(-of.constant, 'objective')}")
    for row, names in zip(file.rows, file.row_names, strict=True):
        for name, (kind, end, width) in zip(names, _mps_rows(row), strict=True):
            lines.append(f" {kind} {name}")
            for i, a in zip(row.columns, row.coefficients, strict=True):
                entries[i].append(f"{name} {file.number(a, name)}")
            if end:
                right.append(f"{name} {file.number(end, name)}")
            if width is not None:
                ranges.append(f"{name} {file.number(width, name)}")
    lines += ["COLUMNS", *_mps_columns(file, entries)]
    lines += ["RHS", *(f"    RHS {entry}" for entry in right)]
    if ranges:
        lines += ["RANGES", *(f"    RNG {entry}" for entry in ranges)]
    lines += ["BOUNDS", *_mps_bounds(file), "ENDATA"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Written(tuple(file.names), tuple(file.row_names), tuple(file.rounded))


def _mps_rows(row: Rows) -> list[tuple[str, Rational, Rational | None]]:
    """Type, right-hand side and range of a row; of one that MPS cannot say exactly, of its two halves."""
    if row.lower is None or row.upper is None:
        end = row.upper if row.lower is None else row.lower
        return [] if end is None else [("L" if row.lower is None else "G", end, None)]
    if row.lower == row.upper:
        return [("E", row.lower, None)]
    return [_range_of(row)] if _range_of(row) else [("G", row.lower, None), ("L", row.upper, None)]  # type: ignore[list-item]


def _mps_columns(file: _File, entries: Sequence[Sequence[str]]) -> Iterator[str]:
    whole = False
    for name, column, of in zip(file.names, file.columns, entries, strict=True):
        if column.integral != whole:
            whole = column.integral
            yield f"    M 'MARKER' '{'INTORG' if whole else 'INTEND'}'"
        for entry in of or ["obj 0"]:
            yield f"    {name} {entry}"
    if whole:
        yield "    M 'MARKER' 'INTEND'"


def _mps_bounds(file: _File) -> Iterator[str]:
    """Bounds of all columns but continuous ones with the default [0, inf); readers differ on that of whole ones."""
    for name, column in zip(file.names, file.columns, strict=True):
        lower, upper = column.lower, column.upper
        if lower is None and upper is None:
            yield f" FR BND {name}"
        elif lower is not None and lower == upper:
            yield f" FX BND {name} {file.number(lower, name)}"
        elif _is_binary(column):
            yield f" BV BND {name}"
        elif column.integral or lower != 0 or upper is not None:
            yield f" MI BND {name}" if lower is None else f" LO BND {name} {file.number(lower, name)}"
            yield f" PL BND {name}" if upper is None else f" UP BND {name} {file.number(upper, name)}"
