"""What the server does with descriptions and models: requests and answers as records, and the work between them.

All of the work is `formulation`'s; here it is put into jobs for `reasoning.processes`. Nothing that a client
sends is a path: tables come as text, and a model that names a file is refused.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from data.errors import UserError, one_line
from formulation import Model, Reader, compare, explain, export, formulate, load, solve
from formulation.binding import show_key
from formulation.classes import seed_class
from formulation.explain import Explanation, Quantity
from formulation.files import parse_text
from formulation.numbers import Number
from formulation.pipeline import Formulation
from formulation.schema import read_problem, suggestion
from formulation.sensitivity import sensitivity
from formulation.sentences import sentences
from formulation.solve import Solution
from formulation.tables import data_of, given_tables
from reasoning.processes import Refused

__all__ = [
    "Compare",
    "Compared",
    "Explain",
    "Explained",
    "Export",
    "Exported",
    "Formulate",
    "Formulated",
    "Language",
    "Solve",
    "Solved",
    "WhatIf",
    "WhatIfSolved",
    "aside",
    "comparing",
    "explaining",
    "exporting",
    "formulating",
    "solving",
    "trying",
    "warm",
]

_LONGEST_TEXT: Final = 20_000  # characters, as `formulate` takes
_LONGEST_FILE: Final = 4_000_000
_DEEPEST: Final = 60
_MOST_TABLES: Final = 20
_MOST_CHANGES: Final = 100
_QUESTIONS: Final = 5.0  # seconds for what a careful analyst would ask


# ---- requests --------------------------------------------------------------------------------------------------------


def _sound(given: dict[str, Any]) -> dict[str, Any]:
    """JSON values that can be passed on: not too deep, no NaN, no half characters."""
    stack: list[tuple[Any, int]] = [(given, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels: write it flatter")
        if isinstance(value, dict):
            stack += ((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            stack += ((part, depth + 1) for part in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is no finite number: leave a bound out where there is none")
        elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("a text holds half a character (a lone surrogate): send whole ones")
    return given


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT, description="A description in words")]
Schema = Annotated[
    dict[str, Any], AfterValidator(_sound), Field(description="A model as JSON, with `variables` (docs/formulation.md)")
]
Seconds = Annotated[float, Field(gt=0, le=60, description="for each solve")]
Tables = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_ -]{0,59}$")],
        Annotated[str, Field(max_length=_LONGEST_FILE)],
    ],
    Field(max_length=_MOST_TABLES, description="CSV texts by the names that the model or the text calls them"),
]


class ModelFile(_Request):
    """A model as the text of a file."""

    format: Literal["lp", "mps", "json", "yaml"]
    content: str = Field(min_length=1, max_length=_LONGEST_FILE)


def _sort(given: Any) -> str:
    if isinstance(given, str):
        return "text"
    return "file" if isinstance(given, ModelFile) or (isinstance(given, dict) and "content" in given) else "schema"


AnyModel = Annotated[Annotated[ModelFile, Tag("file")] | Annotated[Schema, Tag("schema")], Discriminator(_sort)]
Described = Annotated[
    Annotated[Text, Tag("text")] | Annotated[ModelFile, Tag("file")] | Annotated[Schema, Tag("schema")],
    Discriminator(_sort),
]


class _Source(_Request):
    """A model, or a description that one is made from by rules."""

    text: Text | None = None
    model: AnyModel | None = None
    tables: Tables = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.model is None):
            raise ValueError("give either 'text' or 'model'")
        return self

    @property
    def described(self) -> str | ModelFile | dict[str, Any]:
        """Whichever is given."""
        return self.text if self.text is not None else self.model or {}


class Formulate(_Request):
    """A description, and whether its model is solved."""

    text: Text
    tables: Tables = Field(default_factory=dict)
    method: Literal["rules", "model"] | None = Field(
        None, description="how it is read: by rules alone, or by the server's language model beside them (the default)"
    )
    solve: bool = True
    time_limit: Seconds = 10.0


class Solve(_Source):
    """What is solved, and whether prices and reduced costs are told."""

    time_limit: Seconds = 10.0
    sensitivity: bool = False


class Compare(_Request):
    """Two models, each a schema, a description, or a file's text."""

    a: Described
    b: Described
    tables: Tables = Field(default_factory=dict)
    time_limit: Seconds = 10.0


