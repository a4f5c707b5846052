"""A model and its result in plain language, each statement beside its algebra and its sentence of the text.

Nothing here is guessed: words come from labels, from the text's own sentences, and from what a statement says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from formulation.algebra import notation
from formulation.binding import Key, show_key
from formulation.expressions import Add, Div, Expr, Mul, Ref, Selected, Sum
from formulation.kinds.base import Constraint, Mention, Objective, Statement
from formulation.lines import one_line, shown
from formulation.meaning import World
from formulation.numbers import Number, Rational
from formulation.report import Block, Entry, Heading, Paragraph, Table, as_markdown, as_text
from formulation.schema import Problem
from formulation.sentences import sentence_at, sentences
from formulation.units import ONE, Unit

if TYPE_CHECKING:
    from formulation.infeasible import IIS, Part
    from formulation.model import Model
    from formulation.sensitivity import Slack
    from formulation.solve import Solution

__all__ = ["Clash", "Explanation", "Given", "Outcome", "Quantity", "Said", "Source", "explain", "unit_of"]

_MOST_SHOWN: Final = 60  # values or statements in a text; JSON holds all
_MOST_BINDINGS: Final = 4
_WHOLE: Final = {"integer": "whole number", "binary": "yes or no", "continuous": "any amount"}


@dataclass(frozen=True, slots=True)
class Given:
    """A parameter: its value, or how many there are and between which ends."""

    name: str
    label: str
    unit: str
    over: str
    value: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A variable: what it is, which values it may have, and how many of it there are."""

    name: str
    label: str
    unit: str
    domain: str
    over: str
    bounds: str
    count: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was said: a sentence of the text, its number there from 1, and the characters meant."""

    sentence: str
    place: int | None
    span: tuple[int, int] | None
    origin: str

    def __str__(self) -> str:
        place = f"sentence {self.place}: " if self.place is not None else ""
        return f'{place}"{self.sentence}"' if self.sentence else ""


@dataclass(frozen=True, slots=True)
class Said:
    """A statement or the objective; `outcome` is what came of it in a result, `binding` whether it is a limit there."""

    id: str
    kind: str
    label: str
    words: tuple[str, ...]
    algebra: tuple[str, ...]
    latex: tuple[str, ...]
    source: Source | None = None
    outcome: str = ""
    binding: bool | None = None


@dataclass(frozen=True, slots=True)
class Clash:
    """A member of a conflict: a statement (`id`), a declared bound, or the demand for whole numbers."""

    what: str
    id: str
    label: str
    words: tuple[str, ...]
    source: Source | None
    bindings: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result. `headline` says it in a sentence; `values` are all values, by variable and key."""

    status: str
    headline: str
    objective: Rational | None
    goals: tuple[Rational, ...]
    unit: str
    values: Mapping[tuple[str, Key], Rational]
    conflict: tuple[Clash, ...] = ()
    irreducible: bool | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A model, and what came of it, in plain language."""

    name: str
    description: str
    parameters: tuple[Given, ...]
    variables: tuple[Quantity, ...]
    objective: Said | None
    statements: tuple[Said, ...]
    notes: tuple[str, ...]
    outcome: Outcome | None

    @property
    def text(self) -> str:
        """Plain text."""
        return as_text(self.blocks())

    @property
    def markdown(self) -> str:
        """Markdown with LaTeX."""
        return as_markdown(self.blocks())

    def blocks(self) -> tuple[Block, ...]:
        """The whole for `formulation.report`."""
        return (*self.model_blocks(), *self.result_blocks())

    def model_blocks(self) -> tuple[Block, ...]:
        """What the model says."""
        return tuple(self._model())

    def result_blocks(self) -> tuple[Block, ...]:
        """What came of it; nothing without a result."""
        return tuple(self._result())

    def _model(self) -> Iterator[Block]:
        yield Heading(self.name or "The problem", 1)
        if self.description:
            yield Paragraph(self.description)
        yield Heading("What is decided")
        header = ("variable", "meaning", "unit", "for every", "values")
        yield Table(header, tuple((v.name, v.label, v.unit, v.over, f"{v.domain}{v.bounds}") for v in self.variables))
        if self.parameters:
            yield Heading("What is given")
            header = ("parameter", "meaning", "unit", "for every", "value")
            yield Table(header, tuple((p.name, p.label, p.unit, p.over, p.value) for p in self.parameters))
        yield Heading("What is sought")
        if self.objective is None:
            yield Paragraph("Any values that satisfy all statements.")
        else:
            yield _entry(self.objective)
        yield Heading("What must hold")
        if not self.statements:
            yield Paragraph("Nothing but the bounds of the variables.")
        yield from map(_entry, self.statements[:_MOST_SHOWN])
        if len(self.statements) > _MOST_SHOWN:
            yield Paragraph(f"... and {len(self.statements) - _MOST_SHOWN} more statements.")
        for note in self.notes:
            yield Paragraph(f"Note: {note}.")

    def _result(self) -> Iterator[Block]:
        outcome = self.outcome
        if outcome is None:
            return
        yield Heading("Result")
        yield Paragraph(outcome.headline)
        used = [(at, value) for at, value in outcome.values.items() if value]
        if outcome.values:
            units = {v.name: (v.unit, v.domain) for v in self.variables}
            rows = []
            for at, value in used[:_MOST_SHOWN]:
                unit, domain = units[at[0]]
                rows.append((show_key(*at), _value(value, domain), unit))
            if rows:
                yield Table(("variable", "value", "unit"), tuple(rows), frozenset({"value"}))
            rest = len(used) - len(rows)
            zeros = len(outcome.values) - len(used)
            told = [f"{rest} more are not 0" if rest else "", f"{_others(zeros, bool(rows))} 0" if zeros else ""]
            if any(told):
                yield Paragraph("; ".join(part for part in told if part) + ".")
        for clash in outcome.conflict:
            name = _named(clash.id, clash.label) or clash.what
            yield Entry(name, _bindings(clash), str(clash.source or ""), clash.words)
        yield from map(Paragraph, outcome.remarks)

    def plain(self) -> dict[str, Any]:
        """The explanation as JSON values."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": [_plain(one) for one in self.parameters],
            "variables": [_plain(one) for one in self.variables],
            "objective": None if self.objective is None else _plain(self.objective),
            "statements": [_plain(one) for one in self.statements],
            "notes": list(self.notes),
            "result": None if self.outcome is None else _plain(self.outcome),
        }


