"""Rewards of drafts in the compact format, for reinforcement learning with `trl.GRPOTrainer`.

    GRPOTrainer(model, reward_funcs=[format_reward, executes_reward, equivalent_reward], train_dataset=rows, ...)

A row has a `prompt`, the description as `text`, and for `equivalent_reward` the reference as `problem`: JSON text or a
mapping. JSON text is the safer one, as `datasets` gives all mappings of a column the same keys. A reward is in [0, 1],
one for each completion. What a model writes is never run, and no completion raises anything: those that cannot be
drafts, by their length or their characters, are worth 0 before they are read. A row without what a reward needs is a
mistake of the user's, and raises UserError.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final, TypeVar

from data.errors import DataError, UserError
from formulation.canonical import Form, System, system
from formulation.drafts import problem_of
from formulation.equivalence import compare
from formulation.expressions import Ref
from formulation.ground import Column
from formulation.kinds.goals import Aim
from formulation.kinds.lexicographic import Lexicographic
from formulation.kinds.objective import Optimize
from formulation.metrics import Canonical, tally
from formulation.model import Model
from formulation.naming import matched, texts_of
from formulation.numbers import Rational
from formulation.quantities import Figure, numbers_in
from formulation.schema import Problem, read_problem
from formulation.solve import Status, solve
from formulation.wire import MOST_VARIABLES, parse, parse_line

__all__ = ["Completion", "equivalent_reward", "executes_reward", "format_reward"]

Completion = str | Sequence[Mapping[str, Any]]
"""What a policy wrote: text, or messages of a chat, of which the last one's text counts."""
LogMetric = Callable[[str, float], None]
T = TypeVar("T")

_SMALLEST: Final = {
    "variables": {"x": {"domain": "integer"}},
    "objective": {"kind": "optimize", "sense": "maximize", "terms": "x"},
    "constraints": [{"kind": "linear", "row": "2*x <= 3"}],
}
_LONGEST: Final = 4_000  # characters of a completion that is read: a draft has some hundreds
_MOST_LINES: Final = 60  # that are looked at one by one: a draft has at most 52
_NEARLY: Final = 0.9
"""The most that a completion gets which is all but right: a whole reward is kept for what is right."""
_SOLVING: Final = 10.0  # seconds for one model; milliseconds are what it takes
_COMPARING: Final = 10.0  # seconds for one pair of models
_WORTH: Final[Mapping[Status, float]] = {"optimal": 1.0, "feasible": 0.5, "infeasible": 0.5, "unbounded": 0.25}
"""What a solver's answer is worth; any other is worth nothing."""


# ---- rewards ---------------------------------------------------------------------------------------------------------


def format_reward(
    prompts: Any = None,
    completions: Sequence[Completion] = (),
    *,
    text: Sequence[str] | None = None,
    **columns: Any,
) -> list[float]:
    """1 for a draft that says a problem about the row's text.

    Any other completion gets 0.9 of the share of its lines that are well-formed by themselves. So what is well-formed
    line by line and yet no problem (without variables, with two objectives) gets 0.9.
    """
    return [_formed(*one) for one in _written(completions, _column("text", text, completions))]


def executes_reward(
    prompts: Any = None,
    completions: Sequence[Completion] = (),
    *,
    text: Sequence[str] | None = None,
    log_metric: LogMetric | None = None,
    **columns: Any,
) -> list[float]:
    """What solving a draft comes to, in 10 s: an optimum 1, no solution 1/2, an objective without end 1/4, else 0.

    A faithful model may be infeasible, since people ask for what cannot be had: it must not be worth less than a draft
    that leaves the contradiction out and solves by that, or it would be unlearnt. Nor is it worth 1, as most drafts
    without a solution have a wrong number or sense. An unbounded one nearly always lacks a statement. A point that was
    not proved the best in time is worth 1/2. A draft without an objective asks for nothing and gets 0, as does one that
    cannot be built. This alone is no aim: a trivial model solves as well. `log_metric` is told the share of each.
    """
    found: list[Status | None] = []
    for completion, about, figures in _written(completions, _column("text", text, completions)):
        problem = _problem(completion, about, figures)
        found.append(None if problem is None else _status(problem))
    if log_metric is not None and found:
        for status in _WORTH:
            log_metric(f"drafts/{status}", found.count(status) / len(found))
    return [0.0 if status is None else _WORTH.get(status, 0.0) for status in found]