class Explain(_Source):
    """What is explained, and whether it is solved first."""

    solve: bool = True
    time_limit: Seconds = 10.0


class Export(_Source):
    """What is written, and in which form."""

    format: Literal["lp", "mps", "py", "json", "yaml", "md"]


class Change(_Request):
    """A number of the model and its new value.

    `path` is its place: in the statement that is named (`limit`, `terms['chairs']`), else in the whole model
    (`parameters.oven.value`, `variables.chair.upper`, `constraints[0].limit`).
    """

    statement: str | None = Field(None, max_length=200, description="a statement's id, or `objective`")
    path: str = Field(min_length=1, max_length=400)
    value: int | float | Annotated[str, Field(max_length=400)] = Field(description="a number, or text such as 1/3")


class WhatIf(_Source):
    """A model and what is changed in it."""

    changes: list[Change] = Field(min_length=1, max_length=_MOST_CHANGES)
    time_limit: Seconds = 10.0


# ---- answers ---------------------------------------------------------------------------------------------------------

Value = int | float | str
"""A number as such where it reads back exactly, else as text ("1/3")."""


Span = Annotated[list[int], Field(min_length=2, max_length=2, description="characters of the text: start, end")]


class Finding(BaseModel):
    """What was not understood, what was assumed, or what is worth a question; `span` counts the text's characters."""

    topic: str
    sentence: str
    span: Span | None


class Alternative(BaseModel):
    """Another model of the same text, and how likely it is right."""

    model: dict[str, Any]
    confidence: float
    votes: float


class Sentence(BaseModel):
    """A sentence of a text: its characters from `start` to `end`."""

    start: int
    end: int
    text: str


class Source(BaseModel):
    """Where something was said: a sentence, its number from 1, the characters meant, and who said it."""

    sentence: str
    place: int | None
    span: Span | None
    origin: str


class Statement(BaseModel):
    """A statement, or the objective, in words and algebra. `class` is that of arXiv 2311.15271, or `none`."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: str
    kind: str
    class_: str = Field(alias="class")
    label: str
    words: list[str]
    algebra: list[str]
    latex: list[str]
    source: Source | None
    outcome: str
    binding: bool | None


class Given(BaseModel):
    """A parameter: its value, or how many values there are and between which ends."""

    name: str
    label: str
    unit: str
    over: str
    value: str


class Clash(BaseModel):
    """A member of a conflict: a statement, a declared bound, or the demand for whole numbers."""

    what: str
    id: str
    label: str
    words: list[str]
    source: Source | None
    bindings: list[list[str | int]]


class Outcome(BaseModel):
    """A result, with the conflict where there is none to be had."""

    status: str
    headline: str
    objective: Value | None
    goals: list[Value]
    unit: str
    values: dict[str, Value]
    conflict: list[Clash]
    irreducible: bool | None
    remarks: list[str]


class Told(BaseModel):
    """A model, and what came of it, in plain language."""

    name: str
    description: str
    parameters: list[Given]
    variables: list[Quantity]
    objective: Statement | None
    statements: list[Statement]
    notes: list[str]
    result: Outcome | None


class _Result(BaseModel):
    status: Literal["optimal", "feasible", "infeasible", "unbounded", "undetermined", "failed", "not solved"]
    reason: str = ""
    objective: Value | None = None
    bound: Value | None = None
    goals: list[Value] = Field(default_factory=list)
    values: dict[str, Value] = Field(default_factory=dict)
    helpers: dict[str, Value] = Field(default_factory=dict)
    exact: bool = False
    seconds: float = 0.0


class Formulated(_Result):
    """What became of a description: what `python -m formulation TEXT --json` prints, sentences and the explanation."""

    model: dict[str, Any] | None
    complete: bool
    confidence: float | None
    alternatives: list[Alternative]
    rival: list[str]
    findings: list[Finding]
    sentences: list[Sentence]
    explanation: Told | None


class Price(BaseModel):
    """What one unit more of a statement's limit changes in the objective, for limits within [low, high]."""

    statement: str
    key: list[str | int]
    sense: str
    limit: Value
    price: float | None
    low: float | None
    high: float | None


