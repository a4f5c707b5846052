"""Whether two models say the same: by their rows, by their points, or not; with a mapping or a witness.

Structural: a one-to-one mapping of the variables keeps domains and makes the rows equal, counted, where rows may be
scaled and turned round, and the objective may not (min f is max -f). Semantic: under such a mapping both have the same
points and the same objective on them; a row of one model that the other lacks must then hold at all its points.

DIFFERENT has to hold for every mapping. A mapping moves coordinates, so it keeps distances, and no bounded closed set
lies at the same distances within itself without filling itself. So if one model's points are some, but not all, of the
other's under one mapping, no mapping makes them equal (cut off by a cube, which every mapping keeps, this holds for
unbounded sets too); and likewise for points with their objective's value. Otherwise mappings are refuted one by one.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

from formulation.binding import Key, show_key
from formulation.canonical import Form, Goal, System, system
from formulation.model import Model
from formulation.numbers import Rational, decimal_text, exact
from formulation.recover import size
from formulation.refinement import Partition
from formulation.region import Answer, Corner, OutOfReach, Region, Top

if TYPE_CHECKING:
    import networkx

__all__ = ["Comparison", "Counterexample", "Optima", "compare", "graph"]

Notion = Literal["structural", "semantic"]
Name = tuple[str, Key]
"""A variable: its name and its key."""

_MOST_MAPPINGS: Final = 5040  # that are refuted one by one
_CLOSE: Final = Fraction(1, 10**6)  # relative; optima nearer than that are not told apart unless both are exact


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A point of one model, exact, and what of the other model it breaks ("objective": the values differ there)."""

    model: Literal["first", "second"]
    values: Mapping[Name, Rational]
    breaks: str


@dataclass(frozen=True, slots=True)
class Optima:
    """The best values of the same expression in both models; None: without end.

    The objective's are told as the first model has it: a minimised second objective is negated beside a maximised one.
    """

    of: str
    first: Rational | None
    second: Rational | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known of two models, and why.

    EQUIVALENT comes with `notion` and `mapping` (variables of the first model to those of the second); DIFFERENT with
    counterexamples that together refute every mapping, or with optima. `exact`: all of it was confirmed by rational
    arithmetic; otherwise some step rests on the solver's branch and bound or its tolerance.
    """

    verdict: Literal["EQUIVALENT", "DIFFERENT", "UNDECIDED"]
    reason: str
    notion: Notion | None = None
    mapping: Mapping[Name, Name] = field(default_factory=dict)
    counterexamples: tuple[Counterexample, ...] = ()
    optima: Optima | None = None
    exact: bool = True

    def plain(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "notion": self.notion,
            "exact": self.exact,
            "mapping": {show_key(*a): show_key(*b) for a, b in self.mapping.items()},
            "counterexamples": [
                {
                    "model": one.model,
                    "breaks": one.breaks,
                    "values": {show_key(*name): decimal_text(value) for name, value in one.values.items()},
                }
                for one in self.counterexamples
            ],
            "optima": None
            if self.optima is None
            else {
                "of": self.optima.of,
                "first": None if self.optima.first is None else decimal_text(self.optima.first),
                "second": None if self.optima.second is None else decimal_text(self.optima.second),
            },
        }


def compare(
    a: Model,
    b: Model,
    *,
    notion: Literal["structural", "semantic", "both"] = "both",
    time_limit: float = 10.0,
    budget: int = 10_000,
) -> Comparison:
    """Compare two models, all columns counted, those that were added to say a statement in rows as well.

    `time_limit` is in seconds, `budget` how many choices between alike variables may be tried. With `notion`
    "structural" rows alone are compared, and what is not EQUIVALENT is UNDECIDED.
    """
    work = _Work(system(a.matrix), system(b.matrix), time.monotonic() + time_limit, budget)
    reason = "the rows were not compared"
    if notion != "semantic":
        mapping, reason = work.structural()
        if mapping is not None:
            return work.equivalent(mapping, "structural", "the same rows", True)
    if notion == "structural":
        return Comparison("UNDECIDED", f"{reason}; their points were not compared")
    try:
        return work.semantic()
    except OutOfReach as why:
        return Comparison("UNDECIDED", f"{reason}; {why}")


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one mapping shows: the models are equal under it, or `point` refutes it (`decides`: and any other)."""

    equal: bool
    decides: bool
    exact: bool
    point: Counterexample | None