def equivalent_reward(
    prompts: Any = None,
    completions: Sequence[Completion] = (),
    *,
    text: Sequence[str] | None = None,
    problem: Sequence[str | Mapping[str, Any] | None] | None = None,
    log_metric: LogMetric | None = None,
    **columns: Any,
) -> list[float | None]:
    """1 for a draft that is the reference: by its canonical rows, or by its points and objective on them, in 10 s.

    Variables stand for those that they are called like: a draft with two variables' numbers exchanged is another one.
    Strict senses are read as closed ones. What is not the reference, or is not known to be it, gets the share of
    canonical rows that match, the objective counted, as `formulation.metrics` counts it, at most 0.9. A row without a
    reference (None) gives None, by which the trainer leaves this reward out. `log_metric` is told the share of ones.
    Raises UserError for a reference that is no model.
    """
    references = _column("problem", problem, completions)
    found: list[float | None] = []
    rows = _written(completions, _column("text", text, completions))
    for place, ((completion, about, figures), given) in enumerate(zip(rows, references, strict=True)):
        if given is None:
            found.append(None)
            continue
        try:
            reference = _reference(given if isinstance(given, str) else json.dumps(given))
        except (UserError, TypeError, ValueError) as error:
            raise UserError(f"row {place}: problem: {error}") from None
        draft = _problem(completion, about, figures)
        found.append(0.0 if draft is None else _likeness(draft, reference))
    if log_metric is not None and any(one is not None for one in found):
        known = [one for one in found if one is not None]
        log_metric("drafts/equivalent", known.count(1.0) / len(known))
    return found


# ---- what was written ------------------------------------------------------------------------------------------------


def _column(name: str, given: Sequence[T] | None, completions: Sequence[Completion]) -> Sequence[T]:
    if given is None:
        raise UserError(f"the rows have no column '{name}', which the reward reads")
    if len(given) != len(completions):
        raise UserError(f"{len(completions)} completions and {len(given)} values of '{name}': give one for each")
    return given


def _written(completions: Sequence[Completion], texts: Sequence[str]) -> list[tuple[str, str, tuple[Figure, ...]]]:
    """Each completion as text, with the description that it is about and the numbers of that."""
    return [(_said(one), text, _figures(text)) for one, text in zip(completions, texts, strict=True)]


@lru_cache(maxsize=256)
def _figures(text: str) -> tuple[Figure, ...]:
    return numbers_in(text)


def _said(completion: Completion) -> str:
    """The text of a completion; nothing where it cannot be a draft."""
    said: Any = completion
    if not isinstance(completion, str):
        said = completion[-1].get("content") if completion else None
        if isinstance(said, list):  # of parts, as multimodal chats have them
            said = "".join(part["text"] for part in said if isinstance(part.get("text"), str))
    if not isinstance(said, str) or len(said) > _LONGEST:
        return ""
    return said if all(c.isprintable() or c in "\n\r\t" for c in said) else ""


def _formed(completion: str, text: str, figures: tuple[Figure, ...]) -> float:
    if _problem(completion, text, figures) is not None:
        return 1.0
    lines = [line for line in completion.splitlines() if line.strip()]
    variables = good = others = 0
    for line in lines[:_MOST_LINES]:
        try:
            if line.split(maxsplit=1)[0] == "var":
                fits = variables < MOST_VARIABLES and not others
                variables += fits and bool(parse(line, 0).variables)
                good += fits
            else:
                parse_line(line, variables, len(figures))
                others += 1
                good += 1
        except DataError:
            continue
    return _NEARLY * good / len(lines) if lines else 0.0


def _problem(completion: str, text: str, figures: tuple[Figure, ...]) -> Problem | None:
    try:
        return problem_of(parse(completion, len(figures)), text, figures)
    except DataError:
        return None


@lru_cache(maxsize=1)
def _load_solver() -> None:
    """Solve a small model without a limit: the time of the first draft is not that of loading the solver."""
    solve(Model(read_problem(_SMALLEST)))


def _status(problem: Problem) -> Status | None:
    if problem.objective is None:
        return None
    _load_solver()
    try:
        return solve(Model(problem), time_limit=_SOLVING).status
    except UserError:
        return None


# ---- likeness --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reference:
    model: Model
    system: System

    @cached_property
    def has_points(self) -> bool:
        """Whether some point is known to satisfy it."""
        _load_solver()
        return solve(self.model, time_limit=_SOLVING).status in ("optimal", "feasible", "unbounded")


@lru_cache(maxsize=64)
def _reference(given: str) -> _Reference:
    model = Model(read_problem(json.loads(given)), ignore_strict=True)
    return _Reference(model, system(model.matrix))