class Reduced(BaseModel):
    """A variable's reduced cost, and the coefficients that keep the solution optimal."""

    variable: str
    value: float | None
    reduced: float | None
    coefficient: Value
    low: float | None
    high: float | None


class Sensitivity(BaseModel):
    """Prices and reduced costs, or the `reason` why there are none; `held`: decisions were held as they are."""

    reason: str
    held: bool = False
    prices: list[Price] = Field(default_factory=list)
    variables: list[Reduced] = Field(default_factory=list)


class Solved(_Result):
    """A solution: what `python -m formulation solve --json` prints, and it in a sentence."""

    gap: Value | None
    headline: str
    conflict: list[Clash]
    irreducible: bool | None
    remarks: list[str]
    sensitivity: Sensitivity | None = None


class Counterexample(BaseModel):
    """A point of one model, and what of the other it breaks."""

    model: Literal["first", "second"]
    breaks: str
    values: dict[str, str]


class Optima(BaseModel):
    """The best values of the same expression in both models; null: without end."""

    of: str
    first: str | None
    second: str | None


class Compared(BaseModel):
    """What `python -m formulation compare --json` prints."""

    verdict: Literal["EQUIVALENT", "DIFFERENT", "UNDECIDED"]
    reason: str
    notion: str | None
    exact: bool
    mapping: dict[str, str]
    counterexamples: list[Counterexample]
    optima: Optima | None


class Explained(BaseModel):
    """A model in plain language: as text, as Markdown with LaTeX, and in parts."""

    text: str
    markdown: str
    explanation: Told


class File(BaseModel):
    """A file: its name and its text."""

    name: str
    content: str


class Exported(BaseModel):
    """The files of a form; LP and MPS come with a map of names."""

    files: list[File]


class WhatIfSolved(BaseModel):
    """The solutions before and after, and the changed model."""

    before: Solved
    after: Solved
    model: dict[str, Any]


# ---- jobs ------------------------------------------------------------------------------------------------------------


def aside(work: Callable[..., Any], *given: Any) -> Any:
    """What `work(*given)` returns, done in a thread.

    In any thread but the main one `formulation` gives its models to HiGHS without Pyomo, which takes seconds to load.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *given).result()


def warm() -> None:
    """Load what every job needs, the solver above all."""
    model = load(
        {"variables": {"x": {"upper": 1}}, "objective": {"kind": "optimize", "sense": "maximize", "terms": "x"}}
    )
    aside(lambda: explain(model, solve(model)))


def formulating(given: Formulate, reader: Language | None = None) -> bytes:
    """Answer with a `Formulated`. Raises `Refused` where the reader's model does not answer."""
    with _folder():
        found = _read(given, reader)
        solution = solve(found.model, time_limit=given.time_limit) if given.solve and not found.obstacle else None
        told = None
        if found.reading.problem is not None:
            told = _told(found.model, explain(found.model, solution, time_limit=given.time_limit))
        plain = found.plain(solution, time_limit=min(_QUESTIONS, given.time_limit))
    places = [{"start": start, "end": end, "text": given.text[start:end]} for start, end in sentences(given.text)]
    plain["reason"] = plain.get("reason") or found.obstacle
    return _bytes(Formulated.model_validate({**plain, "sentences": places, "explanation": told}))


