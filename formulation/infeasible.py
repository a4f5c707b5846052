"""Why a problem has no solution, and the least that has to change: in its statements, never in rows and columns.

A conflict (an irreducible infeasible subsystem) is found by a deletion filter. What is taken out is a statement, a
declared bound, or the demand for whole numbers; what is left is written out anew each time, so that big-Ms and bounds
that rested on it go with it. A decision that a statement's logic rests on stays a decision.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal

from data.errors import DataError, UserError
from formulation.algebra import statement_lines, write
from formulation.binding import BoundSet, Key
from formulation.build import to_highs
from formulation.elastic import Slack, elastic, limits, movable, moved
from formulation.engine import Settings, run
from formulation.expressions import At, Logical, Member, Ref, Relation, Selected, Sense, constant
from formulation.ground import Column, Ground, GroundGoal, Linear, Rows, ground
from formulation.kinds.base import Constraint
from formulation.linearize import Matrix
from formulation.meaning import World
from formulation.model import Model
from formulation.numbers import Rational, exact
from formulation.recover import size
from formulation.schema import Problem, Variable
from formulation.trial import best, relaxed, within

if TYPE_CHECKING:
    from formulation.solve import Solution

__all__ = ["IIS", "Fewest", "Least", "Move", "Part", "Relaxations", "iis", "relaxations"]

What = Literal["statement", "lower bound", "upper bound", "minimum", "whole numbers"]


_MOST_TRIED: Final = 100  # bindings that a ray names and that are tried one by one
_NOISE: Final = 1e-9  # of a ray's largest number
_OPEN: Final = "{} could not be settled in time: give it more, or bounds to what is without"


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a conflict.

    `id` is a statement's id or a variable's name, and empty for the demand for whole numbers. `bindings` are those that
    take part: elements for the symbols of the statement's `forall`, or a variable's keys; `((),)` where there are none.
    """

    what: What
    id: str
    text: str
    bindings: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class IIS:
    """Members that cannot all hold. Irreducible: without any one of them the rest can.

    Where `irreducible` is false, `reason` says why; the members are a conflict all the same, unless there are none.
    """

    members: tuple[Part, ...]
    irreducible: bool
    reason: str
    trials: int
    seconds: float

    @property
    def statements(self) -> tuple[str, ...]:
        """The ids of the statements among its members."""
        return tuple(member.id for member in self.members if member.what == "statement")


def iis(model: Model, *, time_limit: float | None = None) -> IIS:
    """A conflict within a model that has no solution, within so many seconds.

    Where there are several, the one with as few `hard` statements, then declared bounds, as a deletion filter finds
    when it takes these out first: blame falls on what can be given up. Raises UserError where the model has a solution.
    """
    start, settings = time.monotonic(), within(time_limit)
    trials, reason = 0, _OPEN.format("whether the problem has a solution")
    core: list[_Unit] = []
    # A verdict that turns out wrong without presolve makes all of them doubtful: the filter is run again without it.
    for presolve in (True, False):
        system = _System(model, settings, presolve)
        clash = system.clashes(system.units)
        if clash is False:
            raise UserError("the problem has a solution: only one without any has a conflict to show")
        core, reason = system.irreducible(system.hint(system.units) or system.units) if clash else ([], reason)
        trials += len(system.known)
        if not core or not presolve:
            break
        confirmed = _System(model, settings, presolve=False).clashes(core)
        trials += 1
        if confirmed is None:
            reason = reason or _OPEN.format("the conflict, tried once more without presolve,")
        if confirmed is not False:
            break
    members = system.told(core) if core else ()
    return IIS(members, bool(core) and not reason, reason, trials, time.monotonic() - start)


# ---- parts of a model ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unit:
    """What can be taken out: a member of a conflict, or one binding of it (`key` is None for all of them)."""

    what: What
    id: str
    key: Key | None = None


