"""A model as a stand-alone Pyomo script: data inline, statements as people write them, solved with HiGHS.

Sets, parameters and linear statements stay as they were declared. Logic and costs become rows, with the constants that
were derived for this data (big-M, pieces of a cost), so that the script says the same as the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from data.errors import UserError
from formulation.binding import Key
from formulation.expressions import Logical, Num, Quantifier, Sense, constant
from formulation.ground import Cost, Ground, Linear, Rows, ground
from formulation.kinds.base import Constraint
from formulation.linearize import Interval, intervals
from formulation.lines import one_line
from formulation.model import Model
from formulation.notation import constant_slope, scaled_by
from formulation.numbers import Rational, exact
from formulation.primitives import Disjunction, Goal, Indicator, Multiple, PiecewiseCost, Primitive, Row, SemiContinuous
from formulation.python_text import Every, Names, PythonText, listed, literal, table
from formulation.words import Words

__all__ = ["pyomo_script"]

_SHORT: Final = 100
_Switch = Callable[[Every], str]


def pyomo_script(model: Model) -> str:
    """The text of a Python script that builds the model with Pyomo, solves it with HiGHS and prints the result.

    It needs nothing but pyomo and highspy. Raises DataError and UserError as `Model.matrix` does.
    """
    return _Script(model).text()


_HEAD: Final = '''"""{title}