def solving(given: Solve) -> bytes:
    """Answer with a `Solved`."""
    with _folder():
        return _bytes(_solved(_model(given.described, given.tables), given.time_limit, prices=given.sensitivity))


def comparing(given: Compare) -> bytes:
    """Answer with a `Compared`."""
    with _folder():
        models = []
        for name in ("a", "b"):
            try:
                models.append(_model(getattr(given, name), given.tables))
            except UserError as error:
                raise type(error)(f"{name}: {error}") from None
        return _bytes(Compared.model_validate(compare(*models, time_limit=given.time_limit).plain()))


def explaining(given: Explain) -> bytes:
    """Answer with an `Explained`."""
    with _folder():
        model = _model(given.described, given.tables)
        solution = solve(model, time_limit=given.time_limit) if given.solve else None
        told = explain(model, solution, time_limit=given.time_limit)
        return _bytes(
            Explained.model_validate({"text": told.text, "markdown": told.markdown, "explanation": _told(model, told)})
        )


def exporting(given: Export) -> bytes:
    """Answer with an `Exported`."""
    with _folder() as folder:
        model = _model(given.described, given.tables)
        slug = re.sub(r"[^A-Za-z0-9]+", "-", model.problem.name).strip("-").lower()[:60] or "model"
        out = folder / "out"
        out.mkdir()
        files = export(model, out / f"{slug}.{given.format}")
        return _bytes(Exported(files=[File(name=one.name, content=one.read_text(encoding="utf-8")) for one in files]))


def trying(given: WhatIf) -> bytes:
    """Answer with a `WhatIfSolved`."""
    with _folder():
        model = _model(given.described, given.tables)
        plain = model.problem.plain()
        for number, change in enumerate(given.changes):
            try:
                _change(plain, change)
            except UserError as error:
                raise UserError(f"changes[{number}]: {error}") from None
        edited = Model(read_problem(plain), model.data)
        before, after = (_solved(one, given.time_limit) for one in (model, edited))
        return _bytes(WhatIfSolved(before=before, after=after, model=edited.problem.plain()))


@dataclass(frozen=True, slots=True)
class Language:
    """A language model that reads descriptions: NAME@URL and its engine's options."""

    policy: str
    options: tuple[tuple[str, str], ...] = ()


# ---- parts of jobs ---------------------------------------------------------------------------------------------------


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty folder to work in, so that messages name files as the client knows them."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def _read(given: Formulate, language: Language | None) -> Formulation:
    tables = _tables(given.tables)
    if language is None:
        return formulate(given.text, data=tables)
    from reasoning.engine.base import EngineError

    try:
        return formulate(given.text, reader=_reader(language), data=tables)
    except EngineError as error:
        raise Refused(502, one_line(error), code="engine_error") from None


@lru_cache(maxsize=1)
def _reader(language: Language) -> Reader:
    """The reader of this process, which keeps its connections from one description to the next."""
    return Reader(language.policy, engine=dict(language.options))


