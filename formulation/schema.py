"""The typed model: sets, parameters, variables, an objective and constraints, as a model plus named data.

Small problems name numbers and variables; larger ones index both over sets and bind parameters to tables. Everything
between text and solver passes through `Problem`. Numbers are exact. Order carries no meaning. Nothing here knows a
solver. `read_problem` makes every mistake one line that names the place.
"""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from data.errors import UserError
from formulation.expressions import NAME, Element, Expr, Logical, Quantifier, Relation, names_in
from formulation.kinds import CONSTRAINTS, OBJECTIVES, AnyConstraint, AnyObjective
from formulation.kinds.base import Constraint, Mention, Record
from formulation.numbers import Number, number
from formulation.units import Unit

__all__ = [
    "SCHEMA_VERSION",
    "Domain",
    "Members",
    "Parameter",
    "Problem",
    "Table",
    "Variable",
    "expressions_in",
    "read_problem",
    "statement_names",
    "suggestion",
]

SCHEMA_VERSION: Final = 1
Domain = Literal["continuous", "integer", "binary"]


class Table(Record):
    """Where data lies: a CSV or XLSX file, or a table given by name when the model is used (`with_data`).

    `keys` are the columns that hold the index, in order; `value` is the column of the values. With `wide` the last
    index stands in the header instead: every column beside `keys` is one element.
    """

    file: str | None = Field(default=None, description="CSV or XLSX, relative to the model's file")
    sheet: str | None = Field(default=None, description="sheet of an XLSX file (default: the first)")
    name: str | None = Field(default=None, description="name of data given to with_data")
    keys: tuple[str, ...]
    value: str | None = None
    wide: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.name is None):
            raise ValueError("a table has either a 'file' or a 'name'")
        return self


def _member(given: Any) -> Any:
    parts = given if isinstance(given, list | tuple) else [given]
    if not parts or not all(isinstance(part, str | int) and not isinstance(part, bool) for part in parts):
        raise ValueError(f"an element is a text or a whole number (or a list of these), not {given!r:.40}")
    return given


class Members(Record):
    """A set: elements (texts, integers, or tuples of these), a range of integers, or the keys of a table.

    `within` names, for each place of its tuples, the set that it comes from. An ordered set has a first and a last
    element and `t-1`; ranges are ordered.
    """

    elements: tuple[Annotated[Element | tuple[Element, ...], BeforeValidator(_member)], ...] | None = None
    range: tuple[int, int] | None = Field(default=None, description="first and last integer, both included")
    table: Table | None = None
    within: tuple[str, ...] = ()
    ordered: bool = False
    label: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"elements": given} if isinstance(given, list | tuple) else given

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.elements, self.range, self.table)) != 1:
            raise ValueError("a set has one of 'elements', 'range' and 'table'")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"the range {list(self.range)} is empty: write [first, last]")
        return self