A Pyomo model that stands alone; it needs pyomo and highspy. Run it with python.
"""

import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
'''

_HELPERS: Final = {
    "moved": '''
def moved(members, element, by):
    """The element so many places further in an ordered set; None beyond its ends."""
    place = members.index(element) + by
    return members[place] if 0 <= place < len(members) else None
''',
    "row": '''
def row(m, relation):
    """A relation as Pyomo takes it: one that no variable is left in is true or false already."""
    if relation is True:
        return pyo.Constraint.Feasible
    return m.nothing >= 1 if relation is False else relation
''',
}

_TAIL: Final = '''

def solve(m):
    """Reach one goal after the other; whether there is a best point."""
    goals = list(m.component_data_objects(pyo.Objective))
    for place, goal in enumerate(goals, start=1):
        goal.activate()
        results = SolverFactory("highs").solve(
            m, rel_gap=0, abs_gap=0, load_solutions=False, raise_exception_on_nonoptimal_result=False
        )
        if results.termination_condition.name != "convergenceCriteriaSatisfied":
            print(f"{goal.name}: {results.termination_condition.name}")
            return False
        results.solution_loader.load_vars()
        goal.deactivate()
        best = pyo.value(goal)
        print(f"{goal.name} ({goal.sense.name}): {best:.10g}")
        if place < len(goals):
            kept = goal.expr >= best if goal.sense == pyo.maximize else goal.expr <= best
            m.add_component(f"kept_{place}", pyo.Constraint(expr=kept))
    return True


if __name__ == "__main__":
    model = build()
    if solve(model):
        for variable in model.component_data_objects(pyo.Var):
            if variable.value:
                print(f"{variable.name} = {variable.value:.10g}")
'''


class _Script:
    """Writes one script: `data` are its lines before the function `build`, `body` those inside."""

    def __init__(self, model: Model) -> None:
        self.problem, self.bound = model.problem, model.bound
        self.ground, self.matrix = model.ground, model.matrix
        self.names = Names({"pyo", "SolverFactory", "m", "model", "build", "solve", "key", *_HELPERS})
        self.components = Names({*dir(_empty_model()), "nothing"})
        self.python = PythonText(model.bound, self.names, self.components)
        self.words = Words(model.problem)
        self.data: list[str] = []
        self.body: list[str] = []
        self.costs: list[tuple[str, str]] = []
        self.told = ""
        self.piece = self.names("k")
        self.bounds: list[Interval] = []
        self.gaps = _gaps(model)
        self.bigs = _bigs(model)
        self.big_names: dict[str, str] = {}
        self.constant_rows = {row.statement for row in _rows(self.ground) if not row.columns}
        self.constant_rows |= {lots.statement for lots in self.ground.lots if not lots.of.columns}

    def text(self) -> str:
        """The whole."""
        self._variables()
        self._used()
        for statement in self.problem.constraints:
            self._statement(statement)
        self._objectives()
        title = one_line(self.problem.name or "A model").replace("\\", "/").replace('"', "'").rstrip(".")
        helpers = [_HELPERS[name].strip("\n") for name in sorted(self.python.helpers)]
        nothing = ["    m.nothing = pyo.Var(bounds=(0, 0))"] if "row" in self.python.helpers else []
        head = ["def build():", '    """The model."""', "    m = pyo.ConcreteModel()"]
        build = [*head, *nothing, *self.body, "    return m"]
        data = "\n".join([*self._declared(), *self.data])
        parts = [*([data] if data else []), *(f"\n{helper}" for helper in helpers), "\n" + "\n".join(build)]
        return "\n".join([_HEAD.format(title=f"{title}."), *(f"{part}\n" for part in parts)]) + _TAIL

    def _declared(self) -> Iterator[str]:
        """Sets and parameters."""
        for name, members in self.bound.sets.items():
            yield from _comment(self.problem.sets[name].label)
            items = [literal(item[0] if len(item) == 1 else item) for item in members.items]
            yield from listed(self.python.name_of[name], "[", items, "]")
            if name in self.python.members:
                yield f"{self.python.members_of(name)} = set({self.python.name_of[name]})"
        for name, parameter in self.problem.parameters.items():
            yield from _comment(parameter.label, parameter.unit)
            scalar: dict[Key, Rational] = {} if parameter.index else {(): self.bound.parameter(name, ())}
            yield from table(self.python.name_of[name], scalar or self.bound.parameters[name])

    def _add(self, name: str, component: str) -> str:
        """A part of the model; what it is called."""
        found = f"m.{self.components(name)}"
        self.body.append(f"    {found} = {component}")
        return found

    def _table(self, name: str, values: Mapping[Key, Any], every: Every) -> str:
        """Data that was derived: how it reads for a binding. One value for all of them stands for itself."""
        if len(set(values.values())) == 1 and not isinstance(next(iter(values.values())), tuple):
            return literal(next(iter(values.values())))
        found, at = self.names(name), every.at
        if len(set(values.values())) == 1:
            values, at = {(): next(iter(values.values()))}, ""
        self.data += table(found, values)
        return found + at

    # -- variables --

    def _variables(self) -> None:
        domains = {"continuous": "Reals", "integer": "Integers", "binary": "Binary"}
        for name, variable in self.problem.variables.items():
            every = self.python.every(variable.over)
            arguments = [f"domain=pyo.{domains[variable.domain]}"]
            ends = (variable.lower, variable.upper)
            if variable.domain != "binary" and ends != (None, None):
                shown = ", ".join("None" if end is None else self.python.expr(end, every.scope) for end in ends)
                plain = not every.index or all(end is None or isinstance(end, Num) for end in ends)
                arguments.append(f"bounds={'' if plain else f'lambda m, {every.scope.symbols}: '}({shown})")
            self.body += [f"    {line}" for line in _comment(variable.label, variable.unit)]
            self.body.append(f"    {self.python.variable_of[name]} = {every.component('Var', *arguments)}")

    def _used(self) -> None:
        """A binary for every variable that is none or enough, and what links the two."""
        most = {big.column: big.value for big in self.matrix.big_ms[: len(self.ground.ranges)]}
        limits: dict[str, dict[Key, tuple[Rational, Rational]]] = {}
        for number, found in self.ground.ranges.items():
            column = self.ground.columns[number]
            limits.setdefault(column.name, {})[column.key] = (found.minimum, most[found.selected])
        for name, by_key in limits.items():
            self.body.append(f"    # whether {name} is used")
            every = self.python.every(self.problem.variables[name].over)
            if by_key.keys() != self.ground.column[name].keys():
                keys = self.names(f"{name}_keys")
                self.data += listed(keys, "[", [literal(key[0] if len(key) == 1 else key) for key in by_key], "]")
                every = Every(every.scope, keys)
            low = self._table(f"{name}_least", {key: least for key, (least, _) in by_key.items()}, every)
            high = self._table(f"{name}_most", {key: top for key, (_, top) in by_key.items()}, every)
            self.python.used_of[name] = self._add(f"{name}_used", every.component("Var", "domain=pyo.Binary"))
            used, of = self.python.used_of[name] + every.at, self.python.variable_of[name] + every.at
            self._add(f"{name}_at_least", every.rule(of, ">=", f"{low}*{used}"))
            self._add(f"{name}_at_most", every.rule(of, "<=", f"{high}*{used}"))

    # -- statements --

    def _statement(self, statement: Constraint) -> None:
        source = statement.sources.get("")
        told = statement.label or (source.text if source is not None else None)
        self.told = one_line(told or "; ".join(self.words.statement(statement)))
        start = len(self.body)
        primitives = [found for found in statement.lower() if not isinstance(found, SemiContinuous)]
        for number, primitive in enumerate(primitives, start=1):
            self._primitive(_numbered(statement.id, number, primitives), statement, primitive)
        if len(self.body) > start:
            self.body.insert(start, f"    # {self.told}")

    def _primitive(self, name: str, statement: Constraint, given: Primitive) -> None:
        every = self.python.every(statement.forall, given.over)
        match given:
            case Row():
                self._relation(name, statement, every, *self._sides(given, statement, every))
            case Indicator(when=when, then=then):
                for number, row in enumerate(then, start=1):
                    self._switched(_numbered(name, number, then), statement, row, given.over, self._off(when))
            case Disjunction():
                self._disjunction(name, statement, given, every)
            case Multiple(of=of, size=size):
                lots = self._add(f"{name}_lots", every.component("Var", "domain=pyo.Integers"))
                amount = f"{self.python.factor(size, every.scope)}*{lots}{every.at}"
                self._relation(name, statement, every, self.python.expr(of, every.scope), "==", amount)
            case PiecewiseCost():
                self._cost(name, statement, given, every)

    def _relation(self, name: str, statement: Constraint, every: Every, left: str, sense: str, right: str) -> None:
        """A constraint for every binding."""
        wrapped = ""
        if statement.id in self.constant_rows:
            self.python.helpers.add("row")
            wrapped = "row"
        self._add(name, every.rule(left, sense, right, wrapped))

    def _sides(
        self, row: Row, statement: Constraint, every: Every, sense: Sense | None = None, slack: str = ""
    ) -> tuple[str, str, str]:
        """A row as Python text: its left side, its sense, and its right side with `slack` added."""
        sense = sense or row.sense
        right = self.python.expr(row.right, every.scope)
        gap = self._gap(statement, every) if row.strict else ""
        right += f" {'-' if sense == '<=' else '+'} {gap}" if gap else ""
        right += f" {'+' if sense == '<=' else '-'} {slack}" if slack else ""
        return self.python.expr(row.left, every.scope), sense, right

    def _off(self, when: Logical) -> _Switch:
        """What is 1 where a decision switches a row off, and 0 where it switches it on."""

        def off(every: Every) -> str:
            of = self.python.factor(when.of, every.scope)
            return of if when.negated else f"(1 - {of})"

        return off

    def _switched(self, name: str, statement: Constraint, row: Row, over: Quantifier | None, off: _Switch) -> None:
        """A row that holds where it is switched on."""
        every = self.python.every(statement.forall, over, row.over)
        senses: tuple[Sense, ...] = ("<=", ">=") if row.sense == "==" else (row.sense,)
        big = self._big(statement, every)
        for sense in senses:
            ending = "" if len(senses) == 1 else "_at_most" if sense == "<=" else "_at_least"
            slack = f"{big}*{off(every)}" if big else ""
            self._relation(name + ending, statement, every, *self._sides(row, statement, every, sense, slack))

    def _big(self, statement: Constraint, every: Every) -> str:
        """The number that switches a statement's rows off; nothing where they need none."""
        values = self.bigs.get(statement.id, {})
        if len(set(values.values())) <= 1:
            return literal(next(iter(values.values()))) if values else ""
        if statement.id not in self.big_names:
            self.big_names[statement.id] = self.names(f"M_{statement.id}")
            self.data += table(self.big_names[statement.id], values)
        return f"{self.big_names[statement.id]}.get({every.scope.key}, 0)"

    def _gap(self, statement: Constraint, every: Every) -> str:
        """How far a strict row over whole numbers must stay from its limit; nothing for one that is only closed."""
        gaps = self.gaps.get(statement.id, {})
        if not any(gaps.values()):
            return ""
        return self._table(f"{statement.id}_gap", gaps, every)

    def _disjunction(self, name: str, statement: Constraint, given: Disjunction, every: Every) -> None:
        """A binary for each alternative, of which at least one is 1."""
        places = f"range({len(given.alternatives)})"
        head = f"{every.scope.symbols}, " if every.index else ""
        index = f"{every.index}, {places}" if every.index else places
        choice = self._add(f"{name}_choice", f"pyo.Var({index}, domain=pyo.Binary)")
        some = f"sum({choice}[{head}{self.piece}] for {self.piece} in {places})"
        self._add(f"{name}_some", every.rule(some, ">=", "1"))
        for place, rows in enumerate(given.alternatives):
            title = _numbered(name, place + 1, given.alternatives)
            for number, row in enumerate(rows, start=1):
                off = partial(_always, f"(1 - {choice}[{head}{place}])")
                self._switched(_numbered(title, number, rows), statement, row, given.over, off)

    # -- costs --

    def _cost(self, name: str, statement: Constraint, given: PiecewiseCost, every: Every) -> None:
        slope = constant_slope(given)
        if slope is not None:
            self._charge(every.total(self.python.expr(scaled_by(slope, given.of), every.scope)))
            return
        costs = {cost.key: cost for cost in self.ground.costs if cost.statement == statement.id}
        cost = self._add(f"{name}_cost", every.component("Var")) + every.at
        self._charge(every.total(cost))
        pieces = {key: tuple(_pieces(found)) for key, found in costs.items()}
        if all(a.slope <= b.slope for found in pieces.values() for a, b in pairwise(found)):
            of = self.python.expr(given.of, every.scope)
            for word, sense, place, open_ in (("from", ">=", 0, given.before), ("to", "<=", -1, given.after)):
                if open_ is None:
                    ends = {key: found.points[place][0] for key, found in costs.items()}
                    self._relation(
                        f"{name}_{word}", statement, every, of, sense, self._table(f"{name}_{word}", ends, every)
                    )
            self._convex(name, pieces, every, self.python.factor(given.of, every.scope), cost)
        else:
            bounded = {key: tuple(self._bounded(costs[key], pieces[key])) for key in costs}
            self._chosen(name, bounded, every, self.python.expr(given.of, every.scope), cost)

    def _charge(self, term: str) -> None:
        self.costs.append((term, self.told))

    def _convex(self, name: str, pieces: Mapping[Key, Sequence[_Piece]], every: Every, of: str, cost: str) -> None:
        """A cost that is at least each of its lines: (slope, what it is at 0)."""
        data = {key: tuple((x.slope, x.at_zero) for x in found) for key, found in pieces.items()}
        lines = self._table(f"{name}_lines", data, every)
        slope, at_zero = (f"{lines}[{self.piece}][{i}]" for i in (0, 1))
        self._add(f"{name}_line", self._each_piece(every, lines).rule(cost, ">=", f"{slope}*{of} + {at_zero}"))

    def _chosen(self, name: str, pieces: Mapping[Key, Sequence[_Piece]], every: Every, of: str, cost: str) -> None:
        """A cost of which one piece is chosen, that holds all of the amount: (from, to, slope, what it is at 0)."""
        data = {key: tuple((x.start, x.end, x.slope, x.at_zero) for x in found) for key, found in pieces.items()}
        lines = self._table(f"{name}_pieces", data, every)
        each = self._each_piece(every, lines)
        chosen = self._add(f"{name}_chosen", each.component("Var", "domain=pyo.Binary")) + each.at
        amount = self._add(f"{name}_amount", each.component("Var")) + each.at
        start, end, slope, at_zero = (f"{lines}[{self.piece}][{i}]" for i in range(4))
        loop = f"for {self.piece} in range(len({lines}))"
        self._add(f"{name}_at_least", each.rule(amount, ">=", f"{start}*{chosen}"))
        self._add(f"{name}_at_most", each.rule(amount, "<=", f"{end}*{chosen}"))
        self._add(f"{name}_one", every.rule(f"sum({chosen} {loop})", "==", "1"))
        self._add(f"{name}_all", every.rule(f"sum({amount} {loop})", "==", of))
        self._add(f"{name}_is", every.rule(cost, "==", f"sum({slope}*{amount} + {at_zero}*{chosen} {loop})"))

    def _each_piece(self, every: Every, lines: str) -> Every:
        """Every piece of every binding."""
        scope = every.scope.copy()
        scope.names["a piece"] = self.piece
        pieces = f"range(len({lines}))"
        return Every(scope, f"[{scope.key} {every.loops} for {self.piece} in {pieces}]" if every.index else pieces)

    def _bounded(self, cost: Cost, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Pieces with both ends, as far as the amount can go."""
        if not self.bounds:
            self.bounds = intervals(self.ground.columns, self.ground.rows)
        low, high = _activity(cost.of, self.bounds)
        found = []
        for piece in pieces:
            start, end = (low if piece.start is None else piece.start), (high if piece.end is None else piece.end)
            if start is None or end is None:
                raise UserError(f"{cost.statement}: needs finite bounds of its variables to be written as a script")
            if start <= end:
                found.append(_Piece(start, end, piece.slope, piece.at_zero))
        return found

    # -- objectives --

    def _objectives(self) -> None:
        """One objective for each priority; all but the first are inactive."""
        objective = self.problem.objective
        levels: dict[int, list[Goal]] = {}
        for goal in objective.goals() if objective is not None else ():
            levels.setdefault(goal.priority, []).append(goal)
        if not levels:
            levels[0] = []
        for number, priority in enumerate(sorted(levels), start=1):
            goals = levels[priority]
            sense = goals[0].sense if goals else "minimize"
            terms = [(self._goal(goal), "", goal.sense == sense) for goal in goals]
            terms += [(term, told, sense == "minimize") for term, told in self.costs] if number == 1 else []
            name = _numbered("objective", number, levels)
            found = self._add(name, _objective(terms, sense))
            if number > 1:
                self.body.append(f"    {found}.deactivate()")

    def _goal(self, goal: Goal) -> str:
        """A goal times its weight."""
        every = self.python.every(goal.over)
        if goal.worst:
            told = self._add("worst", "pyo.Var()")
            sense = ">=" if goal.sense == "minimize" else "<="
            for number, of in enumerate(goal.of, start=1):
                name = _numbered("worst_of", number, goal.of)
                self._add(name, every.rule(told, sense, self.python.expr(of, every.scope)))
        else:
            told = self.python.factor(goal.of[0], every.scope)
        weighted = goal.weight is not None and goal.weight != constant(1)
        return f"{self.python.factor(goal.weight, every.scope)}*{told}" if weighted and goal.weight else told


def _always(told: str, _: Every) -> str:
    return told


# ---- what was derived ------------------------------------------------------------------------------------------------


def _empty_model() -> Any:
    import pyomo.environ as pyo

    return pyo.ConcreteModel()


def _comment(*parts: object) -> list[str]:
    told = ", ".join(one_line(str(part)) for part in parts if part)
    return [f"# {told}"] if told else []


def _objective(terms: Sequence[tuple[str, str, bool]], sense: str) -> str:
    """An objective from terms that are added or taken off, each with a remark."""
    signs = [
        "" if place == 0 and plus else "-" if place == 0 else "+ " if plus else "- "
        for place, (_, _, plus) in enumerate(terms)
    ]
    parts = [sign + term for sign, (term, _, _) in zip(signs, terms, strict=True)] or ["0"]
    whole = f"pyo.Objective(expr={' '.join(parts)}, sense=pyo.{sense})"
    if len(whole) <= _SHORT and not any(told for _, told, _ in terms):
        return whole
    lines = [f"{part}  # {told}" if told else part for part, (_, told, _) in zip(parts, terms, strict=True)]
    return f"pyo.Objective(\n        sense=pyo.{sense},\n        expr=" + "\n        ".join(lines) + "\n    )"


def _numbered(name: str, number: int, among: Collection[Any]) -> str:
    return f"{name}_{number}" if len(among) > 1 else name


def _rows(given: Ground) -> Iterator[Rows]:
    """All rows, those inside logic too."""
    yield from given.rows
    for when in given.whens:
        yield when.row
    for choice in given.choices:
        for rows in choice.alternatives:
            yield from rows


def _gaps(model: Model) -> dict[str, dict[Key, Rational]]:
    """How far each strict row stays from its limit, by statement and key. Raises UserError where a key has several."""
    strict = {c.id: sum(row.strict for found in c.lower() for row in _inner(found)) for c in model.problem.constraints}
    if model.ignore_strict or not any(strict.values()):
        return {}
    found: dict[str, dict[Key, Rational]] = {}
    seen: dict[tuple[str, Key], set[Rational]] = {}
    for open_, closed in zip(_rows(ground(model.bound, ignore_strict=True)), _rows(model.ground), strict=True):
        if not strict.get(open_.statement):
            continue
        ends = ((open_.upper, closed.upper, 1), (open_.lower, closed.lower, -1))
        gap = sum((exact(sign * (a - b)) for a, b, sign in ends if a is not None and b is not None), Fraction(0))
        among = seen.setdefault((open_.statement, open_.key), set())
        among.add(exact(gap))
        of = found.setdefault(open_.statement, {})
        of[open_.key] = max(among) or min(among)
        if strict[open_.statement] > 1 and len(among) > 1:
            raise UserError(
                f"{open_.statement}: its relations with < and > cannot all be written as a script: "
                f"make them statements of their own"
            )
    return found


def _inner(given: Primitive) -> Iterator[Row]:
    match given:
        case Row():
            yield given
        case Indicator(then=then):
            yield from then
        case Disjunction(alternatives=alternatives):
            for rows in alternatives:
                yield from rows


def _bigs(model: Model) -> dict[str, dict[Key, Rational]]:
    """The largest big-M of each binding of a statement."""
    found: dict[str, dict[Key, Rational]] = {}
    for big in model.matrix.big_ms[len(model.ground.ranges) :]:
        row = model.matrix.rows[big.row]
        of = found.setdefault(row.statement, {})
        of[row.key] = max(of.get(row.key, 0), big.value)
    return found


class _Piece(NamedTuple):
    """A line of a cost over [start, end] (None is no end), and what it would be at 0."""

    start: Rational | None
    end: Rational | None
    slope: Rational
    at_zero: Rational


def _pieces(cost: Cost) -> list[_Piece]:
    points = cost.points
    found: list[tuple[Rational | None, Rational | None, Rational, tuple[Rational, Rational]]] = []
    if cost.before is not None:
        found.append((None, points[0][0], cost.before, points[0]))
    for a, b in pairwise(points):
        found.append((a[0], b[0], exact(Fraction(b[1] - a[1]) / (b[0] - a[0])), a))
    if cost.after is not None:
        found.append((points[-1][0], None, cost.after, points[-1]))
    return [_Piece(start, end, slope, exact(y - slope * x)) for start, end, slope, (x, y) in found]


def _activity(of: Linear, bounds: Sequence[Interval]) -> tuple[Rational | None, Rational | None]:
    """The least and the most that an expression can be."""
    low: Rational | None = of.constant
    high: Rational | None = of.constant
    for i, a in zip(of.columns, of.coefficients, strict=True):
        ends = (bounds[i].lower, bounds[i].upper) if a > 0 else (bounds[i].upper, bounds[i].lower)
        low = None if low is None or ends[0] is None else low + a * ends[0]
        high = None if high is None or ends[1] is None else high + a * ends[1]
    return (None if low is None else exact(low)), (None if high is None else exact(high))
