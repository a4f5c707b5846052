"""Check values against a problem's own meaning, independently of how it was built and solved.

Every statement is asked, for every binding of its symbols, whether it holds at the values: by the interpreter of
`formulation.meaning`, in exact arithmetic. No column, row, big-M or solver is involved.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final, Literal

from data.errors import UserError
from formulation.binding import Bound, Key, show_key
from formulation.expressions import Quantifier, Relation, Selected
from formulation.findings import Finding, findings
from formulation.kinds.base import Constraint, Env
from formulation.lines import shown
from formulation.meaning import World, elements
from formulation.numbers import Number, Rational, exact, number
from formulation.primitives import (
    Disjunction,
    Indicator,
    Multiple,
    PiecewiseCost,
    Primitive,
    Row,
    SemiContinuous,
)
from formulation.recover import size
from formulation.report import Block, Entry, Heading, Paragraph, as_text
from formulation.schema import suggestion
from formulation.solve import Solution, objective_at

if TYPE_CHECKING:
    from formulation.model import Model

__all__ = ["Finding", "Verdict", "Violation", "verify"]

_ROUNDING: Final = Fraction(1, 10**6)
_MOST_SHOWN: Final = 60  # violations in a text; JSON holds all
_MOST_TEXT: Final = 100  # of a relation in a sentence


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that does not hold, for one binding of its symbols (`key`).

    `statement` is the id of a statement; a variable's name where its bounds, its integrality or its smallest amount are
    broken; or "objective" where other values are claimed than these have. `by` is how far it is broken, in its unit: 0
    for a strict limit that is met exactly, None where that is no matter of size.
    """

    statement: str
    key: Key
    what: Literal["statement", "bound", "integrality", "minimum", "objective"]
    by: Fraction | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of values found.

    `objective` is the exact value of the problem's objective at the values, with the costs of statements; `goals` are
    the values of each of its goals, costs left out. `tolerance` is how far a limit could be broken unreported, beside
    its size where that is above 1: 0 for exact values.
    """

    violations: tuple[Violation, ...]
    objective: Fraction | None
    goals: tuple[Fraction, ...]
    tolerance: Fraction
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything holds; findings are no part of that."""
        return not self.violations

    @property
    def text(self) -> str:
        """Plain text."""
        return as_text(self.blocks())

    def blocks(self) -> tuple[Block, ...]:
        """The whole for `formulation.report`."""
        return tuple(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        how = f"to within {float(self.tolerance):g}" if self.tolerance else "exactly"
        yield Heading("The values hold" if self.ok else "The values do not hold", 1)
        yield Paragraph(
            f"Every statement, bound and whole number holds {how}."
            if self.ok
            else f"What is broken, judged {how}: {len(self.violations)}."
        )
        for one in self.violations[:_MOST_SHOWN]:
            yield Entry(show_key(one.statement, one.key), one.what, words=(one.sentence,))
        if len(self.violations) > _MOST_SHOWN:
            yield Paragraph(f"... and {len(self.violations) - _MOST_SHOWN} more.")
        if self.objective is not None:
            yield Paragraph(f"The objective is {shown(exact(self.objective))}.")
        if self.findings:
            yield Heading("What to look at")
        for finding in self.findings:
            yield Entry(finding.statement, finding.severity, words=(finding.sentence,))

    def plain(self) -> dict[str, Any]:
        """The verdict as JSON values: numbers as such where they read back exactly, else as text."""

        def value(given: Fraction | None) -> Any:
            return None if given is None else Number(given).plain()

        return {
            "ok": self.ok,
            "violations": [
                {
                    "statement": one.statement,
                    "key": list(one.key),
                    "what": one.what,
                    "by": value(one.by),
                    "sentence": one.sentence,
                }
                for one in self.violations
            ],
            "objective": value(self.objective),
            "goals": [value(goal) for goal in self.goals],
            "tolerance": value(self.tolerance),
            "findings": [one.plain() for one in self.findings],
        }


def verify(
    model: Model,
    point: Solution | Mapping[Any, Any],
    *,
    claimed: Any = None,
    tolerance: Any = None,
    time_limit: float = 5.0,
) -> Verdict:
    """Check a solution, or values of all declared variables, against a model, and say what an analyst would ask about.

    `point` holds values by name, by (name, key), or by a shown name such as "ship['a', 'b']". `claimed` is the
    objective that they are said to have; a solution brings its own. Exact values are judged exactly; floats, and
    solutions that are not exact, may break a limit by 1e-6 of its size (by 1e-6 where it is below 1), and what is as
    near to a whole number that it should be, or to 0, is taken to be that. `tolerance` is another number instead of
    1e-6. `time_limit` is how many seconds the findings may take; with 0 those that solve are left out.

    Over continuous quantities < is read as <=, as solving does: no best value keeps away from a limit it may come as
    near to as it likes. Raises UserError for a solution without values, an unknown variable or a missing value.
    """
    if isinstance(point, Solution):
        if point.status not in ("optimal", "feasible"):
            why = f" ({point.reason})" if point.reason else ""
            raise UserError(f"there are no values to check: the solution is {point.status}{why}")
        given, inexact = point.values, not point.exact
        claimed = point.objective if claimed is None else claimed
    else:
        given, inexact = point, any(map(_is_float, point.values()))
    default = _ROUNDING if inexact else Fraction(0)
    allowed = default if tolerance is None else Fraction(_number("tolerance", tolerance))
    if allowed < 0:
        raise UserError(f"tolerance: {allowed} is below 0")
    values = _values(model.bound, given)
    judge = _Judge(World(model.bound, _settled(model.bound, values, allowed)), allowed, model.ignore_strict)
    violations = list(judge.violations())
    if claimed is not None:
        goals = point.goals if isinstance(point, Solution) else ()
        violations += _claims(World(model.bound, values), _number("claimed", claimed), goals, allowed)
    objective, goals_ = objective_at(judge.world)
    found = findings(
        model,
        None if violations else judge.world.point,
        solution=point if isinstance(point, Solution) and not violations else None,
        time_limit=time_limit,
    )
    return Verdict(
        tuple(violations),
        None if objective is None else Fraction(objective),
        tuple(map(Fraction, goals_)),
        allowed,
        found,
    )


def _claims(world: World, claimed: Rational, goals: Sequence[Rational], tolerance: Fraction) -> Iterator[Violation]:
    """Where what is said of the objective is not so."""
    objective, found = objective_at(world)
    if objective is None:
        yield Violation("objective", (), "objective", None, "A value is claimed, and the problem has no objective.")
        return
    pairs = [("the objective is", claimed, objective)]
    if len(goals) == len(found) > 1:
        numbered = zip(goals, found, strict=True)
        pairs += [(f"goal {place} is", goal, value) for place, (goal, value) in enumerate(numbered, start=1)]
    for what, said, value in pairs:
        by = Fraction(size(said - value))
        if by > tolerance * max(1, size(value)):
            told = f"It is claimed that {what} {shown(exact(said))}; at the values it is {shown(value)}."
            yield Violation("objective", (), "objective", by, told)


# ---- values ----------------------------------------------------------------------------------------------------------


def _is_float(value: Any) -> bool:
    return isinstance(value.item() if hasattr(value, "item") else value, float)  # NumPy has its own


def _number(place: str, given: Any) -> Rational:
    try:
        return number(given).rational
    except ValueError as error:
        raise UserError(f"{place}: {error}") from None


def _variables(bound: Bound) -> Iterator[tuple[str, Key, Env]]:
    """Every declared variable: its name, its key, and what the symbols of its quantifier stand for."""
    world = World(bound, {})
    for name, variable in bound.problem.variables.items():
        for env in world.instances(variable.over, {}):
            yield name, _key(env), env


def _key(env: Env) -> Key:
    return tuple(part.element for part in env.values())


def _values(bound: Bound, given: Mapping[Any, Any]) -> dict[tuple[str, Key], Rational]:
    """The value of every declared variable."""
    declared = [(name, key) for name, key, _ in _variables(bound)]
    places: dict[Any, tuple[str, Key]] = {show_key(*at): at for at in declared} | {at: at for at in declared}
    found: dict[tuple[str, Key], Rational] = {}
    for name, value in given.items():
        at = places.get(name)
        if at is None:
            wrong = show_key(*name) if _is_place(name) else str(name)
            raise UserError(f"no variable {wrong}{suggestion(wrong, [show_key(*at) for at in declared])}")
        if at in found:
            raise UserError(f"{show_key(*at)} has two values: keep one")
        found[at] = _number(show_key(*at), value)
    missing = [show_key(*at) for at in declared if at not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(f"{missing[0]} has no value{more}: give one to every variable")
    return found


def _is_place(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], tuple)


def _settled(
    bound: Bound, values: Mapping[tuple[str, Key], Rational], tolerance: Fraction
) -> dict[tuple[str, Key], Rational]:
    """Values without a solver's rounding: whole where they must be and nearly are, 0 where they nearly are."""
    found: dict[tuple[str, Key], Rational] = {}
    for (name, key), value in values.items():
        near = round(value) if bound.problem.variables[name].domain != "continuous" else 0
        found[name, key] = near if size(value - near) <= tolerance else value
    return found


# ---- statements ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Break:
    """Something that does not hold: by how much, beside what size, and in words."""

    by: Rational
    scale: Rational
    told: str
    closed: bool = False
    """Whether only a < is broken that is read as <=."""

    def weight(self, tolerance: Rational) -> tuple[bool, Rational]:
        """Whether it counts, and how much beside others."""
        passes = self.closed or 0 < self.by <= tolerance * self.scale
        return not passes, self.by / Fraction(self.scale)


@dataclass(frozen=True)
class _Judge:
    """A point, and how strictly it is judged."""

    world: World
    tolerance: Fraction
    ignore_strict: bool

    def violations(self) -> Iterator[Violation]:
        """Everything that does not hold."""
        yield from self._domains()
        for statement in self.world.bound.problem.constraints:
            for env in self.world.instances(statement.forall, {}):
                if not statement.holds(self.world, env):
                    yield from self._violation(statement, env)
        yield from self._minima()

    def _domains(self) -> Iterator[Violation]:
        for name, key, env in _variables(self.world.bound):
            variable, value = self.world.bound.problem.variables[name], self.world.point[name, key]
            place, whole = show_key(name, key), variable.domain != "continuous"
            if whole and value != round(value):
                by = Fraction(size(value - round(value)))
                yield Violation(name, key, "integrality", by, f"{place} is {shown(value)}, not a whole number.")
            ends = (variable.lower, variable.upper)
            lower, upper = (None if end is None else self.world.value(end, env) for end in ends)
            if variable.domain == "binary":
                lower, upper = 0, 1
            for end, sign, word in ((lower, -1, "below"), (upper, 1, "above")):
                if end is not None and sign * (value - end) > self.tolerance * max(1, size(end)):
                    told = f"{place} is {shown(value)}, {word} its bound {shown(end)}."
                    yield Violation(name, key, "bound", Fraction(sign * (value - end)), told)

    def _violation(self, statement: Constraint, env: Env) -> Iterator[Violation]:
        """A statement that its own meaning says is false, unless all that breaks it may pass."""
        place = show_key(statement.id, _key(env))
        found = [one for primitive in statement.lower() for one in self._breaks(primitive, env)]
        if not found:
            yield Violation(statement.id, _key(env), "statement", None, f"{place} does not hold.")
            return
        worst = max(found, key=self._weight)
        if self._weight(worst)[0]:
            told = f"{place} does not hold: {worst.told}."
            yield Violation(statement.id, _key(env), "statement", Fraction(worst.by), told)

    def _weight(self, one: _Break) -> tuple[bool, Rational]:
        return one.weight(self.tolerance)

    def _breaks(self, given: Primitive, env: Env) -> Iterator[_Break]:
        for inner in self.world.instances(given.over, env):
            yield from self._broken(given, inner)

    def _broken(self, given: Primitive, env: Env) -> Iterator[_Break]:
        world = self.world
        match given:
            case Row():
                yield from self._row(given, env)
            case Indicator(when=when, then=then):
                if world.truth(when, env):
                    yield from self._rows(then, env)
            case Disjunction(alternatives=alternatives):
                worst = [max(self._rows(rows, env), key=self._weight, default=None) for rows in alternatives]
                broken = [one for one in worst if one is not None]
                if broken and len(broken) == len(worst):
                    least = min(broken, key=self._weight)
                    yield replace(least, told=f"no alternative holds, and the nearest is this: {least.told}")
            case SemiContinuous(of=of, minimum=minimum, maximum=maximum):
                value, low = world.value(of, env), world.value(minimum, env)
                high = None if maximum is None else world.value(maximum, env)
                if value != 0 and (value < low or (high is not None and value > high)):
                    by = min(size(value - end) for end in (0, low, high) if end is not None)
                    limits = f"at least {shown(low)}" + ("" if high is None else f" and at most {shown(high)}")
                    yield _Break(by, max(1, size(value)), f"{of} is {shown(value)}, neither 0 nor {limits}")
            case Multiple(of=of, size=amount):
                value, lot = world.value(of, env), world.value(amount, env)
                rest = Fraction(value) % lot
                if rest:
                    told = f"{_short(str(of))} is {shown(value)}, no whole number of lots of {shown(lot)}"
                    yield _Break(exact(min(rest, lot - rest)), max(1, size(value)), told)
            case PiecewiseCost(of=of, points=points, before=before, after=after):
                value = world.value(of, env)
                low, high = world.value(points[0][0], env), world.value(points[-1][0], env)
                for slope, end, sign, word in ((before, low, -1, "below"), (after, high, 1, "above")):
                    if slope is None and sign * (value - end) > 0:
                        told = f"{_short(str(of))} is {shown(value)}, {word} {shown(end)}, where its costs end"
                        yield _Break(size(value - end), max(1, size(end)), told)

    def _rows(self, rows: Iterable[Row], env: Env) -> Iterator[_Break]:
        for row in rows:
            for inner in self.world.instances(row.over, env):
                yield from self._row(row, inner)

    def _row(self, row: Row, env: Env) -> Iterator[_Break]:
        left, right = self.world.value(row.left, env), self.world.value(row.right, env)
        over = exact(left - right)
        by = over if row.sense == "<=" else -over if row.sense == ">=" else size(over)
        if by < 0 or (by == 0 and not row.strict):
            return
        written = Relation(row.left, row.sense, row.right, row.strict)
        sense = row.sense[0] if row.strict else row.sense
        told = f"{_short(str(written))} is {shown(left)} {sense} {shown(right)} here"
        told += f", off by {shown(by)}" if by else ""
        closed = by == 0 and (self.ignore_strict or self._is_closed(row, env, over))
        yield _Break(by, max(1, size(left), size(right)), told, closed)

    def _is_closed(self, row: Row, env: Env, over: Rational) -> bool:
        """Whether a continuous quantity counts in a row: then its sides part when all of these are moved."""
        return self._moved.value(row.left, env) - self._moved.value(row.right, env) != over

    @cached_property
    def _moved(self) -> World:
        """The same point with every continuous variable moved off its value at random; none gets into use or out of it.

        Steps of many digits add up to 0 in a row by next to no chance.
        """
        rng, variables = random.Random(0), self.world.bound.problem.variables
        steps = {at: rng.randint(1, 10**15) for at in self.world.point if variables[at[0]].domain == "continuous"}
        moved = {at: value + (1 if value > 0 else -1) * steps.get(at, 0) for at, value in self.world.point.items()}
        return World(self.world.bound, moved)

    # -- the smallest amount that counts as used --

    def _minima(self) -> Iterator[Violation]:
        """A variable with a minimum, of which anything asks whether it is used, is 0 or at least its minimum.

        A range that a statement gives it (0, or at least 20) takes the place of its own minimum.
        """
        bound = self.world.bound
        variables = bound.problem.variables
        if all(variable.minimum is None for variable in variables.values()):
            return
        ranged: set[tuple[str, Key]] = set()
        asked: set[tuple[str, Key]] = set()
        for statement in (*bound.problem.constraints, bound.problem.objective):
            if statement is None:
                continue
            constraint = isinstance(statement, Constraint)
            lowered = statement.lower() if constraint else statement.goals()
            for env in self.world.instances(statement.forall if constraint else None, {}):
                for use, inner in _uses(self.world, lowered, env):
                    of = use.of
                    at = of.name, elements(bound, of.index, inner, of)
                    (asked if isinstance(use, Selected) else ranged).add(at)
        for name, key, env in _variables(bound):
            minimum, value = variables[name].minimum, self.world.point[name, key]
            if minimum is None or variables[name].domain == "binary" or (name, key) not in asked - ranged:
                continue
            least = self.world.value(minimum, env)
            by = min(value, least - value)
            if by > self.tolerance * max(1, size(least)):
                told = f"{show_key(name, key)} is {shown(value)}, neither 0 nor at least {shown(least)}, its minimum."
                yield Violation(name, key, "minimum", Fraction(by), told)


def _uses(world: World, part: Any, env: Env) -> Iterator[tuple[Selected | SemiContinuous, Env]]:
    """Every `selected(x)` and every range in primitives or goals, with the binding that it stands under."""
    if not _has_uses(part):
        return
    if isinstance(part, Selected):
        yield part, env
    elif isinstance(part, tuple):
        for inside in part:
            yield from _uses(world, inside, env)
    else:
        for inner in world.instances(getattr(part, "over", None), env):
            if isinstance(part, SemiContinuous):
                yield part, inner
            for field in fields(part):
                yield from _uses(world, getattr(part, field.name), inner)


def _has_uses(part: Any) -> bool:
    if isinstance(part, Selected | SemiContinuous):
        return True
    if isinstance(part, tuple):
        return any(map(_has_uses, part))
    # The conditions of a quantifier hold numbers and indices only.
    return (
        is_dataclass(part)
        and not isinstance(part, Quantifier)
        and any(_has_uses(getattr(part, field.name)) for field in fields(part))
    )


def _short(text: str) -> str:
    return shorten(text, _MOST_TEXT, placeholder=" ...")