class _System:
    """A model of which parts are tried."""

    def __init__(self, model: Model, settings: Settings, presolve: bool = True) -> None:
        self.model, self.settings, self.presolve = model, settings, presolve
        self.bound, self.problem = model.bound, model.bound.problem
        self.known: dict[frozenset[_Unit], bool | None] = {}
        lowered = [statement.lower() for statement in self.problem.constraints]
        goals = self.problem.objective.goals() if self.problem.objective is not None else ()
        self.decisions = {name for name in _decided((lowered, goals)) if self._variable(name).domain == "binary"}
        self.whole = [
            name
            for name, variable in self.problem.variables.items()
            if variable.domain != "continuous" and name not in self.decisions and self.keys(_Unit("lower bound", name))
        ]
        self.units = self._units()

    def _variable(self, name: str) -> Variable:
        return self.problem.variables[name]

    def _units(self) -> list[_Unit]:
        """All that can be taken out; what should be left rather than taken comes first."""
        soft = [_Unit("statement", c.id) for c in self.problem.constraints if not c.hard]
        hard = [_Unit("statement", c.id) for c in self.problem.constraints if c.hard]
        bounds = []
        for name, variable in self.problem.variables.items():
            ends: tuple[tuple[What, Any], ...] = (
                ("lower bound", variable.lower),
                ("upper bound", variable.upper),
                ("minimum", variable.minimum),
            )
            bounds += [_Unit(what, name) for what, end in ends if end is not None and variable.domain != "binary"]
        whole = [_Unit("whole numbers", "")] if self.whole else []
        return [unit for unit in (*soft, *bounds, *hard) if self.keys(unit)] + whole

    def keys(self, unit: _Unit) -> list[Key]:
        """The bindings of a unit."""
        if unit.what == "statement":
            statement = self.problem.constraint(unit.id)
            every = World(self.bound, {}).instances(statement.forall, {})
            return [tuple(binding.element for binding in env.values()) for env in every]
        return list(self.model.ground.column[unit.id]) if unit.id else [()]

    @cached_property
    def background(self) -> list[_Unit]:
        """What is never given up when a problem is relaxed: hard statements, declared bounds, whole numbers."""
        return [u for u in self.units if u.what != "statement" or self.problem.constraint(u.id).hard]

    # -- trials --

    def clashes(self, units: Sequence[_Unit]) -> bool | None:
        """Whether units cannot all hold; None where the time limit leaves it open."""
        among = frozenset(units)
        if among not in self.known:
            if self.settings.left() == 0:
                return None
            found = best(self.ground(among), settings=self.settings, presolve=self.presolve)
            self.known[among] = {"none": True, "found": False, "undecided": None}[found.verdict]
        return self.known[among]

    def conflict(self, background: Sequence[_Unit], units: Sequence[_Unit]) -> list[_Unit]:
        """Units that clash beside a background, of those that do; none can be missed, as far as trials were decided.

        The deletion filter by halves: QuickXplain (Junker, AAAI 2004). The last units are taken out first.
        """

        def filtered(kept: list[_Unit], grown: bool, among: Sequence[_Unit]) -> list[_Unit]:
            if grown and self.clashes(kept):
                return []
            if len(among) <= 1:
                return list(among)
            half = len(among) // 2
            late = filtered([*kept, *among[:half]], True, among[half:])
            return filtered([*kept, *late], bool(late), among[:half]) + late

        return filtered(list(background), bool(background), units)

    def irreducible(self, units: Sequence[_Unit]) -> tuple[list[_Unit], str]:
        """Members of a conflict among units that clash, and why it may hold more than it must ("": it does not)."""
        core = self.conflict([], list({replace(unit, key=None): None for unit in units}))
        unsure = False
        for unit in reversed(core):
            rest = [other for other in core if other != unit]
            clash = self.clashes(rest)
            core = rest if clash else core
            unsure |= clash is None
        return core, _OPEN.format("a trial") if unsure else ""

    def hint(self, units: Sequence[_Unit]) -> list[_Unit] | None:
        """Units that clash already without whole numbers and logic, by a Farkas ray; None where HiGHS shows none."""
        matrix = relaxed(self.ground(frozenset(units)))
        found = _ray(matrix, self.settings)
        if found is None:
            return None
        rows, sides = found
        named: dict[_Unit, None] = {}
        for number in rows:
            row = matrix.rows[number]
            if row.statement and row.statement != "objective":
                forall = self.problem.constraint(row.statement).forall
                width = len(dict.fromkeys(forall.symbols)) if forall is not None else 0
                named[_Unit("statement", row.statement, None if row.derived else row.key[:width])] = None
        # What else the rows in question rest on.
        named.update({_Unit("statement", name): None for big in matrix.big_ms for name in big.rests_on})
        for number, what in sides.items():
            column = matrix.columns[number]
            if column.role == "variable":
                named[_Unit(what, column.name, column.key)] = None
        chosen = [
            unit
            for unit in (part for whole in units for part in _within(whole, named))
            if unit.key is not None or unit in units
        ]
        hard = any(unit in self.background and unit.what == "statement" for unit in map(_member, chosen))
        spared = {unit for unit in units if unit.what == "statement"} - {_member(unit) for unit in chosen}
        if hard and any(unit not in self.background for unit in spared):
            return None  # another conflict may blame less what is hard
        return chosen if self.clashes(chosen) else None

    def told(self, core: Sequence[_Unit]) -> tuple[Part, ...]:
        """The members, each with the bindings that take part, as far as the time limit lets them be told apart.

        Where a ray names very many it is taken at its word: one from a basis names few that could be missed, and to
        try them all would take as many solves.
        """
        hinted = self.hint(core)
        narrow = hinted or []
        if hinted is None:
            for unit in core:
                keys = self.keys(unit)
                narrow += [replace(unit, key=key) for key in keys] if len(keys) > 1 else [unit]
        if hinted is None or len(hinted) <= _MOST_TRIED:
            narrow = self.conflict([], narrow)
        found = []
        for member in core:
            keys = [unit.key for unit in narrow if _member(unit) == member and unit.key is not None]
            found.append(Part(member.what, member.id, self.text(member), tuple(keys) or tuple(self.keys(member))))
        return tuple(found)

    def text(self, unit: _Unit) -> str:
        """A member in the problem's words."""
        if unit.what == "statement":
            return _said(self.problem, self.problem.constraint(unit.id))
        if unit.what == "whole numbers":
            return f"only whole numbers of {', '.join(self.whole)}"
        variable = self._variable(unit.id)
        symbols = dict.fromkeys(variable.over.symbols) if variable.over is not None else ()
        shown = Ref(unit.id, tuple(map(At, symbols)))
        over = f" for {write(variable.over)}" if variable.over is not None else ""
        if unit.what == "minimum":
            assert variable.minimum is not None
            return f"{shown} counts as used from {write(variable.minimum)} on{over}"
        sense: Sense = ">=" if unit.what == "lower bound" else "<="
        end = variable.lower if unit.what == "lower bound" else variable.upper
        assert end is not None
        return f"{write(Relation(shown, sense, end))}{over}"

    # -- writing parts out --

    def ground(self, units: frozenset[_Unit]) -> Ground:
        """The model with nothing but these units, and nothing to optimise."""
        kept: dict[tuple[What, str], set[Key] | None] = {}
        for unit in units:
            among = kept.setdefault((unit.what, unit.id), set() if unit.key is not None else None)
            if unit.key is None or among is None:
                kept[unit.what, unit.id] = None
            else:
                among.add(unit.key)
        whole = ("whole numbers", "") in kept
        sets = dict(self.bound.sets)
        statements = []
        for statement in self.problem.constraints:
            if ("statement", statement.id) in kept:
                keys = kept["statement", statement.id]
                statements.append(statement if keys is None else _only(statement, keys, sets))
        variables = {name: self._tried(name, variable, whole) for name, variable in self.problem.variables.items()}
        problem = self.problem.model_copy(update={"constraints": tuple(statements), "variables": variables})
        bound = replace(self.bound, problem=problem, sets=sets)
        found = ground(bound, ignore_strict=self.model.ignore_strict)
        found.goals = []

        def stays(what: What, column: Column) -> bool:
            keys = kept.get((what, column.name), set())
            return keys is None or column.key in keys

        for number, column in enumerate(found.columns):
            if column.role == "variable" and self._variable(column.name).domain != "binary":
                lower = column.lower if stays("lower bound", column) else None
                upper = column.upper if stays("upper bound", column) else None
                found.columns[number] = replace(column, lower=lower, upper=upper)
        for number, given in found.ranges.items():
            column = found.columns[number]
            declared = self._variable(column.name)
            if not given.statement and not (
                declared.domain == "integer" if declared.minimum is None else stays("minimum", column)
            ):
                found.ranges[number] = replace(given, minimum=0)
        return found

    def _tried(self, name: str, variable: Variable, whole: bool) -> Variable:
        """A variable as it is written out while parts of the model are missing."""
        changed: dict[str, Any] = {}
        if name in self.whole and not whole:
            changed["domain"] = "continuous"
            if variable.domain == "binary":
                changed.update(lower=constant(0), upper=constant(1))
        if variable.minimum is None and variable.domain != "binary":
            # `selected(x)` may lack the statement that says how much counts as used. Any amount does, once the range
            # that this one brings is taken out again.
            changed["minimum"] = constant(1)
        return variable.model_copy(update=changed)


