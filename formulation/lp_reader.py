"""LP and MPS files as problems, read by HiGHS."""

from __future__ import annotations

import ctypes
import keyword
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

from data.errors import DataError
from formulation.expressions import NAME, Expr, Ref, Relation, Sense, constant, scaled, total
from formulation.kinds.base import Constraint
from formulation.kinds.linear import Linear
from formulation.kinds.objective import Optimize
from formulation.kinds.range import Between
from formulation.kinds.semi_continuous import SemiContinuous
from formulation.numbers import Rational, number
from formulation.schema import Domain, Problem, Variable

if TYPE_CHECKING:
    import highspy

__all__ = ["read_rows"]

_MOST_BYTES: Final = 200_000_000
_RESERVED: Final = frozenset({"sum", "selected", "first", "last", "objective", *keyword.kwlist})
_FEATURES: Final = {
    r"^\s*sos[12]?\b": "special ordered sets (SOS)",
    r"->|^\s*indicators\b": "indicator rows",
    r"^\s*(lazy\s*cons|user\s*cuts)": "lazy rows and user cuts",
    r"^\s*(general\s+cons|gencons|pwlobj|pwlnam)": "general constraints",
    r"^\s*(csection|qcmatrix|qsection|qmatrix|quadobj)\b|\[": "quadratic terms",
}
_TAKEN: Final = "linear rows, bounds, integer, binary and semi-continuous variables"