class _Work:
    """Two systems and what has been found out about them."""

    def __init__(self, first: System, second: System, deadline: float, budget: int) -> None:
        self.systems = (first, second)
        self.deadline = deadline
        self.budget = budget
        self.regions = (Region(first, deadline), Region(second, deadline))
        self.seen: tuple[list[Corner], list[Corner]] = ([], [])

    # -- by rows --

    def structural(self) -> tuple[list[int] | None, str]:
        """A mapping under which the rows are the same, or why there is none."""
        first, second = self.systems
        if len(first.columns) != len(second.columns):
            return None, f"the models have {len(first.columns)} and {len(second.columns)} variables"
        if Counter(first.integral) != Counter(second.integral):
            return None, f"{sum(first.integral)} and {sum(second.integral)} of their variables are whole"
        if len(first.forms) != len(second.forms):
            return None, f"the models have {len(first.forms)} and {len(second.forms)} rows, bounds counted"
        keys = [[(whole, *_costs(one, i)) for i, whole in enumerate(one.integral)] for one in self.systems]
        partition = _partition(self.systems, keys, (first.forms, second.forms))
        if not partition.refine():
            return None, "no mapping of the variables makes the rows equal"
        mapping, complete = self._matched(partition)
        if mapping is None:
            why = (
                "no mapping of the variables makes" if complete else "too many alike variables: none was found to make"
            )
            return None, f"{why} the rows equal"
        moved = Counter(one.moved(mapping).key for one in first.forms)
        goals = max(len(first.goals), len(second.goals))
        same = all(_same(first.goal(k).moved(mapping), second.goal(k)) for k in range(goals))
        if not same or moved != Counter(one.key for one in second.forms):
            return None, "the objectives differ by a constant" if not same else "no mapping makes the rows equal"
        return mapping, ""

    def _matched(self, partition: Partition) -> tuple[list[int] | None, bool]:
        """A mapping within the cells of a balanced partition, of columns alike in name where it can be."""
        size = len(self.systems[0].columns)
        places = {(column.name, column.key): i for i, column in enumerate(self.systems[1].columns)}
        prefer = {
            i: size + places[column.name, column.key]
            for i, column in enumerate(self.systems[0].columns)
            if (column.name, column.key) in places
        }
        found, complete = partition.match(range(size), prefer, budget=self.budget, deadline=self.deadline)
        return (None if found is None else [found[i] - size for i in range(size)]), complete

    # -- by points --

    def semantic(self) -> Comparison:
        """Compare what the models allow. Raises OutOfReach."""
        empty = [region.empty() for region in self.regions]
        for number, found in enumerate(empty):
            if found.point is not None:
                self.seen[number].append(found.point)
        sure = empty[0].exact and empty[1].exact
        if empty[0].holds and empty[1].holds:
            mapping = self._any_mapping()
            if mapping is None:
                raise OutOfReach("neither has a point, and no one-to-one mapping of the variables keeps their domains")
            return self.equivalent(mapping, "semantic", "neither has a point", sure)
        if empty[0].holds or empty[1].holds:
            number = 1 if empty[0].holds else 0
            words = ("first", "second")
            reason = f"the {words[number]} model has a point, the {words[1 - number]} has none"
            point = self._example(number, self.seen[number][0], "it has no point")
            return Comparison("DIFFERENT", reason, counterexamples=(point,), exact=sure)
        tried: dict[tuple[int, ...], _Tried] = {}
        doubt = ""
        for mapping in self._likely():
            try:
                found_ = tried[tuple(mapping)] = self._try(mapping)
            except OutOfReach as why:
                doubt = str(why)
                continue
            if found_.equal:
                return self.equivalent(mapping, "semantic", "the same points and objective", found_.exact)
            if found_.decides:
                return self._different(found_)
        return self._optima_differ() or self._one_by_one(tried, doubt)

    def equivalent(self, mapping: Sequence[int], notion: Notion, reason: str, sure: bool) -> Comparison:
        """The verdict with a mapping."""
        first, second = (one.columns for one in self.systems)
        named = {
            (column.name, column.key): (second[mapping[i]].name, second[mapping[i]].key)
            for i, column in enumerate(first)
        }
        return Comparison("EQUIVALENT", reason, notion, named, exact=sure)

    def _different(self, found: _Tried) -> Comparison:
        point = found.point
        assert point is not None
        other = "second" if point.model == "first" else "first"
        if point.breaks == "objective":
            reason = "the objectives differ at a point of both, and one is never below the other"
        else:
            reason = f"every point of the {other} model is one of the {point.model}, but not the other way"
        return Comparison("DIFFERENT", reason, counterexamples=(point,), exact=found.exact)

    def _example(self, number: int, point: Corner, breaks: str) -> Counterexample:
        columns = self.systems[number].columns
        values = {(column.name, column.key): value for column, value in zip(columns, point, strict=True)}
        return Counterexample("second" if number else "first", values, breaks)

    def _any_mapping(self) -> list[int] | None:
        """A mapping that keeps domains, names where it can."""
        first, second = self.systems
        if Counter(first.integral) != Counter(second.integral):
            return None
        named = self._by_name()
        if named is not None and self._keeps_domains(named):
            return named
        places = {whole: [i for i, found in enumerate(second.integral) if found == whole] for whole in (True, False)}
        return [places[whole].pop(0) for whole in first.integral]

    def _keeps_domains(self, mapping: Sequence[int]) -> bool:
        first, second = self.systems
        return all(whole == second.integral[mapping[i]] for i, whole in enumerate(first.integral))

    def _by_name(self) -> list[int] | None:
        """The mapping of variables to those of the same name."""
        first, second = self.systems
        places = {(column.name, column.key): i for i, column in enumerate(second.columns)}
        found = [places.get((column.name, column.key), -1) for column in first.columns]
        return found if -1 not in found and len(found) == len(second.columns) else None

    def _likely(self) -> Iterator[list[int]]:
        """Mappings worth trying first: by names, and by what the models' rows have in common."""
        if len(self.systems[0].columns) != len(self.systems[1].columns):
            return
        named = self._by_name()
        if named is not None:
            yield named
        alike = self._by_rows()
        if alike is not None and alike != named:
            yield alike

    def _by_rows(self) -> list[int] | None:
        """The mapping by refinement, over the rows and costs that both models have as often."""
        keys: list[list[Hashable]] = [[_costs(one, i) for i in range(len(one.columns))] for one in self.systems]
        keys = _common(keys)
        domains: list[list[Hashable]] = _common([list(one.integral) for one in self.systems])
        keys = [list(zip(*both, strict=True)) for both in zip(keys, domains, strict=True)]
        looks = [[_look(one, keys[side]) for one in found.forms] for side, found in enumerate(self.systems)]
        shared = _common(looks)
        kept = tuple(
            [one for one, look in zip(found.forms, looks_, strict=True) if look is not None]
            for found, looks_ in zip(self.systems, shared, strict=True)
        )
        partition = _partition(self.systems, keys, (kept[0], kept[1]))
        return self._matched(partition)[0] if partition.refine() else None

    def _try(self, mapping: Sequence[int]) -> _Tried:
        """Compare points and objective under one mapping. Raises OutOfReach."""
        first, second = self.systems
        back = _inverse(mapping)
        sure = True
        outside: list[Counterexample | None] = []
        doubt: OutOfReach | None = None
        for number, to in ((0, mapping), (1, back)):
            try:
                point, exactly = self._outside(number, to)
                sure = sure and exactly
                outside.append(point)
            except OutOfReach as why:
                doubt = why
        if doubt is not None:
            found = next((point for point in outside if point is not None), None)
            if found is None:
                raise doubt
            return _Tried(False, False, True, found)
        if any(outside):
            # A point of one that is none of the other; and the other way every point is shared.
            return _Tried(False, not all(outside), sure, outside[0] or outside[1])
        if not self._keeps_domains(mapping):
            raise OutOfReach("the points are the same, but the variables' domains are not")
        for level in range(max(len(first.goals), len(second.goals))):
            apart = _difference(first.goal(level), second.goal(level).moved(back))
            below, above = self._sign(apart, 1), self._sign(apart, -1)
            sure = sure and below.exact and above.exact
            shown = below.point or above.point
            if shown is not None:
                return _Tried(False, below.holds or above.holds, sure, self._example(0, shown, "objective"))
        return _Tried(True, False, sure, None)

    def _sign(self, apart: Goal, sign: int) -> Answer:
        """Whether sign * the difference of two objectives is at most 0 at every point of the first model."""
        found = self.regions[0].at_most({i: sign * a for i, a in apart.terms.items()}, -sign * apart.constant)
        if found.point is not None:
            self.seen[0].append(found.point)
        return found

    def _outside(self, number: int, to: Sequence[int]) -> tuple[Counterexample | None, bool]:
        """A point of one model that is none of the other under a mapping, if any. Raises OutOfReach."""
        here, there = self.systems[number], self.systems[1 - number]
        for point in self.seen[number]:
            broken = there.broken(_moved(point, to))
            if broken is not None:
                return self._example(number, point, broken), True
        known = {one.moved(to).key for one in here.forms}
        back = _inverse(to)
        sure = True
        doubt: OutOfReach | None = None
        for one in there.forms:
            if one.key in known:
                continue
            known.add(one.key)
            try:
                answer = self.regions[number].satisfies(one.moved(back))
            except OutOfReach as why:
                doubt = why
                continue
            sure = sure and answer.exact
            if answer.point is not None:
                self.seen[number].append(answer.point)
                return self._example(number, answer.point, one.source), True
        if doubt is not None:
            raise doubt
        for i, whole in enumerate(here.integral):
            if there.integral[to[i]] and not whole:
                return self._broken_number(number, i, to), True
        return None, sure

    def _broken_number(self, number: int, column: int, to: Sequence[int]) -> Counterexample:
        """A point at which a column is no whole number though the other model wants one. Raises OutOfReach."""
        region, there = self.regions[number], self.systems[1 - number]
        ends = [region.top({column: sign}).point for sign in (1, -1)]
        for point in (*ends, *self.seen[number]):
            broken = there.broken(_moved(point, to))
            if broken is not None:
                self.seen[number].append(point)
                return self._example(number, point, broken)
        # Between two points that agree in the whole columns all are allowed.
        here = self.systems[number]
        for one, other in itertools.combinations((*ends, *self.seen[number]), 2):
            agree = all(one[i] == other[i] for i, whole in enumerate(here.integral) if whole)
            if agree and one[column] != other[column]:
                for share in (Fraction(1, 2), Fraction(1, 3), Fraction(1, 7)):
                    point = tuple(exact(x + share * (y - x)) for x, y in zip(one, other, strict=True))
                    broken = there.broken(_moved(point, to))
                    if broken is not None and here.broken(point) is None:
                        self.seen[number].append(point)
                        return self._example(number, point, broken)
        raise OutOfReach(f"{here.columns[column]} need not be whole in one model, and no point shows it")

    # -- by optima --

    def _optima_differ(self) -> Comparison | None:
        """Different best values of the objective, or of the sum of a domain's variables (no mapping changes it)."""
        first, second = self.systems
        goals = [self._negative(one.goal(0)) for one in self.systems]
        asked: list[tuple[str, tuple[Goal, Goal]]] = [("the objective", (goals[0], goals[1]))]
        if Counter(first.integral) == Counter(second.integral):
            for whole in set(first.integral):
                for sign, words in ((1, "largest"), (-1, "least")):
                    what = f"the {words} sum of all {'whole' if whole else 'continuous'} variables"
                    asked.append((what, (_sum(first, whole, sign), _sum(second, whole, sign))))
        for what, (one, other) in asked:
            try:
                found = self._differ(what, one, other)
            except OutOfReach:
                continue
            if found is not None:
                return found
        return None

    @staticmethod
    def _negative(goal: Goal) -> Goal:
        return Goal({i: -a for i, a in goal.terms.items()}, -goal.constant)

    def _differ(self, what: str, one: Goal, other: Goal) -> Comparison | None:
        """Different largest values of an expression in the first and in the second model."""
        goals = (one, other)
        tops = [region.top(goal.terms) for region, goal in zip(self.regions, goals, strict=True)]
        for number, top in enumerate(tops):
            self.seen[number].append(top.point)
        for number in (0, 1):
            mine, its = tops[number], tops[1 - number]
            if its.bound is None:
                continue
            most = its.bound + goals[1 - number].constant
            room = 0 if its.exact else _CLOSE * max(1, size(most))
            point, sure = mine.point, its.exact
            if mine.bound is None:
                level = exact(most + room - goals[number].constant)
                point = self.regions[number].beyond(goals[number].terms, level)
            if goals[number].value(point) > most + room:
                values = [_best(top, goal) for top, goal in zip(tops, goals, strict=True)]
                # The objective was negated to be maximised.
                sign = -1 if what == "the objective" and not self.systems[0].maximised else 1
                sign = -1 if what.startswith("the least") else sign
                shown = [None if value is None else sign * value for value in values]
                reason = f"{what} differs: {_told(shown[0])} in the first model, {_told(shown[1])} in the second"
                return Comparison(
                    "DIFFERENT",
                    reason,
                    counterexamples=(self._example(number, point, "the other model's optimum"),),
                    optima=Optima(what, shown[0], shown[1]),
                    exact=sure,
                )
        return None

    # -- every mapping --

    def _one_by_one(self, tried: dict[tuple[int, ...], _Tried], doubt: str) -> Comparison:
        """Try every mapping that keeps domains. Raises OutOfReach."""
        first, second = self.systems
        if len(first.columns) != len(second.columns) or Counter(first.integral) != Counter(second.integral):
            why = "no one-to-one mapping of the variables keeps their domains"
            raise OutOfReach(f"{why}, and neither points nor optima were found to tell the models apart")
        count = math.prod(math.factorial(min(n, 20)) for n in Counter(first.integral).values())
        if count > _MOST_MAPPINGS:
            raise OutOfReach(doubt or "there are too many mappings of the variables to refute each")
        shown: dict[tuple[str, tuple[Rational, ...]], Counterexample] = {}
        sure = True
        open_: OutOfReach | None = None
        for mapping in _mappings(first.integral, second.integral):
            try:
                found = tried.get(tuple(mapping)) or self._quickly(mapping) or self._try(mapping)
            except OutOfReach as why:  # another mapping may still make them equal
                open_ = why
                continue
            if found.equal:
                return self.equivalent(mapping, "semantic", "the same points and objective", found.exact)
            if found.decides:
                return self._different(found)
            assert found.point is not None
            sure = sure and found.exact
            shown.setdefault((found.point.model, tuple(found.point.values.values())), found.point)
        if open_ is not None:
            raise open_
        reason = f"all {count} mappings of the variables are refuted by points" if count > 1 else "points differ"
        return Comparison("DIFFERENT", reason, counterexamples=tuple(shown.values()), exact=sure)

    def _quickly(self, mapping: Sequence[int]) -> _Tried | None:
        """A refutation of a mapping by points that are known already."""
        back = _inverse(mapping)
        for number, to in ((0, mapping), (1, back)):
            there = self.systems[1 - number]
            for point in self.seen[number]:
                moved = _moved(point, to)
                broken = there.broken(moved)
                if broken is None and not self._same_values(number, point, moved):
                    broken = "objective"
                if broken is not None:
                    return _Tried(False, False, True, self._example(number, point, broken))
        return None

    def _same_values(self, number: int, point: Corner, moved: Corner) -> bool:
        here, there = self.systems[number], self.systems[1 - number]
        levels = range(max(len(here.goals), len(there.goals)))
        return all(here.goal(k).value(point) == there.goal(k).value(moved) for k in levels)