def _ray(matrix: Matrix, settings: Settings) -> tuple[list[int], dict[int, What]] | None:
    """Rows and bounds of columns that contradict one another when summed up, by a dual ray (Farkas' lemma).

    It takes one solve, where HiGHS' own search for an irreducible system takes as many as there are rows.
    """
    highs = to_highs(matrix)
    highs.setOptionValue("presolve", "off")  # presolve alone leaves no ray
    if run(highs, settings):
        return None
    _, known, values = highs.getDualRay()
    if not known:
        return None
    most = max(map(abs, values), default=0.0)
    for sign in (1, -1):  # the one of the two directions in which the rows' limits exceed what the columns allow
        weights = {i: sign * y / most for i, y in enumerate(values) if abs(y) > _NOISE * most}
        sums: dict[int, float] = {}
        excess = 0.0
        for i, y in weights.items():
            row = matrix.rows[i]
            limit = row.lower if y > 0 else row.upper
            excess += -inf if limit is None else y * float(limit)
            for j, a in zip(row.columns, row.coefficients, strict=True):
                sums[j] = sums.get(j, 0.0) + y * float(a)
        used = {j: z for j, z in sums.items() if abs(z) > _NOISE}
        for j, z in used.items():
            end = matrix.columns[j].upper if z > 0 else matrix.columns[j].lower
            excess -= inf if end is None else z * float(end)
        if excess > 0:
            return list(weights), {j: "upper bound" if z > 0 else "lower bound" for j, z in used.items()}
    return None