def read_rows(path: Path) -> Problem:
    """A problem from an .lp or .mps file: every number is the decimal that the file's double is the nearest to.

    A variable or a row keeps its name where that is one of ours, else as its label. Rows without limits say nothing and
    are left out; semi-continuous variables become statements. Raises DataError for a file that HiGHS cannot read, or
    reads otherwise than it is written, and for what is no mixed-integer linear model.
    """
    import highspy

    _check_file(path)
    highs = highspy.Highs()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for option, value in (("log_to_console", False), ("log_file", str(log))):
            highs.setOptionValue(option, value)
        with _without_stdout():
            status = highs.readModel(str(path))
        highs.setOptionValue("log_file", "")
        told = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    model = highs.getModel()
    if status == highspy.HighsStatus.kError:
        raise DataError(f"{path}: {_why(path, told)}")
    if model.hessian_.dim_:
        raise DataError(f"{path}: holds quadratic terms; a model has {_TAKEN}")
    lost = next((line for line in told.splitlines() if re.search(r"ignored|not in|treated as zero", line)), None)
    if lost is not None:
        raise DataError(f"{path}: HiGHS does not read all of it: {lost.removeprefix('WARNING: ').strip()}")
    return _problem(path, highs.getLp())


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if not path.is_file():
        raise DataError(f"{path} is no file")
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{path} is larger than {_MOST_BYTES // 10**6} MB")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None


@contextmanager
def _without_stdout() -> Iterator[None]:
    """Nothing written to the process's standard output: HiGHS' reader prints a remark there, past its own log."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


def _why(path: Path, told: str) -> str:
    """Why HiGHS did not read a file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    bare = re.sub(r"^\*.*$|\\.*$", "", text, flags=re.MULTILINE)
    for pattern, feature in _FEATURES.items():
        if re.search(pattern, bare, re.IGNORECASE | re.MULTILINE):
            return f"holds {feature}; a model has {_TAKEN}"
    errors = [line.removeprefix("ERROR:").strip() for line in told.splitlines() if line.startswith("ERROR:")]
    reasons = [error for error in errors if not error.startswith("Parser error")]
    more = f" ({reasons[0]})" if reasons else ""
    return f"is no {path.suffix.lower().lstrip('.').upper()} file that HiGHS can read{more}"


def _problem(path: Path, lp: highspy.HighsLp) -> Problem:
    names = _our_names(lp.col_names_, "x")
    if not names:
        raise DataError(f"{path}: holds no variables")
    variables: dict[str, Variable] = {}
    statements: list[Constraint] = []
    # Every access to a field of HiGHS' copies it whole.
    kinds = [kind.name.removeprefix("k") for kind in lp.integrality_] or ["Continuous"] * len(names)
    bounds = zip(lp.col_lower_, lp.col_upper_, strict=True)
    for (name, label), kind, (lower, upper) in zip(names, kinds, bounds, strict=True):
        variables[name], semi = _variable(Ref(name), label, kind, _finite(lower), _finite(upper), path)
        statements += semi
    refs = [Ref(name) for name, _ in names]
    rows = _joined(_rows(lp))
    ids = _our_names([row.name for row in rows], "row")
    statements += [_statement(id_, label, row, refs) for (id_, label), row in zip(ids, rows, strict=True)]
    objective = _objective(lp, refs)
    return Problem(name=path.stem, variables=variables, objective=objective, constraints=tuple(statements))


def _our_names(given: Sequence[str], prefix: str) -> list[tuple[str, str | None]]:
    """For each name of a file a name of ours, all different, and its own as the label where that is another."""
    found: list[tuple[str, str | None]] = []
    own, taken = set(given), set(_RESERVED)
    for label in given:
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", label)
        plain = plain if NAME.fullmatch(plain) else f"{prefix}_{plain}"
        name, count = plain, 1
        while name in taken or (name != label and name in own):
            count += 1
            name = f"{plain}_{count}"
        taken.add(name)
        found.append((name, label if label != name else None))
    return found


def _finite(value: float) -> Rational | None:
    return None if abs(value) == inf else number(float(value)).rational


def _end(value: Rational | None) -> Expr | None:
    return None if value is None else constant(value)


def _variable(
    of: Ref, label: str | None, kind: str, lower: Rational | None, upper: Rational | None, path: Path
) -> tuple[Variable, list[Constraint]]:
    """A variable, and the statement that it is semi-continuous."""
    if kind == "Integer" and (lower, upper) == (0, 1):
        return Variable(domain="binary", label=label), []
    found: list[Constraint] = []
    if kind.startswith("Semi"):
        if lower is None or lower < 0:
            raise DataError(f"{path}: '{label or of}' is semi-continuous and can be negative: give it a lower bound")
        if lower > 0:
            found.append(SemiContinuous(variable=of, minimum=constant(lower)))
        lower = 0
    domain: Domain = "continuous" if kind in ("Continuous", "SemiContinuous") else "integer"
    return Variable(domain=domain, label=label, lower=_end(lower), upper=_end(upper)), found


# ---- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """lower <= terms <= upper. Terms are coefficients by the number of a variable."""

    name: str
    terms: dict[int, float]
    lower: Rational | None
    upper: Rational | None


def _rows(lp: highspy.HighsLp) -> list[_Row]:
    """The rows that have a limit."""
    start, index, value = lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_
    by_column = lp.a_matrix_.format_.name == "kColwise"
    terms: list[dict[int, float]] = [{} for _ in range(lp.num_row_)]
    for outer, (first, last) in enumerate(pairwise(start)):
        for k in range(first, last):
            row, column = (index[k], outer) if by_column else (outer, index[k])
            if value[k]:
                terms[row][column] = float(value[k])
    ends = zip(map(_finite, lp.row_lower_), map(_finite, lp.row_upper_), strict=True)
    every = zip(lp.row_names_, terms, ends, strict=True)
    return [_Row(name, of, lower, upper) for name, of, (lower, upper) in every if (lower, upper) != (None, None)]


def _joined(rows: Sequence[_Row]) -> list[_Row]:
    """The rows, with two limits of one expression, that LP writes as rows NAMElo and NAMEup, as one row again."""
    named = {row.name: row for row in rows}
    found = []
    for row in rows:
        name, end = row.name[:-2], row.name[-2:]
        other = named.get(f"{name}up" if end == "lo" else f"{name}lo")
        low, high = (row, other) if end == "lo" else (other, row)
        if (
            end in ("lo", "up")
            and name
            and name not in named
            and low is not None
            and high is not None
            and low.terms == high.terms
            and (low.upper, high.lower) == (None, None)
        ):
            if row is low:
                found.append(_Row(name, low.terms, low.lower, high.upper))
        else:
            found.append(row)
    return found


def _statement(id_: str, label: str | None, row: _Row, refs: Sequence[Ref]) -> Constraint:
    expr = _expr(row.terms, refs)
    if row.lower is not None and row.upper is not None and row.lower != row.upper:
        return Between(id=id_, label=label, low=constant(row.lower), terms=expr, high=constant(row.upper))
    sense: Sense = "==" if row.lower == row.upper else "<=" if row.lower is None else ">="
    end = row.upper if row.lower is None else row.lower
    return Linear(id=id_, label=label, row=Relation(expr, sense, constant(end)))


def _expr(terms: Mapping[int, float], refs: Sequence[Ref]) -> Expr:
    found = [scaled(a, refs[i]) for i, a in terms.items()]
    return total(*found) if found else constant(0)


def _objective(lp: highspy.HighsLp, refs: Sequence[Ref]) -> Optimize | None:
    costs = {i: float(a) for i, a in enumerate(lp.col_cost_) if a}
    offset = float(lp.offset_)
    if not costs and not offset:
        return None
    parts = [_expr(costs, refs)] if costs else []
    terms = total(*parts, constant(offset)) if offset else parts[0]
    return Optimize(sense="maximize" if lp.sense_.name == "kMaximize" else "minimize", terms=terms)