class Parameter(Record):
    """A number, or numbers indexed over sets, with its unit.

    Values are inline (`value`; `values` by element, nested for several indices, or as rows that end in the value) or
    in a table. A missing key is an error unless there is a `default`.
    """

    index: tuple[str, ...] = ()
    value: Number | None = None
    values: Mapping[str, Any] | tuple[tuple[Any, ...], ...] | None = None
    table: Table | None = None
    default: Number | None = None
    unit: Unit | None = None
    label: str | None = None
    sources: dict[str, Mention] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return given if isinstance(given, Mapping | BaseModel) else {"value": given}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.index and self.value is not None:
            raise ValueError("an indexed parameter has 'values' or a 'table', not one 'value'")
        if not self.index and (self.values is not None or self.table is not None):
            raise ValueError("'values' and 'table' need an 'index': name the sets")
        return self

    @field_validator("values", mode="before")
    @classmethod
    def _read_values(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and any(isinstance(key, tuple) for key in given):
            given = [(*(key if isinstance(key, tuple) else (key,)), value) for key, value in given.items()]
        rows = isinstance(given, list | tuple) and all(isinstance(row, list | tuple) for row in given)
        if not (rows or given is None or isinstance(given, Mapping)):
            raise ValueError("write values by element, or rows of the index and the value")
        return None if given is None else _exactly(given)

    @field_serializer("values")
    def _plain_values(self, values: Any) -> Any:
        return _plainly(values)


def _exactly(values: Any) -> Any:
    """Inline values as exact numbers, with texts for keys: YAML reads the key of the year 2025 as a number."""
    if isinstance(values, list | tuple):
        return tuple((*row[:-1], _number(row[-1], row[:-1])) if row else () for row in values)
    found = {
        str(key) if type(key) is int else key: _exactly(value) if isinstance(value, Mapping) else _number(value, key)
        for key, value in values.items()
    }
    if len(found) < len(values):
        raise ValueError("a key is there twice, as a number and as a text: keep one")
    return found


def _number(value: Any, key: Any) -> Number:
    try:
        return number(value)
    except ValueError as error:
        raise ValueError(f"{key!r:.60}: {error}") from None


def _plainly(values: Any) -> Any:
    """Inline values as JSON and YAML hold them."""
    if isinstance(values, Mapping):
        return {key: _plainly(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plainly(value) for value in values]
    return values.plain() if isinstance(values, Number) else values


class Variable(Record):
    """A quantity to decide, or one for every member of sets (`over`). Bounds may use its symbols; null means none.

    `minimum` is the smallest amount that counts as used, for `selected(x)`; integers need none (it is 1).
    """

    domain: Domain = "continuous"
    over: Quantifier | None = None
    lower: Expr | None = Field(default_factory=lambda: _zero(), validate_default=True)
    upper: Expr | None = None
    minimum: Expr | None = None
    unit: Unit | None = None
    label: str | None = None
    sources: dict[str, Mention] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _binary_bounds(self) -> Self:
        if self.domain == "binary" and (self.upper is not None or "lower" in self.model_fields_set):
            raise ValueError("a binary variable is 0 or 1: leave its bounds out, or make it an integer")
        return self


def _zero() -> Expr:
    from formulation.expressions import constant

    return constant(0)


class Problem(Record):
    """A whole problem. `text` is the description it was made from, if any; spans of mentions count its characters."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = ""
    text: str | None = None
    sets: dict[str, Members] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    variables: dict[str, Variable]
    objective: AnyObjective | None = None
    constraints: tuple[AnyConstraint, ...] = ()

    @field_validator("sets", "parameters", "variables")
    @classmethod
    def _names(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name in given:
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' cannot be a name: use letters, digits and _, and put words into the label")
            if keyword.iskeyword(name) or name in ("sum", "selected", "first", "last"):
                raise ValueError(f"'{name}' is a word of the language of expressions: choose another name")
        return given

    @model_validator(mode="after")
    def _ids(self) -> Self:
        """Names and ids are unique; a constraint without an id gets the first free one of c1, c2, ..."""
        seen: dict[str, str] = {}
        for what in ("sets", "parameters", "variables"):
            for name in getattr(self, what):
                if name in seen:
                    raise ValueError(f"'{name}' is both in {seen[name]} and in {what}: rename one")
                seen[name] = what
        ids = [constraint.id for constraint in self.constraints if constraint.id]
        twice = next((i for i in ids if ids.count(i) > 1), None) if len(set(ids)) < len(ids) else None
        if twice is not None:
            raise ValueError(f"two constraints have the id '{twice}': give one of them another")
        taken, number = set(ids), 0
        named = []
        for constraint in self.constraints:
            if not constraint.id:
                number += 1
                while f"c{number}" in taken:
                    number += 1
                constraint = constraint.model_copy(update={"id": f"c{number}"})
            named.append(constraint)
        if not self.variables:
            raise ValueError("a problem needs at least one variable")
        object.__setattr__(self, "constraints", tuple(named))
        return self

    def constraint(self, name: str) -> Constraint:
        """The constraint of an id. Raises UserError."""
        for found in self.constraints:
            if found.id == name:
                return found  # type: ignore[no-any-return]
        raise UserError(f"no constraint '{name}'{suggestion(name, [c.id for c in self.constraints])}")

    def plain(self) -> dict[str, Any]:
        """The problem as JSON values; what has its default is left out."""
        found = self.model_dump(mode="json", exclude_defaults=True)
        for name, one in (("objective", self.objective), *((i, c) for i, c in enumerate(self.constraints))):
            if one is not None:
                place = found["objective"] if name == "objective" else found["constraints"][name]
                place["kind"] = one.kind
        return {"schema_version": SCHEMA_VERSION, **found}


def suggestion(name: str, known: Any) -> str:
    """`; did you mean "chair"?`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def expressions_in(given: Any, path: str = "") -> Iterator[tuple[str, Expr | Logical | Quantifier | Relation]]:
    """Everything written in the language of expressions inside a record, with its place such as `terms` or `of[1]`."""
    if isinstance(given, Expr | Logical | Quantifier | Relation):
        yield path, given
    elif isinstance(given, BaseModel):
        for name in type(given).model_fields:
            yield from expressions_in(getattr(given, name), f"{path}.{name}" if path else name)
    elif isinstance(given, tuple | list):
        for i, part in enumerate(given):
            yield from expressions_in(part, f"{path}[{i}]")


def statement_names(statement: BaseModel) -> set[str]:
    """Every name that a statement mentions."""
    return {name for _, found in expressions_in(statement) for name in names_in(found)}


def read_problem(given: Any) -> Problem:
    """A problem from JSON values. Raises UserError with the place of the first mistake."""
    if not isinstance(given, Mapping | Problem):
        raise UserError(f"a problem is a mapping with 'variables', not a {type(given).__name__}")
    try:
        return Problem.model_validate(given)
    except ValidationError as error:
        raise UserError(_told(error, given)) from None


_KINDS: Final[Mapping[str, Mapping[str, type[BaseModel]]]] = {"objective": OBJECTIVES, "constraints": CONSTRAINTS}


def _line(name: str) -> str:
    """A name in one line."""
    return name if name.isprintable() else repr(name)


def _told(error: ValidationError, given: Any) -> str:
    """The first mistake as one line: `constraints[3].terms: ...`."""
    first = error.errors(include_url=False)[0]
    where: list[str | int] = []
    at = given
    for step in first["loc"]:
        # A discriminated union adds the kind to the path; it is no place in what the user wrote.
        if isinstance(at, Mapping) and at.get("kind") == step and step not in at:
            continue
        where.append(step)
        at = (
            at[step]
            if isinstance(at, Mapping) and step in at
            else (at[step] if isinstance(at, list | tuple) and isinstance(step, int) and step < len(at) else None)
        )
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{_line(step)}" for step in where).lstrip(".")
    kind, message = first["type"], first["msg"].removeprefix("Value error, ")
    if kind in ("union_tag_invalid", "union_tag_not_found") and where:
        kinds = _KINDS.get(str(where[0]), CONSTRAINTS)
        tag = str((first.get("ctx") or {}).get("tag", ""))
        message = (f"no kind '{tag}'{suggestion(tag, kinds)}" if tag else "it has no 'kind'") + (
            "" if difflib.get_close_matches(tag, list(kinds), n=1) else f": choose one of {', '.join(sorted(kinds))}"
        )
    elif kind == "extra_forbidden" and where:
        owner = Problem if len(where) == 1 else None
        known = list(Problem.model_fields) if owner else _fields_beside(given, where)
        message = f"no such field{suggestion(str(where[-1]), known)}"
        if "?" not in message and known:
            message += f": there are {', '.join(known)}"
    elif kind == "missing":
        message = "is missing"
    more = error.error_count() - 1
    return f"{path}: {message}" + (f" (and {more} more)" if more else "") if path else message


def _fields_beside(given: Any, where: list[str | int]) -> list[str]:
    """The fields that could stand where an unknown one does."""
    section = str(where[0])
    kinds = _KINDS.get(section)
    if kinds is not None:
        at = given[section]
        if section == "constraints" and isinstance(where[1], int):
            at = at[where[1]]
        found = kinds.get(at.get("kind", "")) if isinstance(at, Mapping) else None
        for step in where[1:-1]:
            if isinstance(step, str) and found is not None and step in found.model_fields:
                found = _record_in(found.model_fields[step].annotation)
        return list(found.model_fields) if found is not None else []
    of: dict[str, type[Record]] = {"sets": Members, "parameters": Parameter, "variables": Variable}
    record = Table if "table" in where[:-1] else of.get(section)
    return list(record.model_fields) if record is not None else []


def _record_in(annotation: Any) -> type[BaseModel] | None:
    """The record that a field holds, or holds several of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _record_in(part)) is not None), None)