def _only(statement: Constraint, keys: set[Key], sets: dict[str, BoundSet]) -> Constraint:
    """A statement for some of its bindings alone, which become a set."""
    if statement.forall is None:
        return statement
    name = f"bindings of {statement.id}"
    position = {key: i for i, key in enumerate(sorted(keys, key=repr))}
    sets[name] = BoundSet(name, tuple(position), False, len(next(iter(keys))), position)
    index = tuple(map(At, dict.fromkeys(statement.forall.symbols)))
    return statement.model_copy(update={"forall": statement.forall.where(Member(index, name))})


def _member(unit: _Unit) -> _Unit:
    return replace(unit, key=None)


def _within(unit: _Unit, named: dict[_Unit, None]) -> list[_Unit]:
    """What is named of a unit: all of it, or some of its bindings; of a minimum always all."""
    if unit.what == "minimum" or _member(unit) in named:
        return [unit]
    if unit.key is not None:
        return [unit] if unit in named else []
    return [other for other in named if _member(other) == unit]


def _decided(given: Any) -> Iterator[str]:
    """The names of variables that primitives take as decisions."""
    if isinstance(given, Logical | Selected):
        of = given.of
        yield of.of.name if isinstance(of, Selected) else of.name
    elif is_dataclass(given):
        for field in fields(given):
            yield from _decided(getattr(given, field.name))
    elif isinstance(given, tuple | list):
        for part in given:
            yield from _decided(part)