def _others(zeros: int, some: bool) -> str:
    if zeros == 1:
        return "one other is" if some else "it is"
    return f"{zeros} others are" if some else f"all {zeros} values are"


def _value(value: Rational, domain: str) -> str:
    return "yes" if domain == _WHOLE["binary"] and value == 1 else shown(value)


def _named(name: str, label: str) -> str:
    return f"{name}: {label}" if label else name


def _entry(said: Said) -> Entry:
    origin = said.source.origin if said.source is not None and said.source.origin != "text" else ""
    remark = "; ".join(part for part in (said.outcome, origin) if part)
    return Entry(_named(said.id, said.label), remark, str(said.source or ""), said.words, said.algebra, said.latex)


def _bindings(clash: Clash) -> str:
    keys = [key[0] if len(key) == 1 else key for key in clash.bindings if key]
    told = ", ".join(key if isinstance(key, str) else repr(key) for key in keys[:_MOST_BINDINGS])
    more = f" and {len(keys) - _MOST_BINDINGS} more" if len(keys) > _MOST_BINDINGS else ""
    return f"for {told}{more}" if told else ""


def _plain(given: Any) -> Any:
    """JSON values of a record, a tuple, a mapping of values, or a number."""
    if isinstance(given, Mapping):
        return {show_key(*at): _plain(value) for at, value in given.items()}
    if isinstance(given, tuple | list):
        return [_plain(part) for part in given]
    if hasattr(given, "__dataclass_fields__"):
        return {name: _plain(getattr(given, name)) for name in given.__dataclass_fields__}
    if given is None or isinstance(given, str | bool | int):
        return given
    return Number(given).plain()


# ---- making one ------------------------------------------------------------------------------------------------------


def explain(model: Model, solution: Solution | None = None, *, time_limit: float | None = None) -> Explanation:
    """Explain a model, and a result of it where one is given.

    For an infeasible model the conflict behind it is found, within `time_limit` seconds. Raises DataError as the
    model's own parts do.
    """
    return _Explainer(model).explanation(solution, time_limit)