# ---- pieces ----------------------------------------------------------------------------------------------------------


def _moved(point: Corner, to: Sequence[int]) -> Corner:
    """A point of one model as a point of the other: column i becomes `to[i]`."""
    found: list[Rational] = [0] * len(point)
    for i, value in enumerate(point):
        found[to[i]] = value
    return tuple(found)


def _inverse(to: Sequence[int]) -> list[int]:
    """The mapping back."""
    found = [0] * len(to)
    for i, j in enumerate(to):
        found[j] = i
    return found


def _mappings(first: Sequence[bool], second: Sequence[bool]) -> Iterator[list[int]]:
    """Every one-to-one mapping of columns that keeps whole ones whole."""
    places = [[i for i, whole in enumerate(second) if whole == kind] for kind in (False, True)]
    for orders in itertools.product(*(itertools.permutations(found) for found in places)):
        waiting = [list(order) for order in orders]
        yield [waiting[whole].pop(0) for whole in first]


def _costs(of: System, column: int) -> tuple[Rational, ...]:
    return tuple(goal.terms.get(column, 0) for goal in of.goals)


def _same(one: Goal, other: Goal) -> bool:
    return one.constant == other.constant and dict(one.terms) == dict(other.terms)


def _difference(one: Goal, other: Goal) -> Goal:
    terms = dict(one.terms)
    for i, a in other.terms.items():
        terms[i] = terms.get(i, 0) - a
    return Goal({i: exact(a) for i, a in terms.items() if a}, exact(one.constant - other.constant))