def _said(problem: Problem, statement: Constraint) -> str:
    """A statement in its own words: its label, its sentence, or what it says as algebra."""
    source = statement.sources.get("")
    if statement.label or (source is not None and source.text):
        return statement.label or str(source.text if source is not None else "")
    if source is not None and source.span is not None and problem.text is not None:
        return problem.text[slice(*source.span)]
    return "; ".join(statement_lines(statement, problem))


# ---- relaxing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """The limit of a statement, for one binding of its symbols: it must become `limit + by`.

    The limit is the number that remains right of the relation once all variables stand left of it.
    """

    statement: str
    key: Key
    limit: Rational
    by: Rational


@dataclass(frozen=True, slots=True)
class Least:
    """Limits moved so that a solution exists, with the least total move.

    A move counts in shares of its row's size: of the limit or of the row's largest coefficient, whichever is larger.
    `total` is their sum, the least possible where `proved`. `solution` is that of `model`, in which the limits are
    moved; None where that model could not be solved at all.
    """

    moves: tuple[Move, ...]
    total: Rational
    proved: bool
    model: Model
    solution: Solution | None


@dataclass(frozen=True, slots=True)
class Fewest:
    """The fewest statements to give up so that a solution exists; there is no way with fewer. `model` is without them.

    `solution` is that of `model`; None where that model could not be solved at all.
    """

    statements: tuple[str, ...]
    model: Model
    solution: Solution | None


@dataclass(frozen=True, slots=True)
class Relaxations:
    """Two ways out. Where one is missing, `reasons` says why."""

    least: Least | None
    fewest: Fewest | None
    reasons: tuple[str, ...]


def relaxations(model: Model, *, time_limit: float | None = None) -> Relaxations:
    """The least that has to change in a model without a solution, within so many seconds.

    `hard` statements, declared bounds and whole numbers stay as they are. Raises UserError where there is a solution.
    """
    system = _System(model, within(time_limit))
    clash = system.clashes(system.units)
    if clash is False:
        raise UserError("the problem has a solution: nothing has to be relaxed")
    if clash is None:
        return Relaxations(None, None, (_OPEN.format("whether the problem has a solution"),))
    ways = [_least(system), _fewest(system)]
    least, fewest = (None if isinstance(way, str) else way for way in ways)
    reasons = tuple(dict.fromkeys(way for way in ways if isinstance(way, str)))
    return Relaxations(least, fewest, reasons)  # type: ignore[arg-type]


def _least(system: _System) -> Least | str:
    """Solve for the least moves, or say why there are none."""
    model = system.model
    closed = {statement for statement, _ in model.ground.notes}
    ids = [c.id for c in model.problem.constraints if not c.hard and movable(c)]
    whole = [name for name in ids if not model.ignore_strict and name not in closed and _strict(model, name)]
    problem, slacks = elastic(model.problem, ids, whole)
    written = ground(replace(model.bound, problem=problem), ignore_strict=model.ignore_strict)
    places = {
        number: (slack, key) for slack in slacks for key, number in written.column.get(slack.variable, {}).items()
    }
    rows = _moving(written, places)
    weights = {number: exact(Fraction(1) / most) for number, (_, most) in rows.items()}
    written.goals = [GroundGoal("minimize", (Linear(tuple(weights), tuple(weights.values())),))]
    found = best(written, settings=system.settings)
    if found.verdict == "none":
        return "no limits can be moved so that a solution exists: the rest of the problem contradicts itself"
    if not found.point:
        return _OPEN.format("the least moves")
    by: dict[tuple[str, int], dict[Key, Rational]] = {}
    moves: dict[tuple[str, int, Key], Move] = {}
    total: Rational = 0
    for number, (limit, most) in rows.items():
        slack, key = places[number]
        amount = found.point[number]
        if amount <= 0:
            continue
        place = (slack.statement, slack.row, key)
        total += exact(Fraction(amount) / most)
        so_far = moves[place].by if place in moves else 0
        moves[place] = Move(slack.statement, key, limit, so_far + slack.sign * amount)
        by.setdefault((slack.statement, slack.row), {})[key] = moves[place].by
    relaxed_model = replace(model, problem=moved(model.problem, by))
    solution = _solved(relaxed_model, system.settings)
    return Least(tuple(moves.values()), exact(total), found.verdict == "found", relaxed_model, solution)


def _strict(model: Model, name: str) -> bool:
    return any(row.strict for row in limits(model.problem.constraint(name)))


def _moving(written: Ground, places: dict[int, tuple[Slack, Key]]) -> dict[int, tuple[Rational, Rational]]:
    """For each column that moves a limit, the limit and the size of its row."""
    inner = (row for choice in written.choices for rows in choice.alternatives for row in rows)
    found: dict[int, tuple[Rational, Rational]] = {}
    for row in (*written.rows, *(when.row for when in written.whens), *inner):
        moving = [i for i in row.columns if i in places]
        if not moving:
            continue
        limit = row.upper if row.upper is not None else row.lower
        assert limit is not None
        others = [size(a) for i, a in zip(row.columns, row.coefficients, strict=True) if i not in places]
        found.update(dict.fromkeys(moving, (limit, max([size(limit), *others]) or 1)))
    return found


def _fewest(system: _System) -> Fewest | str:
    """Every conflict loses a statement: the smallest set that hits all conflicts found, until nothing is left to hit.

    Implicit hitting sets (Moreno-Centeno and Karp, Operations Research 2013).
    """
    kept = system.background
    soft = [unit for unit in system.units if unit not in kept]
    conflicts: list[list[_Unit]] = []
    while True:
        given_up = _hitting(system, soft, conflicts)
        if given_up is None:
            return _OPEN.format("the fewest statements")
        rest = [unit for unit in soft if unit not in given_up]
        clash = system.clashes([*kept, *rest])
        if clash is None:
            return _OPEN.format("the fewest statements")
        if not clash:
            break
        conflicts.append(system.conflict(kept, rest))
        if not conflicts[-1]:
            return "no statements can be given up so that a solution exists: hard ones and declared bounds clash"
    ids = tuple(unit.id for unit in given_up)
    model = system.model.relax(*ids)
    return Fewest(ids, model, _solved(model, system.settings))


def _hitting(system: _System, soft: list[_Unit], conflicts: list[list[_Unit]]) -> list[_Unit] | None:
    """The fewest units of which every conflict holds one."""
    place = {unit: number for number, unit in enumerate(soft)}
    columns = [Column(unit.id, (), "binary", 0, 1) for unit in soft]
    rows = [Rows(tuple(place[u] for u in found), (1,) * len(found), 1, None, "") for found in conflicts]
    goal = GroundGoal("minimize", (Linear(tuple(range(len(soft))), (1,) * len(soft)),))
    found = best(Ground(system.bound, columns=columns, rows=rows, goals=[goal]), settings=system.settings)
    if found.verdict != "found":
        return None
    return [unit for unit, value in zip(soft, found.point, strict=True) if value > 0.5]


def _solved(model: Model, settings: Settings) -> Solution | None:
    from formulation.solve import solve

    left = settings.left()
    if left == 0:
        return None
    try:
        return solve(model, time_limit=left)
    except DataError:  # without what was given up, a big-M may lack a bound
        return None
