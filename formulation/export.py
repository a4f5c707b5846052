"""Models in other forms: LP and MPS with a map of names, a Pyomo script, JSON and YAML with the data, Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from data.errors import DataError, UserError
from formulation.binding import Bound
from formulation.explain import explain
from formulation.expressions import Relation
from formulation.files import write_file
from formulation.kinds.base import Constraint
from formulation.lp_reader import read_rows
from formulation.lp_writer import Written, write_lp, write_mps
from formulation.model import Model
from formulation.numbers import Number
from formulation.schema import Members, Parameter, Problem, read_problem
from formulation.script import pyomo_script

__all__ = ["SUFFIXES", "export", "read_lp", "with_its_data"]


def export(model: Model, path: str | Path) -> tuple[Path, ...]:
    """Write a model in the form that the path's suffix names, and say which files were written.

    - `.lp`, `.mps`: columns and rows, and beside it `PATH.names.json`: what each name in the file stands for, and
      which of them hold a number that was rounded, because no double is equal to it.
    - `.py`: a Pyomo script that runs by itself.
    - `.json`, `.yaml`, `.yml`: the problem with its data, whatever tables these came from.
    - `.md`: what `formulation.explain` says of the model, with LaTeX.

    Raises UserError for another suffix or a model that the form cannot hold, DataError where the model or the writing
    fails.
    """
    path = Path(path)
    write = SUFFIXES.get(path.suffix.lower())
    if write is None:
        raise UserError(f"{path}: export writes {', '.join(SUFFIXES)}: choose one of these suffixes")
    try:
        return write(model, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror})") from None


def read_lp(path: str | Path) -> Model:
    """A model from an LP or MPS file: see `formulation.lp_reader.read_rows`. Raises DataError."""
    path = Path(path)
    return Model(read_rows(path), folder=path.parent)


def _rows(writer: Callable[..., Written]) -> Callable[[Model, Path], tuple[Path, ...]]:
    def write(model: Model, path: Path) -> tuple[Path, ...]:
        written = writer(model.matrix, path, model.problem.name)
        names = path.with_name(f"{path.name}.names.json")
        meanings = json.dumps(_meanings(model, path, written), indent=1, ensure_ascii=False)
        names.write_text(meanings + "\n", encoding="utf-8")
        return path, names

    return write


def _meanings(model: Model, path: Path, written: Written) -> dict[str, Any]:
    """What the names in a file stand for."""
    columns = {
        name: {"variable": column.name, "key": list(column.key), "role": column.role, "statement": column.statement}
        for name, column in zip(written.columns, model.matrix.columns, strict=True)
    }
    rows = {
        name: {"statement": row.statement, "key": list(row.key), "derived": row.derived}
        for names, row in zip(written.rows, model.matrix.rows, strict=True)
        for name in names
    }
    found = {"file": path.name, "columns": columns, "rows": rows, "rounded": list(written.rounded)}
    return {"problem": model.problem.name, **found} if model.problem.name else found


def _script(model: Model, path: Path) -> tuple[Path, ...]:
    path.write_text(pyomo_script(model), encoding="utf-8")
    return (path,)


def _problem(model: Model, path: Path) -> tuple[Path, ...]:
    write_file(with_its_data(model), path)
    return (path,)


def _markdown(model: Model, path: Path) -> tuple[Path, ...]:
    path.write_text(explain(model).markdown, encoding="utf-8")
    return (path,)


SUFFIXES: Final[Mapping[str, Callable[[Model, Path], tuple[Path, ...]]]] = {
    ".lp": _rows(write_lp),
    ".mps": _rows(write_mps),
    ".py": _script,
    ".json": _problem,
    ".yaml": _problem,
    ".yml": _problem,
    ".md": _markdown,
}


# ---- the problem with its data ---------------------------------------------------------------------------------------


def with_its_data(model: Model) -> Problem:
    """The problem with its tables' data, and what `with_data` gave, inline. Strictness that is ignored is left out."""
    problem, bound = model.problem, model.bound
    sets = {
        name: _members(bound, name) if members.table is not None or name in model.data else members
        for name, members in problem.sets.items()
    }
    parameters = {
        name: _parameter(bound, name) if parameter.table is not None or name in model.data else parameter
        for name, parameter in problem.parameters.items()
    }
    constraints = [_closed(c) for c in problem.constraints] if model.ignore_strict else problem.constraints
    fields = {name: getattr(problem, name) for name in Problem.model_fields}
    return read_problem({**fields, "sets": sets, "parameters": parameters, "constraints": constraints})


def _members(bound: Bound, name: str) -> Members:
    members, declared = bound.sets[name], bound.problem.sets[name]
    elements = tuple(item[0] if members.dimension == 1 else item for item in members.items)
    kept = {"within": declared.within, "ordered": members.ordered, "label": declared.label}
    return Members.model_validate({"elements": elements, **kept})


def _parameter(bound: Bound, name: str) -> Parameter:
    declared, values = bound.problem.parameters[name], bound.parameters[name]
    if not declared.index:
        given: dict[str, Any] = {"value": Number(Fraction(bound.parameter(name, ()))), "values": None}
    else:
        given = {"values": tuple((*key, Number(Fraction(value)).plain()) for key, value in values.items())}
    fields = {field: getattr(declared, field) for field in Parameter.model_fields if field != "table"}
    return Parameter.model_validate({**fields, **given})


def _closed(statement: Constraint) -> Constraint:
    """A statement with <= for < and >= for >."""
    changed: dict[str, Any] = {"strict": False} if "strict" in type(statement).model_fields else {}
    for name in type(statement).model_fields:
        found = getattr(statement, name)
        if _relations(found):
            changed[name] = _closed_relations(found)
    return statement.model_copy(update=changed) if changed else statement


def _relations(given: Any) -> bool:
    return isinstance(given, Relation) or (isinstance(given, tuple) and any(map(_relations, given)))


def _closed_relations(given: Any) -> Any:
    if isinstance(given, Relation):
        return replace(given, strict=False)
    return tuple(map(_closed_relations, given)) if isinstance(given, tuple) else given