def _sum(of: System, whole: bool, sign: int) -> Goal:
    return Goal({i: sign for i, found in enumerate(of.integral) if found == whole}, 0)


def _best(top: Top, goal: Goal) -> Rational | None:
    return None if top.bound is None else exact(top.value + goal.constant)


def _told(value: Rational | None) -> str:
    return "without end" if value is None else decimal_text(value)


def _look(one: Form, keys: Sequence[Hashable]) -> Hashable:
    """What a row looks like whatever its variables are called."""

    def side(sign: int) -> tuple[Rational, frozenset[Any]]:
        terms = Counter((sign * a, keys[i]) for i, a in zip(one.columns, one.coefficients, strict=True))
        return sign * one.rhs, frozenset(terms.items())

    return one.equal, frozenset((side(1), side(-1)) if one.equal else (side(1),))


def _common(given: Sequence[Sequence[Hashable]]) -> list[list[Hashable]]:
    """Two lists, with None for what one holds more often than the other."""
    counts = [Counter(found) for found in given]
    return [[one if counts[0][one] == counts[1][one] else None for one in found] for found in given]


def _partition(
    systems: tuple[System, System], keys: Sequence[Sequence[Hashable]], forms: tuple[Sequence[Form], Sequence[Form]]
) -> Partition:
    """Columns of both models, by their keys, then rows; an edge's label is the coefficient.

    An equality is two nodes, one for each way round, since its sign means nothing.
    """
    size = len(systems[0].columns)
    colours: list[Hashable] = [("column", key) for found in keys for key in found]
    left = [True] * size + [False] * len(systems[1].columns)
    edges: list[list[tuple[int, int]]] = [[] for _ in colours]
    for side, rows in enumerate(forms):
        for one in rows:
            for sign in (1, -1) if one.equal else (1,):
                node = len(colours)
                colours.append((one.equal, sign * one.rhs, len(one.columns)))
                left.append(side == 0)
                edges.append([(i + side * size, sign * a) for i, a in zip(one.columns, one.coefficients, strict=True)])
                for i, a in zip(one.columns, one.coefficients, strict=True):
                    edges[i + side * size].append((node, sign * a))
    return Partition(colours, edges, left)