class _Explainer:
    def __init__(self, model: Model) -> None:
        self.model, self.problem = model, model.problem
        self._sentences = sentences(self.problem.text or "")
        self.words = notation("words", model.problem)
        self.algebra = notation("algebra", model.problem)
        self.latex = notation("latex", model.problem)

    def explanation(self, solution: Solution | None, time_limit: float | None) -> Explanation:
        objective = self.problem.objective
        told = self._outcomes(solution)
        goals = self._objective(objective) if objective is not None else None
        return Explanation(
            self.problem.name,
            self.problem.text or "",
            tuple(map(self._given, self.problem.parameters)),
            tuple(map(self._quantity, self.problem.variables)),
            goals,
            tuple(self._said(statement, *told.get(statement.id, ("", None))) for statement in self.problem.constraints),
            tuple(f"{place}: {note}" for place, note in self.model.ground.notes),
            None if solution is None else self._outcome(solution, time_limit),
        )

    # -- the model --

    def _given(self, name: str) -> Given:
        parameter, values = self.problem.parameters[name], self.model.bound.parameters[name]
        if not parameter.index:
            value = shown(self.model.bound.parameter(name, ()))
        elif values:
            low, high = (shown(end(values.values())) for end in (min, max))
            value = f"{len(values)} values" + (f", {low} to {high}" if low != high else f", all {low}")
        else:
            value = "no values"
        unit = str(parameter.unit) if parameter.unit is not None else ""
        return Given(name, parameter.label or "", unit, ", ".join(map(self.words.set_name, parameter.index)), value)

    def _quantity(self, name: str) -> Quantity:
        variable = self.problem.variables[name]
        ends = (variable.lower, variable.upper)
        low, high = (None if end is None else self.algebra.expr(end, frozenset()) for end in ends)
        bounds = {
            (True, True): " without bounds",
            (False, True): f" from {low} on",
            (True, False): f" up to {high}",
            (False, False): f" from {low} to {high}",
        }[low is None, high is None]
        return Quantity(
            name,
            variable.label or "",
            str(variable.unit) if variable.unit is not None else "",
            _WHOLE[variable.domain],
            self.words.quantifier(variable.over, frozenset()) if variable.over is not None else "",
            "" if variable.domain == "binary" else bounds,
            len(self.model.ground.column.get(name, {})),
        )

    def _objective(self, objective: Objective) -> Said:
        words, algebra, latex = (each.objective(objective) for each in (self.words, self.algebra, self.latex))
        source = self._source(objective)
        return Said("objective", _kind(objective), objective.label or "", words, algebra, latex, source)

    def _said(self, statement: Constraint, outcome: str, binding: bool | None) -> Said:
        words, algebra, latex = (each.statement(statement) for each in (self.words, self.algebra, self.latex))
        source, label = self._source(statement), statement.label or ""
        return Said(statement.id, _kind(statement), label, words, algebra, latex, source, outcome, binding)

    def _source(self, statement: Statement) -> Source | None:
        """Where a statement was said: the sentence that its mention is in, or the mention itself."""
        mention = _mention(statement)
        if mention is None:
            return None
        if mention.span is not None:
            place = sentence_at(self._sentences, mention.span[0])
            if place is not None:
                start, end = self._sentences[place]
                return Source(one_line((self.problem.text or "")[start:end]), place + 1, mention.span, mention.origin)
        return Source(one_line(mention.text or ""), None, mention.span, mention.origin)

    # -- the result --

    def _outcomes(self, solution: Solution | None) -> dict[str, tuple[str, bool | None]]:
        """What came of each statement: whether it binds, what is left, and what it costs."""
        if solution is None or not solution.values:
            return {}
        from formulation.sensitivity import slacks

        by_statement: dict[str, list[Slack]] = {}
        for slack in slacks(self.model, solution.values):
            by_statement.setdefault(slack.statement, []).append(slack)
        found = {}
        world = World(self.model.bound, solution.values)
        for statement in self.problem.constraints:
            told, binding = _room(by_statement.get(statement.id, []))
            if type(statement).cost is not Constraint.cost:
                cost = sum((statement.cost(world, env) for env in world.instances(statement.forall, {})), 0)
                told = "; ".join(part for part in (told, f"costs {shown(cost)}") if part)
            found[statement.id] = (told, binding)
        return found

    def _outcome(self, solution: Solution, time_limit: float | None) -> Outcome:
        unit = self._unit()
        conflict: IIS | None = None
        if solution.status == "infeasible":
            from formulation.infeasible import iis

            conflict = iis(self.model, time_limit=time_limit)
        remarks = []
        if conflict is not None and conflict.members:
            only = "Without any one of them the rest can be satisfied"
            remarks.append(f"{only}." if conflict.irreducible else f"There may be fewer: {conflict.reason}.")
        elif conflict is not None:
            remarks.append(f"No conflict was found: {conflict.reason}.")
        if len(solution.goals) > 1:
            remarks.append(f"The goals in their order: {', '.join(map(shown, solution.goals))}.")
        if solution.values and not solution.exact:
            remarks.append("Some statements hold only up to the solver's tolerance.")
        return Outcome(
            solution.status,
            self._headline(solution, unit, bool(conflict and conflict.members)),
            solution.objective,
            solution.goals,
            unit,
            dict(solution.values),
            tuple(map(self._clash, conflict.members)) if conflict is not None else (),
            conflict.irreducible if conflict is not None else None,
            tuple(remarks),
        )

    def _headline(self, solution: Solution, unit: str, conflict: bool) -> str:
        objective = self.problem.objective
        name = (objective.label if objective is not None else None) or "the objective"
        value = "" if solution.objective is None else f"{name} is {shown(solution.objective)}{unit and ' ' + unit}"
        match solution.status:
            case "optimal":
                return f"The best there is: {value}." if value else "All statements can be satisfied, as below."
            case "feasible":
                return f"A solution, perhaps not the best: {value or 'as below'}. {_sentence(solution.reason)}"
            case "infeasible" if conflict:
                return "Nothing satisfies all statements. These cannot all hold:"
            case "infeasible":
                return f"Nothing satisfies all statements: {_sentence(solution.reason)}"
            case "unbounded":
                return f"There is no best solution: {_sentence(solution.reason)}"
        return f"No answer ({solution.status}): {_sentence(solution.reason)}"

    def _clash(self, part: Part) -> Clash:
        if part.what != "statement":
            return Clash(part.what, part.id, "", (part.text,), None, part.bindings)
        statement = self.problem.constraint(part.id)
        words, source = self.words.statement(statement), self._source(statement)
        return Clash(part.what, part.id, statement.label or "", words, source, part.bindings)

    def _unit(self) -> str:
        """The unit of the first goal, where parameters give one."""
        objective = self.problem.objective
        if objective is None:
            return ""
        goal = min(objective.goals(), key=lambda goal: goal.priority)
        units = {unit_of(of, self.problem) for of in goal.of}
        unit = units.pop() if len(units) == 1 else None
        return str(unit) if unit is not None and unit != ONE else ""


