"""Models as JSON documents: what a large chat model is asked to write, and what becomes of it.

A document is a problem of `formulation.schema` without sources; each variable and each statement has a `quote`
instead, the words of the text that say it. Code finds them, and the numbers in them, so that every field keeps the
place it came from. Where tables are given beside the text, a document has sets and parameters that are read from them.
Documents are untrusted: they are read as strictly as any file, and open none.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, TypeVar

from data.errors import DataError, UserError
from formulation.binding import Bound, bind
from formulation.check import check
from formulation.expressions import Num, Quantifier, Ref, Sum
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.kinds.base import Mention, Statement
from formulation.lines import one_line
from formulation.numbers import Rational
from formulation.quantities import numbers_in
from formulation.schema import Parameter, Problem, Variable, expressions_in, read_problem
from formulation.tables import Given, data_of

__all__ = ["document_grammar", "document_in", "document_prompt", "document_schema", "problem_of_document"]

T = TypeVar("T", Variable, Parameter, Statement)
_LONGEST: Final = 100_000  # characters of a document
_EXAMPLE: Final = """{"variables": {"desk": {"domain": "integer", "label": "desks", "quote": "desks"}, \
"chair": {"domain": "integer", "label": "chairs", "quote": "chairs"}}, \
"objective": {"kind": "optimize", "sense": "maximize", "terms": {"desk": 45, "chair": 30}, \
"quote": "A desk brings $45 and a chair $30"}, \
"constraints": [{"kind": "linear_bound", "terms": {"desk": 4, "chair": 3}, "sense": "<=", "limit": 120, \
"quote": "A desk takes 4 hours and a chair 3 hours of the 120 hours"}, \
{"kind": "bound", "variable": "desk", "sense": ">=", "limit": 5, "quote": "at least 5 desks"}]}"""
_TABLES: Final = """
Tables are given with this problem. Write none of their numbers: declare `sets` by name (`table` with the `name` of a \
given table and `keys`, its columns that hold the members) and `parameters` by name (`index`, a list of sets, and \
`table` with `name`, `keys` in the order of the index, and `value`, its column of the numbers). Names of columns are \
exactly those given. A variable has `over`, a statement for every member of a set has `forall`. An example with a \
table time (columns tool, job, hours) and a table tools (columns tool, open):
"""
_TABLES_EXAMPLE: Final = """{"sets": {"TOOLS": {"table": {"name": "tools", "keys": ["tool"]}}, \
"JOBS": {"table": {"name": "time", "keys": ["job"]}}}, \
"parameters": {"hours": {"index": ["TOOLS", "JOBS"], "table": {"name": "time", "keys": ["tool", "job"], "value": \
"hours"}}, "open": {"index": ["TOOLS"], "table": {"name": "tools", "keys": ["tool"], "value": "open"}}}, \
"variables": {"share": {"over": "t in TOOLS, j in JOBS", "quote": "share of each job"}}, \
"objective": {"kind": "optimize", "sense": "minimize", "terms": "sum(hours[t, j]*share[t, j] for t in TOOLS for j in \
JOBS)", "quote": "as few hours as possible"}, \
"constraints": [{"kind": "sum_bound", "variables": "share[t, j]", "over": "t in TOOLS", "sense": "==", "limit": 1, \
"forall": "j in JOBS", "quote": "each job is done"}, {"kind": "linear", "row": "sum(hours[t, j]*share[t, j] for j in \
JOBS) <= open[t]", "forall": "t in TOOLS", "quote": "no tool works longer than it is open"}]}"""
_LARGEST_RANGE: Final = 10_000  # members of a set that a document counts out
_MOST_TERMS: Final = 500_000  # of all variables and statements, written out


@cache
def document_prompt(*, tables: bool = False) -> str:
    """What a chat model is told beside a text: the form of a document and every kind of statement, with an example.

    With `tables`, also how sets and parameters are read from the tables that are given.
    """
    kinds = []
    for name, kind in {**OBJECTIVES, **CONSTRAINTS}.items():
        told = " ".join((kind.__doc__ or "").split())
        example = re.search(r"`(\{\"kind\".*?\})`", told)
        said = told.split("`")[0].partition(". ")[0].strip().rstrip(":.")
        kinds.append(f"- {name}: {said}." + (f" {example[1]}" if example else ""))
    return (
        "Write the optimisation problem below as one JSON object and nothing else. Its keys: `variables` (by name: "
        "`domain` continuous, integer or binary; `label`; `lower` and `upper` where the text gives them), `objective` "
        "and `constraints`, each a statement with its `kind` and the fields of that kind. Expressions are text such as "
        '"2*desk + chair", or coefficients by variable. Numbers are those of the text; compute none. Every variable '
        "and statement has a `quote`: the exact words of the text that say it. State nothing that the text does not "
        "say. Kinds:\n"
        + "\n".join(kinds)
        + f"\nAn example of the form:\n{_EXAMPLE}"
        + (_TABLES + _TABLES_EXAMPLE if tables else "")
    )


def document_schema() -> dict[str, Any]:
    """The JSON schema of a document: that of `Problem`, quotes in place of sources."""
    schema = Problem.model_json_schema()
    for name, record in [("Problem", schema), *schema.get("$defs", {}).items()]:
        fields = record.get("properties", {})
        if "sources" in fields:
            del fields["sources"]
            fields["quote"] = {"type": "string"}
        if name == "Problem":
            for unwanted in ("text", "schema_version"):
                fields.pop(unwanted, None)
            record["required"] = ["variables", "objective", "constraints"]
        if name == "Table":
            for unwanted in ("file", "sheet"):
                fields.pop(unwanted, None)
            record["required"] = ["name", "keys"]
    schema.get("$defs", {}).pop("Mention", None)
    return schema


@cache
def document_grammar() -> str:
    """The schema as a grammar for constrained sampling. Raises UserError where xgrammar is not installed."""
    try:
        import xgrammar
    except ImportError:
        raise UserError("grammars need the package xgrammar: install it, or use vLLM") from None
    return str(xgrammar.Grammar.from_json_schema(json.dumps(document_schema())))


def problem_of_document(written: str, text: str, tables: Sequence[Given] = ()) -> Problem:
    """The problem that a model has written about a text. Raises DataError, one line.

    With `tables`, its sets and parameters are kept, and everything that it reads from them is there.
    """
    document = document_in(written)
    quotes: dict[tuple[str, str], str] = {}
    kept = ("name", "variables", "objective", "constraints", *(("sets", "parameters") if tables else ()))
    plain = {key: value for key, value in document.items() if key in kept}
    for what in ("sets", "parameters", "variables"):
        if isinstance(owners := plain.get(what), dict):
            plain[what] = {name: _unquoted(one, (what, name), quotes) for name, one in owners.items()}
    if isinstance(plain.get("objective"), dict):
        plain["objective"] = _unquoted(plain["objective"], ("objective", ""), quotes)
    if isinstance(plain.get("constraints"), list):
        plain["constraints"] = [
            _unquoted(one, ("constraint", str(at)), quotes) for at, one in enumerate(plain["constraints"])
        ]
    try:
        problem = read_problem({**plain, "text": text})
        check(problem)
        if tables:
            _check_data(problem, tables)
    except UserError as error:
        raise DataError(f"the document is no problem: {one_line(str(error))}") from None
    return _with_sources(problem, quotes, text)


def _check_data(problem: Problem, tables: Sequence[Given]) -> None:
    """Raises UserError or DataError where tables lack what the problem reads, or it is too large written out."""
    for name, members in problem.sets.items():
        if members.range is not None and members.range[1] - members.range[0] >= _LARGEST_RANGE:
            raise DataError(f"sets.{name}.range: more than {_LARGEST_RANGE:,} members")
    bound = bind(problem, data_of(problem, tables))
    terms = 0
    for one in (*problem.variables.values(), problem.objective, *problem.constraints):
        found = [part for _, part in expressions_in(one)]
        each = math.prod(_times(part, bound) for part in found if isinstance(part, Quantifier))
        terms += each * max(1, sum(_terms(part, bound) for part in found if not isinstance(part, Quantifier)))
    if terms > _MOST_TERMS:
        raise DataError(f"it has up to {terms:,} terms over these tables: at most {_MOST_TERMS:,} are written out")


def _times(over: Quantifier, bound: Bound) -> int:
    """How often at most something is said that holds for `over`."""
    return math.prod(len(bound.sets[one.set].items) for one in over.generators)


def _terms(part: Any, bound: Bound) -> int:
    """How many terms an expression has at most when its sums are written out."""
    if isinstance(part, Sum):
        return _times(part.over, bound) * _terms(part.body, bound)
    if isinstance(part, Ref):
        return 1
    if isinstance(part, tuple):
        return sum(_terms(one, bound) for one in part)
    return max(1, sum(_terms(getattr(part, one.name), bound) for one in fields(part))) if is_dataclass(part) else 0


def document_in(written: str) -> dict[str, Any]:
    """The JSON object in what a model has written, its thinking left out. Raises DataError, one line."""
    written = written.rpartition("</think>")[2]
    if len(written) > _LONGEST:
        raise DataError(f"{len(written)} characters are no document: at most {_LONGEST} are read")
    decoder = json.JSONDecoder()
    at = written.find("{")
    if at < 0:
        raise DataError("there is no JSON object")
    try:
        found, _ = decoder.raw_decode(written, at)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the JSON cannot be read: {one_line(str(error))}") from None
    if not isinstance(found, dict) or "variables" not in found:
        raise DataError("the JSON object has no variables")
    return found


def _unquoted(given: Any, key: tuple[str, str], quotes: dict[tuple[str, str], str]) -> Any:
    """A record without its quote and sources; the quote is kept under `key`."""
    if not isinstance(given, dict):
        return given
    if isinstance(given.get("quote"), str):
        quotes[key] = given["quote"]
    return {name: value for name, value in given.items() if name not in ("quote", "sources")}


def _with_sources(problem: Problem, quotes: Mapping[tuple[str, str], str], text: str) -> Problem:
    """The problem with the places that its quotes name."""

    def placed(one: T, key: tuple[str, str], numbers: Mapping[str, Rational]) -> T:
        return one.model_copy(update={"sources": dict(_sources(numbers, quotes.get(key), text))})

    objective = problem.objective
    return problem.model_copy(
        update={
            "parameters": {
                name: placed(one, ("parameters", name), {} if one.value is None else {"value": one.value.rational})
                for name, one in problem.parameters.items()
            },
            "variables": {name: placed(one, ("variables", name), {}) for name, one in problem.variables.items()},
            "objective": placed(objective, ("objective", ""), _numbers(objective)) if objective is not None else None,
            "constraints": tuple(
                placed(one, ("constraint", str(at)), _numbers(one)) for at, one in enumerate(problem.constraints)
            ),
        }
    )


def _mention(quote: str | None, text: str) -> Mention:
    """Where a quote stands; words that do not stand in the text are derived."""
    words = (quote or "").split()
    found = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE) if words else None
    return Mention(span=found.span(), text=found.group()) if found else Mention(origin="derived")


def _numbers(statement: Statement) -> dict[str, Rational]:
    """The fields of a statement that are plain numbers."""
    values = ((name, getattr(statement, name)) for name in type(statement).model_fields)
    return {name: value.number.rational for name, value in values if isinstance(value, Num)}


def _sources(numbers: Mapping[str, Rational], quote: str | None, text: str) -> Iterator[tuple[str, Mention]]:
    """The place of what is quoted, and of each of its numbers that stands in it once."""
    whole = _mention(quote, text)
    yield "", whole
    start, end = whole.span or (0, len(text))
    figures = [one for one in numbers_in(text) if start <= one.start and one.end <= end]
    for name, value in numbers.items():
        places = [one for one in figures if one.value == value]
        if len(places) == 1:
            one = places[0]
            yield name, Mention(span=(one.start, one.end), text=text[one.start : one.end])
        else:
            yield name, Mention(origin="derived" if not places else "text")
