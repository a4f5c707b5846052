"""A written-out model for a solver: straight to HiGHS, or as a Pyomo model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from formulation.binding import Key, show_key
from formulation.ground import Linear, Rows
from formulation.linearize import BigM, Matrix
from formulation.numbers import Rational, exact, to_float

if TYPE_CHECKING:
    import highspy

    from formulation.model import Model

__all__ = ["Written", "costs", "pyomo_model", "statement_of", "to_highs", "write_pyomo"]

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


# ---- Pyomo -----------------------------------------------------------------------------------------------------------


def pyomo_model(model: Model, *, transform: bool = True) -> Any:
    """The model in Pyomo, a ConcreteModel.

    Variables have their names and keys (`m.ship["a", 3]`), constraints the ids of their statements; a name that Pyomo
    keeps for itself, or that is taken, gets an underscore at its end. Alternatives and rows that hold only with a
    decision are Disjunctions of `pyomo.gdp`. The suffix `BigM` holds our own big-M values, which `gdp.bigm` then
    takes; with `transform` it has been applied. Every goal is an Objective, and all but the first are inactive.
    The suffix `statements` says which statement every component comes from (see `statement_of`). Raises DataError as
    `Model.matrix` does, and for a number that is too large for a double.
    """
    return write_pyomo(model.matrix, transform=transform).model


def statement_of(component: Any) -> str:
    """The id of the statement that a component of a `pyomo_model` comes from, "" for a declared variable.

    Components that `gdp.bigm` made have the statement of what they were made from. Raises KeyError for others.
    """
    from pyomo.gdp.util import get_src_constraint, get_src_disjunction

    found = component.model().statements
    if component in found:
        return str(found[component])
    block = component.parent_block()
    if block.parent_component().local_name == "relaxedDisjuncts":
        return str(found[get_src_constraint(component)])
    if block.local_name.startswith("_pyomo_gdp_bigm_reformulation"):
        return str(found[get_src_disjunction(component)])
    raise KeyError(component.name)


class Written(NamedTuple):
    """A Pyomo model, and the Pyomo variable of every column of the matrix."""

    model: Any
    columns: list[Any]


def write_pyomo(matrix: Matrix, *, transform: bool = True) -> Written:
    """A matrix as a Pyomo model: see `pyomo_model`."""
    import pyomo.environ as pyo

    writer = _Writer(matrix, pyo)
    writer.run()
    if transform and writer.logical:
        pyo.TransformationFactory("gdp.bigm").apply_to(writer.model)
    return Written(writer.model, writer.columns)


@dataclass(frozen=True, slots=True)
class _Switched:
    """A row as it was meant, where its big-M has been taken out, and M at its lower and upper bound."""

    row: Rows
    big: tuple[float, float]


def _as_meant(row: Rows, big: BigM) -> _Switched:
    """Undo what switches a row: a*x + M*y <= b + M means a*x <= b where y = 1, a*x - M*y <= b where y = 0."""
    sign = 1 if row.lower is None else -1
    push = sign * big.value * (1 if big.active else -1)
    terms = dict(zip(row.columns, row.coefficients, strict=True))
    terms[big.column] = exact(terms.get(big.column, 0) - push)
    kept = {i: a for i, a in terms.items() if a}
    bound = row.upper if row.lower is None else row.lower
    assert bound is not None
    at = exact(bound - (push if big.active else 0))
    lower, upper = (None, at) if sign == 1 else (at, None)
    meant = replace(row, columns=tuple(kept), coefficients=tuple(kept.values()), lower=lower, upper=upper)
    size = to_float(big.value)
    return _Switched(meant, (0.0, size) if sign == 1 else (-size, 0.0))


class _Writer:
    """Writes a matrix as a Pyomo model: logic that the matrix holds as big-M rows becomes Disjunctions again."""

    def __init__(self, matrix: Matrix, pyo: Any) -> None:
        from pyomo.core.expr.numeric_expr import LinearExpression

        self.matrix = matrix
        self.pyo = pyo
        self.linear = LinearExpression
        self.model = pyo.ConcreteModel()
        self.statements = self.model.statements = pyo.Suffix(direction=pyo.Suffix.LOCAL)
        self.big = self.model.BigM = pyo.Suffix(direction=pyo.Suffix.LOCAL)
        self.columns: list[Any] = [None] * len(matrix.columns)
        self.logical = False

    def run(self) -> None:
        """Write everything."""
        matrix = self.matrix
        links = {(found.column, found.selected) for found in matrix.ground.ranges.values()}
        switched: dict[int, list[tuple[int, _Switched]]] = {}
        taken: set[int] = set()
        for big in matrix.big_ms:
            row = matrix.rows[big.row]
            # x <= U*y, which says that x is 0 unless it is selected, stays a row.
            if not (row.columns in links and big.active == 0 and row.upper == 0):
                switched.setdefault(big.column, []).append((big.active, _as_meant(row, big)))
                taken.add(big.row)
        self._variables()
        self._choices(switched, taken)
        for column, rows in switched.items():
            if matrix.columns[column].role != "choice":
                self._decision(column, rows)
        self._rows(row for number, row in enumerate(matrix.rows) if number not in taken)
        self._objectives()

    def _add(self, name: str, component: Any) -> Any:
        """A component under a name that the model accepts."""
        name = name.replace(".", "_")
        while hasattr(self.model, name):
            name += "_"
        self.model.add_component(name, component)
        return component

    def _variables(self) -> None:
        domains = {"continuous": self.pyo.Reals, "integer": self.pyo.Integers, "binary": self.pyo.Binary}
        by_name: dict[str, list[int]] = {}
        for i, column in enumerate(self.matrix.columns):
            if column.role != "choice":
                by_name.setdefault(column.name, []).append(i)
        for name, members in by_name.items():
            domain = domains[self.matrix.columns[members[0]].domain]
            keys = [self.matrix.columns[i].key for i in members]
            if keys == [()]:
                variables = [self._add(name, self.pyo.Var(domain=domain))]
            else:
                found = self._add(name, self.pyo.Var(list(map(_index, keys)), domain=domain))
                variables = list(found.values())
            for i, variable in zip(members, variables, strict=True):
                column = self.matrix.columns[i]
                self.columns[i] = variable
                self.statements[variable] = column.statement
                variable.setlb(None if column.lower is None else _float(column.lower, str(column)))
                variable.setub(None if column.upper is None else _float(column.upper, str(column)))

    def _choices(self, switched: dict[int, list[tuple[int, _Switched]]], taken: set[int]) -> None:
        """A Disjunction for every row that says 'at least one of these alternatives'."""
        columns = self.matrix.columns
        for number, row in enumerate(self.matrix.rows):
            if not (row.columns and all(columns[i].role == "choice" for i in row.columns)):
                continue
            taken.add(number)
            disjuncts = []
            for i in row.columns:
                rows = [meant for _, meant in switched.get(i, [])]
                disjuncts.append(self._disjunct(_joined(columns[i].name, row.key), row.statement, rows))
                self.columns[i] = disjuncts[-1].binary_indicator_var
            self._disjunction(_joined(f"{row.statement}_choice", row.key), row.statement, disjuncts, xor=False)

    def _decision(self, column: int, rows: Sequence[tuple[int, _Switched]]) -> None:
        """What holds where a binary is 1, or what holds where it is 0."""
        name = _joined(self.matrix.columns[column].name, self.matrix.columns[column].key)
        statement = rows[0][1].row.statement
        yes, no = (
            self._disjunct(f"{name}_{word}", statement, [meant for active, meant in rows if active == wanted])
            for word, wanted in (("yes", 1), ("no", 0))
        )
        self._disjunction(f"{name}_yes_or_no", statement, [yes, no], xor=True)
        link = self._add(f"{name}_is", self.pyo.Constraint(expr=yes.binary_indicator_var == self.columns[column]))
        self.statements[link] = statement

    def _disjunct(self, name: str, statement: str, rows: Sequence[_Switched]) -> Any:
        from pyomo.gdp import Disjunct

        self.logical = True
        disjunct = self._add(name, Disjunct())
        self.statements[disjunct] = statement
        disjunct.rows = self.pyo.Constraint(self.pyo.NonNegativeIntegers)
        for number, meant in enumerate(rows, start=1):
            disjunct.rows[number] = self._expression(meant.row)
            self.statements[disjunct.rows[number]] = meant.row.statement
            self.big[disjunct.rows[number]] = meant.big
        return disjunct

    def _disjunction(self, name: str, statement: str, disjuncts: Sequence[Any], *, xor: bool) -> None:
        from pyomo.gdp import Disjunction

        found = self._add(name, Disjunction(expr=list(disjuncts), xor=xor))
        self.statements[found] = statement

    def _expression(self, row: Rows) -> tuple[float | None, Any, float | None]:
        """A row as Pyomo takes it. One without columns holds a variable times 0: Pyomo would judge it itself."""
        columns, coefficients = (row.columns, row.coefficients) if row.columns else ((0,), (0,))
        place = show_key(row.statement, row.key)
        body = self.linear(
            linear_coefs=[_float(a, place) for a in coefficients], linear_vars=[self.columns[i] for i in columns]
        )
        lower, upper = (None if x is None else _float(x, place) for x in (row.lower, row.upper))
        return lower, body, upper

    def _rows(self, rows: Iterable[Rows]) -> None:
        """A Constraint for every statement, indexed by its key, or by that and a number where a key repeats."""
        by_statement: dict[str, list[Rows]] = {}
        for row in rows:
            by_statement.setdefault(row.statement or "selected", []).append(row)
        for name, members in by_statement.items():
            if len(members) == 1 and not members[0].key:
                found = self._add(name, self.pyo.Constraint(expr=self._expression(members[0])))
                self.statements[found] = members[0].statement
                continue
            repeated = any(count > 1 for count in Counter(row.key for row in members).values())
            found = self._add(name, self.pyo.Constraint(self.pyo.Any))
            for number, row in enumerate(members, start=1):
                index = _index((*row.key, number) if repeated else row.key)
                found[index] = self._expression(row)
                self.statements[found[index]] = row.statement

    def _objectives(self) -> None:
        for number, objective in enumerate(self.matrix.objectives, start=1):
            of = objective.of
            expr = self.linear(
                constant=_float(of.constant, "objective"),
                linear_coefs=[_float(a, "objective") for a in of.coefficients],
                linear_vars=[self.columns[i] for i in of.columns],
            )
            sense = self.pyo.maximize if objective.sense == "maximize" else self.pyo.minimize
            found = self._add("objective" if number == 1 else f"objective{number}", self.pyo.Objective(expr=expr))
            found.sense = sense
            self.statements[found] = "objective"
            if number > 1:
                found.deactivate()


def _index(key: Key) -> Any:
    """A key as Pyomo writes it: single elements are no tuples."""
    return key[0] if len(key) == 1 else key


def _joined(name: str, key: Key) -> str:
    return "_".join(map(str, (name, *key)))