def _tables(texts: Mapping[str, str]) -> dict[str, Path]:
    """Tables as files in the working folder; their names are no paths."""
    for name, text in texts.items():
        Path(f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return {name: Path(f"{name}.csv") for name in texts}


def _model(given: str | ModelFile | dict[str, Any], texts: Mapping[str, str]) -> Model:
    """The model that is meant. Raises UserError, also where a text gives none that may be solved."""
    tables = _tables(texts)
    if isinstance(given, str):
        found: Formulation = formulate(given, data=tables)
        if found.obstacle:
            raise UserError(found.obstacle)
        return found.model
    if isinstance(given, ModelFile) and given.format in ("lp", "mps"):
        path = Path(f"model.{given.format}")
        path.write_text(given.content, encoding="utf-8")
        return load(path)
    if isinstance(given, ModelFile):
        parsed = parse_text(given.content, yaml_=given.format == "yaml")
        try:
            problem = read_problem(_sound(parsed))
        except ValueError as error:
            raise UserError(str(error)) from None
    else:
        problem = read_problem(given)
    return Model(problem, data_of(problem, given_tables(tables)))


def _told(model: Model, explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON values, with the class of each statement."""
    plain, problem = explanation.plain(), model.problem
    for said in plain["statements"]:
        said["class"] = seed_class(problem.constraint(said["id"]))
    if problem.objective is not None:
        plain["objective"]["class"] = seed_class(problem.objective)
    return plain


def _solved(model: Model, time_limit: float, *, prices: bool = False) -> Solved:
    solution = solve(model, time_limit=time_limit)
    told = explain(model, solution, time_limit=time_limit).plain()["result"]
    gap = None if solution.gap is None else Number(solution.gap).plain()
    parts = {name: told[name] for name in ("headline", "conflict", "irreducible", "remarks")}
    priced = _priced(model, solution, time_limit) if prices else None
    return Solved.model_validate({**solution.plain(), **parts, "gap": gap, "sensitivity": priced})


def _priced(model: Model, solution: Solution, time_limit: float) -> dict[str, Any]:
    try:
        found = sensitivity(model, solution, time_limit=time_limit)
    except UserError as error:
        return {"reason": str(error)}
    rows = [{**asdict(one), "limit": Number(Fraction(one.limit)).plain()} for one in found.prices]
    columns = [
        {
            "variable": show_key(one.name, one.key),
            "value": one.value,
            "reduced": one.reduced,
            "coefficient": Number(Fraction(one.coefficient)).plain(),
            "low": one.low,
            "high": one.high,
        }
        for one in found.variables
    ]
    return {"reason": "", "held": found.held, "prices": rows, "variables": columns}


_STEP: Final = re.compile(
    r"\[(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<place>\d{1,9}))\]|\.?(?P<name>[^.\[\]]+)"
)


def _change(plain: dict[str, Any], change: Change) -> None:
    """Put a new value into a model's JSON values. Raises UserError where there is no such place."""
    at: Any = plain if change.statement is None else _statement(plain, change.statement)
    steps = list(_steps(change.path))
    for step in steps[:-1]:
        at = _part(at, step, change.path)
    last = steps[-1]
    # A field that has its default is not written in a model, so that the last step may lead to a new one.
    old = at.get(last) if isinstance(at, dict) and isinstance(last, str) else _part(at, last, change.path)
    if isinstance(old, dict | list):
        raise UserError(f"path: {change.path} is no number: name one that is in it")
    at[last] = change.value


def _statement(plain: Mapping[str, Any], name: str) -> Any:
    known = {one["id"]: one for one in plain.get("constraints", ())}
    if "objective" in plain:
        known.setdefault("objective", plain["objective"])
    if name not in known:
        raise UserError(f"statement: no statement '{name}'{suggestion(name, known)}")
    return known[name]


def _steps(path: str) -> Iterator[str | int]:
    end = 0
    for match in _STEP.finditer(path):
        if match.start() != end:
            break
        end = match.end()
        texts: Sequence[str | None] = match.group("single", "double", "name")
        yield int(match["place"]) if match["place"] else next((text for text in texts if text is not None), "")
    if end != len(path):
        raise UserError(f"path: {path} is no place: write it like limit, terms['chairs'] or parameters.oven.value")


def _part(at: Any, step: str | int, path: str) -> Any:
    if isinstance(at, list) and isinstance(step, int) and step < len(at):
        return at[step]
    if isinstance(at, dict) and step in at:
        return at[step]
    near = suggestion(str(step), at) if isinstance(at, dict) else ""
    raise UserError(f"path: {path}: there is no '{step}'{near}")


def _bytes(answer: BaseModel) -> bytes:
    # JSON has no infinities: pydantic writes null for them, which the answers' types allow where they can occur.
    return answer.model_dump_json().encode()