# ---- drawing ---------------------------------------------------------------------------------------------------------


def graph(model: Model) -> networkx.Graph:
    """A model as a networkx graph of variables and rows, for drawing.

    Nodes ("variable", name) and ("row", number) have a `label`, a `colour` (a number; nodes of one colour cannot be
    told apart by refinement) and, for rows, `sense` and `rhs`; edges have a `coefficient`. Bounds are rows.
    """
    import networkx

    found = system(model.matrix)
    nothing = System((), (), (), ())
    keys: list[list[Hashable]] = [[(whole, *_costs(found, i)) for i, whole in enumerate(found.integral)], []]
    partition = _partition((found, nothing), keys, (found.forms, ()))
    partition.refine(both=False)
    drawn = networkx.Graph()
    for i, column in enumerate(found.columns):
        drawn.add_node(("variable", str(column)), label=str(column), colour=partition.cell[i], bipartite=0)
    node = len(found.columns)
    for number, one in enumerate(found.forms):
        nodes = 2 if one.equal else 1
        drawn.add_node(
            ("row", number),
            label=one.source,
            colour=min(partition.cell[node : node + nodes]),
            bipartite=1,
            sense="==" if one.equal else "<=",
            rhs=one.rhs,
        )
        node += nodes
        for i, a in zip(one.columns, one.coefficients, strict=True):
            drawn.add_edge(("variable", str(found.columns[i])), ("row", number), coefficient=a)
    return drawn