def _kind(statement: Statement) -> str:
    return str(getattr(statement, "kind", ""))


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}." if reason and not reason.endswith(("?", ".")) else reason


def _mention(statement: Statement) -> Mention | None:
    """The mention of the whole statement, or its first part's."""
    if "" in statement.sources:
        return statement.sources[""]
    spans = [mention for mention in statement.sources.values() if mention.span is not None]
    return min(spans, key=lambda mention: mention.span or (0, 0)) if spans else None


def _room(slacks: Sequence[Slack]) -> tuple[str, bool | None]:
    """What is left of a statement's limits, and whether one is reached."""
    limits = [slack for slack in slacks if slack.sense != "=="]
    if not limits:
        return "", None
    reached = [slack for slack in limits if slack.binding]
    if len(limits) == 1:
        return ("binding", True) if reached else (f"{shown(limits[0].amount)} left", False)
    if not reached:
        return f"not binding, {shown(min(slack.amount for slack in limits))} left at least", False
    return f"binding in {len(reached)} of {len(limits)}", True


def unit_of(expr: Expr, problem: Problem) -> Unit | None:
    """The unit of an expression; None where a number's own unit is unknown, as that of 45 in 45*chair."""
    match expr:
        case Ref(name=name):
            variable = problem.variables.get(name)
            if variable is not None and variable.domain == "binary":
                return variable.unit or ONE
            owner = variable or problem.parameters.get(name)
            return owner.unit if owner is not None else None
        case Selected():
            return ONE
        case Add(terms=terms):
            units = {unit_of(term, problem) for term in terms}
            return units.pop() if len(units) == 1 else None
        case Sum(body=body):
            return unit_of(body, problem)
        case Mul(left=left, right=right):
            first, second = unit_of(left, problem), unit_of(right, problem)
            return None if first is None or second is None else first * second
        case Div(above=above, below=below):
            first, second = unit_of(above, problem), unit_of(below, problem)
            return None if first is None or second is None else first / second
    return None
