"""Models as JSON documents: what a large chat model is asked to write, and what becomes of it.

A document is a problem of `formulation.schema` without sources; each variable and each statement has a `quote`
instead, the words of the text that say it. Code finds them, and the numbers in them, so that every field keeps the
place it came from. Documents are untrusted: they are read as strictly as any file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from data.errors import DataError, UserError
from formulation.check import check
from formulation.expressions import Num
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.kinds.base import Mention, Statement
from formulation.lines import one_line
from formulation.quantities import numbers_in
from formulation.schema import Problem, read_problem

__all__ = ["document_grammar", "document_in", "document_prompt", "document_schema", "problem_of_document"]

_LONGEST: Final = 100_000  # characters of a document
_EXAMPLE: Final = """{"variables": {"desk": {"domain": "integer", "label": "desks", "quote": "desks"}, \
"chair": {"domain": "integer", "label": "chairs", "quote": "chairs"}}, \
"objective": {"kind": "optimize", "sense": "maximize", "terms": {"desk": 45, "chair": 30}, \
"quote": "A desk brings $45 and a chair $30"}, \
"constraints": [{"kind": "linear_bound", "terms": {"desk": 4, "chair": 3}, "sense": "<=", "limit": 120, \
"quote": "A desk takes 4 hours and a chair 3 hours of the 120 hours"}, \
{"kind": "bound", "variable": "desk", "sense": ">=", "limit": 5, "quote": "at least 5 desks"}]}"""


@cache
def document_prompt() -> str:
    """What a chat model is told before a text: the form of a document and every kind of statement, with an example."""
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
        "say. Kinds:\n" + "\n".join(kinds) + f"\nAn example of the form:\n{_EXAMPLE}"
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


def problem_of_document(written: str, text: str) -> Problem:
    """The problem that a model has written about a text. Raises DataError, one line."""
    document = document_in(written)
    quotes: dict[tuple[str, str], str] = {}
    plain = {key: value for key, value in document.items() if key in ("variables", "objective", "constraints", "name")}
    variables = plain.get("variables")
    if isinstance(variables, dict):
        plain["variables"] = {name: _unquoted(one, ("variable", name), quotes) for name, one in variables.items()}
    if isinstance(plain.get("objective"), dict):
        plain["objective"] = _unquoted(plain["objective"], ("objective", ""), quotes)
    if isinstance(plain.get("constraints"), list):
        plain["constraints"] = [
            _unquoted(one, ("constraint", str(at)), quotes) for at, one in enumerate(plain["constraints"])
        ]
    try:
        problem = read_problem({**plain, "text": text})
        check(problem)
    except UserError as error:
        raise DataError(f"the document is no problem: {one_line(str(error))}") from None
    return _with_sources(problem, quotes, text)


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
    variables = {
        name: one.model_copy(update={"sources": {"": _mention(quotes.get(("variable", name)), text)}})
        for name, one in problem.variables.items()
    }
    objective = problem.objective
    if objective is not None:
        objective = objective.model_copy(
            update={"sources": dict(_sources(objective, quotes.get(("objective", "")), text))}
        )
    constraints = tuple(
        one.model_copy(update={"sources": dict(_sources(one, quotes.get(("constraint", str(at))), text))})
        for at, one in enumerate(problem.constraints)
    )
    return problem.model_copy(update={"variables": variables, "objective": objective, "constraints": constraints})


def _mention(quote: str | None, text: str) -> Mention:
    """Where a quote stands; words that do not stand in the text are derived."""
    words = (quote or "").split()
    found = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE) if words else None
    return Mention(span=found.span(), text=found.group()) if found else Mention(origin="derived")


def _sources(statement: Statement, quote: str | None, text: str) -> Iterator[tuple[str, Mention]]:
    """The place of a statement, and of each of its plain numbers that stands in it once."""
    whole = _mention(quote, text)
    yield "", whole
    start, end = whole.span or (0, len(text))
    figures = [one for one in numbers_in(text) if start <= one.start and one.end <= end]
    for name in type(statement).model_fields:
        value = getattr(statement, name)
        if isinstance(value, Num):
            places = [one for one in figures if one.value == value.number.value]
            if len(places) == 1:
                one = places[0]
                yield name, Mention(span=(one.start, one.end), text=text[one.start : one.end])
            else:
                yield name, Mention(origin="derived" if not places else "text")