def _likeness(problem: Problem, reference: _Reference) -> float:
    model = Model(problem, ignore_strict=True)
    try:
        found = system(model.matrix)
    except UserError:
        return 0.0
    wanted = reference.system
    places = _places(model, found.columns, reference)
    width = max([len(wanted.columns) - 1, *places]) + 1
    if _same(found, wanted, places) or _equivalent(model, reference, places[: len(problem.variables)]):
        return 1.0
    counted = tally(_canonical(found, places, width), _canonical(wanted, range(len(wanted.columns)), width))
    share = 1 - (counted.false_positives + counted.false_negatives) / counted.declarations
    return min(share, _NEARLY)


def _places(model: Model, columns: Sequence[Column], reference: _Reference) -> list[int]:
    """The reference's column of every column of a draft, matched by names; those left over come behind."""
    ours, theirs = texts_of(model), texts_of(reference.model)
    pairs = zip(ours, matched(list(ours.values()), list(theirs.values())), strict=True)
    names = dict(pairs)
    called = list(theirs)
    free = {(column.role, column.name, column.key): i for i, column in enumerate(reference.system.columns)}
    found: list[int] = []
    width = len(reference.system.columns)
    for column in columns:
        # Columns that say a statement are called after a variable, such as x.selected, or after the statement.
        owner, point, rest = column.name.partition(".")
        other = names.get(owner)
        name = f"{called[other]}{point}{rest}" if other is not None else column.name if point else None
        place = None if name is None else free.pop((column.role, name, column.key), None)
        if place is None:
            place, width = width, width + 1
        found.append(place)
    return found


def _same(found: System, wanted: System, places: Sequence[int]) -> bool:
    """Whether two systems are the same, rows counted, under a mapping of the columns."""
    if len(found.columns) != len(wanted.columns) or max(places) >= len(wanted.columns):
        return False
    return (
        all(whole == wanted.integral[i] for i, whole in zip(places, found.integral, strict=True))
        and [(dict(goal.terms), goal.constant) for goal in (one.moved(places) for one in found.goals)]
        == [(dict(goal.terms), goal.constant) for goal in wanted.goals]
        and Counter(one.moved(places).key for one in found.forms) == Counter(one.key for one in wanted.forms)
    )


def _equivalent(model: Model, reference: _Reference, places: Sequence[int]) -> bool:
    """Whether two models have the same points and objective, each variable with the one that it is called like.

    Models without any point are alike only by their rows: there is nothing else to tell them apart by.
    """
    columns = reference.system.columns
    if len(model.problem.variables) != len(reference.model.problem.variables) or max(places) >= len(columns):
        return False
    theirs = [columns[i].name for i in places]
    pair = [_pinned(model, list(model.problem.variables)), _pinned(reference.model, theirs)]
    if pair[0] is None or pair[1] is None:
        return False
    verdict = compare(pair[0], pair[1], time_limit=_COMPARING)
    return verdict.verdict == "EQUIVALENT" and (verdict.notion == "structural" or reference.has_points)


def _pinned(model: Model, names: Sequence[str]) -> Model | None:
    """The model with each variable as a further goal, by which no other can be taken for it; None for special ones."""
    objective = model.problem.objective
    if not isinstance(objective, Optimize) or any(one.over is not None for one in model.problem.variables.values()):
        return None
    aims = [Aim(sense=objective.sense, terms=objective.terms)]
    aims += [Aim(sense="minimize", terms=Ref(name)) for name in names]
    return replace(model, problem=model.problem.model_copy(update={"objective": Lexicographic(of=tuple(aims))}))


def _canonical(of: System, places: Sequence[int], width: int) -> Canonical:
    """A system as `formulation.metrics` scores it: an equality is two rows, signs of variables and 0-1 bounds are none.

    Everything is minimised, so that the objective tells its direction.
    """

    def spread(terms: Mapping[int, Rational], last: Rational) -> tuple[Rational, ...]:
        return (*(terms.get(i, 0) for i in range(width)), last)

    rows = []
    for one in of.forms:
        if _is_plain(one, of):
            continue
        moved = one.moved(places)
        row = spread(moved.terms, moved.rhs)
        rows += [row, tuple(-x for x in row)] if one.equal else [row]
    goal = of.goal(0).moved(places)
    return Canonical("minimize", spread(goal.terms, goal.constant), tuple(rows))


def _is_plain(one: Form, of: System) -> bool:
    """x >= 0, or x <= 1 of a binary variable."""
    if len(one.columns) != 1 or one.equal:
        return False
    side = one.coefficients[0], one.rhs
    return side == (-1, 0) or (side == (1, 1) and of.columns[one.columns[0]].domain == "binary")
