"""A written-out model for a solver: straight to HiGHS, or as a Pyomo model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from formulation.binding import show_key
from formulation.ground import Linear
from formulation.linearize import Matrix
from formulation.numbers import Rational, to_float

if TYPE_CHECKING:
    import highspy

__all__ = ["costs", "to_highs"]

# What HiGHS takes for zero, and for too large, in a row; and for infinite, in a bound or an objective.
_SMALL: Final = 1e-9
_LARGE: Final = 1e15
_INFINITE: Final = 1e20

_Floats = NDArray[np.float64]


def to_highs(matrix: Matrix) -> highspy.Highs:
    """The model in HiGHS: columns and rows have the matrix's numbers, and its first objective is set.

    Both gaps of branch and bound are 0, the log is off, all else is HiGHS' default. Ranges stay one row, and the
    objective keeps its constant. Raises DataError for a number that HiGHS cannot hold.
    """
    import highspy

    columns, rows = matrix.columns, matrix.rows
    sizes = [len(row.columns) for row in rows]
    count = sum(sizes)
    objective = matrix.objectives[0] if matrix.objectives else None
    maximize = objective is not None and objective.sense == "maximize"
    index = np.fromiter(chain.from_iterable(row.columns for row in rows), np.int32, count)
    value = _floats(matrix, chain.from_iterable(row.coefficients for row in rows), count)
    size = np.abs(value)
    if count and (size.min() <= _SMALL or size.max() >= _LARGE):
        _refuse(matrix)
    lower, upper = _bounds(matrix, [c.lower for c in columns], -1), _bounds(matrix, [c.upper for c in columns], 1)
    least, most = _bounds(matrix, [row.lower for row in rows], -1), _bounds(matrix, [row.upper for row in rows], 1)
    whole = int(highspy.HighsVarType.kInteger)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", 0.0)
    status = highs.passModel(
        len(columns),
        len(rows),
        count,
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMaximize if maximize else highspy.ObjSense.kMinimize),
        to_float(objective.of.constant) if objective is not None else 0.0,
        costs(objective.of if objective is not None else Linear((), ()), len(columns)),
        lower,
        upper,
        least,
        most,
        np.fromiter(accumulate(sizes[:-1], initial=0), np.int32, max(len(rows), 1)),
        index,
        value,
        np.fromiter((whole if column.integral else 0 for column in columns), np.int32, len(columns)),
    )
    if status == highspy.HighsStatus.kError:
        raise DataError("HiGHS refuses the model: see its log")
    return highs


def costs(of: Linear, columns: int) -> _Floats:
    """The coefficients of a linear expression as one number for each of `columns` columns. Raises DataError."""
    found = np.zeros(columns)
    for i, a in zip(of.columns, of.coefficients, strict=True):
        found[i] = _float(a, "objective")
        if abs(found[i]) >= _INFINITE:
            raise DataError(f"objective: the coefficient {found[i]:g} is infinite for a solver: choose another unit")
    return found


def _float(given: Rational, place: str) -> float:
    try:
        return to_float(given)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from None


def _floats(matrix: Matrix, given: Iterable[Rational], count: int) -> _Floats:
    try:
        return np.fromiter(map(float, given), np.float64, count)
    except OverflowError:
        _refuse(matrix)
        raise


def _bounds(matrix: Matrix, given: Sequence[Rational | None], sign: int) -> _Floats:
    """Lower (sign -1) or upper (1) bounds; what is None is infinite."""
    endless = sign * float("inf")
    found = _floats(matrix, (endless if x is None else x for x in given), len(given))  # type: ignore[misc]
    if np.any((np.abs(found) >= _INFINITE) & (found != endless)):
        _refuse(matrix)
    return found


def _refuse(matrix: Matrix) -> None:
    """Raise DataError for the first number that HiGHS would read as zero or as infinite, with its statement."""
    for row in matrix.rows:
        place = show_key(row.statement, row.key)
        for i, a in zip(row.columns, row.coefficients, strict=True):
            found = abs(_float(a, place))
            if found <= _SMALL or found >= _LARGE:
                way = "small" if found <= _SMALL else "large"
                raise DataError(
                    f"{place}: the coefficient {_float(a, place):g} of {matrix.columns[i]} is too {way} for a solver "
                    f"(it takes {_SMALL:g} to {_LARGE:g}): choose another unit"
                )
    ends: list[tuple[str, Any]] = [(str(c), x) for c in matrix.columns for x in (c.lower, c.upper)]
    ends += [(show_key(row.statement, row.key), x) for row in matrix.rows for x in (row.lower, row.upper)]
    for place, end in ends:
        if end is not None and abs(_float(end, place)) >= _INFINITE:
            raise DataError(f"{place}: the bound {float(end):g} is infinite for a solver: leave it out")
