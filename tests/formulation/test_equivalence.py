"""What two models have in common is found, and what tells them apart is shown; judged by enumerating points."""

from __future__ import annotations

import itertools
import os
import random
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.formulation_compare import pair
from formulation.equivalence import compare, graph
from formulation.model import load
from formulation.nl4opt import load_gold
from formulation.numbers import number
from tests.formulation.effort import MORE
from tests.formulation.test_nl4opt import HERE

MUTATIONS = int(os.environ.get("STEPSOLVER_MUTATIONS", "250"))
HELD = {"<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, "==": lambda a, b: a == b}


def model(variables: dict, rows: list[str], objective: str | None = "maximize x + y"):
    sense, _, terms = (objective or "").partition(" ")
    return load(
        {
            "variables": variables,
            "objective": {"kind": "optimize", "sense": sense, "terms": terms} if objective else None,
            "constraints": [{"kind": "linear", "row": row} for row in rows],
        }
    )


XY = {"x": {"upper": 9}, "y": {"upper": 9}}
NM = {"x": {"domain": "integer", "upper": 9}, "y": {"domain": "integer", "upper": 9}}


# ---- exact small cases -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "others"),
    [
        (["2*x + 4*y <= 8"], ["x + 2*y <= 4"]),
        (["2*x + 4*y <= 8"], ["-x - 2*y >= -4"]),
        (["x - y == 1/3"], ["3*y - 3*x == -1"]),
        (["0.1*x + 0.2*y <= 0.3"], ["x + 2*y <= 3"]),
        (["x <= 4", "x + y >= 1"], ["x + y >= 1", "2*x <= 8"]),
    ],
)
def test_rows_that_differ_by_a_factor_or_turned_round_are_the_same_rows(rows, others):
    found = compare(model(XY, rows), model(XY, others))
    assert (found.verdict, found.notion, found.exact) == ("EQUIVALENT", "structural", True)
    assert found.mapping == {("x", ()): ("x", ()), ("y", ()): ("y", ())}


def test_least_f_is_most_minus_f_and_no_other_objective():
    a = model(XY, ["x + y <= 7"], "maximize x + 2*y")
    assert compare(a, model(XY, ["x + y <= 7"], "minimize -x - 2*y")).notion == "structural"
    for other in ("minimize x + 2*y", "maximize 2*x + 4*y", "maximize x + 2*y + 1"):
        found = compare(a, model(XY, ["x + y <= 7"], other))
        assert found.verdict == "DIFFERENT" and found.counterexamples


def test_variables_are_mapped_whatever_they_are_called():
    a = model(XY, ["2*x + y <= 8", "x <= 3"], "maximize 5*x + 4*y")
    b = model({"p": {"upper": 9}, "q": {"upper": 9}}, ["q <= 3", "p + 2*q <= 8"], "maximize 4*p + 5*q")
    assert compare(a, b).mapping == {("x", ()): ("q", ()), ("y", ()): ("p", ())}


@pytest.mark.parametrize(
    ("variables", "rows", "others"),
    [
        (XY, ["x + y <= 5"], ["x + y <= 5", "2*x + y <= 30"]),  # a row that never binds
        (XY, ["x + y <= 5"], ["x + y <= 5", "x + y <= 5"]),
        (XY, ["x + y == 5"], ["x + y <= 5", "x + y >= 5"]),
        (XY, ["x + y <= 5", "x - y <= 1"], ["x + y <= 5", "x - y <= 1", "3*x + y <= 11"]),  # implied by two rows
        (NM, ["x <= 2.5"], ["x <= 2"]),
        (NM, ["2*x + 2*y <= 7"], ["x + y <= 3"]),
        (XY, ["x + y >= 19"], ["x + y <= -1", "x - y <= 3"]),  # no points at all
    ],
)
def test_models_with_the_same_points_are_equivalent_though_their_rows_differ(variables, rows, others):
    a, b = model(variables, rows), model(variables, others)
    assert compare(a, b).notion == compare(b, a).notion == "semantic"
    assert compare(a, b, notion="structural").verdict == "UNDECIDED"


def test_a_row_missed_by_a_billionth_is_another_row():
    a = model(XY, ["3*x + y <= 7", "x + 3*y <= 7"], "maximize 2*x + y")
    b = model(XY, ["3.000000001*x + y <= 7", "x + 3*y <= 7"], "maximize 2*x + y")
    assert compare(a, b).verdict == "DIFFERENT"


@pytest.mark.parametrize("variables", [XY, NM, {"x": {}, "y": {}}])
def test_points_of_one_model_alone_are_shown(variables):
    a, b = model(variables, ["x + y <= 4", "x <= 3"], None), model(variables, ["x + y <= 4", "x <= 2"], None)
    found = compare(a, b)
    assert found.verdict == "DIFFERENT"
    (shown,) = found.counterexamples
    x, y = shown.values["x", ()], shown.values["y", ()]
    assert shown.model == "first" and shown.breaks == "c2" and x + y <= 4 and 2 < x <= 3 and y >= 0


def test_a_model_without_points_differs_from_one_with_points():
    found = compare(model(XY, ["x + y >= 19"]), model(XY, ["x + y >= 18"]))
    assert found.verdict == "DIFFERENT" and found.exact
    assert found.counterexamples[0].model == "second"
    assert found.counterexamples[0].values == {("x", ()): 9, ("y", ()): 9}


def test_an_endless_optimum_differs_from_a_finite_one():
    a, b = (model({"x": {}, "y": {}}, [row], "maximize x") for row in ("y <= 4", "x <= 4"))
    found = compare(a, b)
    assert found.verdict == "DIFFERENT"


def test_whole_and_continuous_variables_are_not_exchanged():
    rows = ["x + y <= 4"]
    found = compare(model(XY, rows), model(NM, rows))
    assert found.verdict == "DIFFERENT"
    assert any(value.denominator > 1 for value in map(Fraction, found.counterexamples[0].values.values()))


def test_a_binary_variable_is_a_whole_one_up_to_1():
    a = model({"x": {"domain": "binary"}, "y": {}}, ["y <= 5*x"])
    b = model({"x": {"domain": "integer", "upper": 1}, "y": {}}, ["y <= 5*x"])
    assert compare(a, b).notion == "structural"


def test_what_cannot_be_decided_says_why():
    a = model(XY, ["x + y <= 4"], "maximize x + y")
    b = model({**XY, "z": {"upper": 1}}, ["x + y <= 4"], "maximize x + y")
    found = compare(a, b)
    assert found.verdict == "UNDECIDED" and "2 and 3 variables" in found.reason
    assert compare(a, model(XY, ["x + y <= 4", "x <= 4"]), time_limit=0).verdict == "UNDECIDED"


def test_numbers_beyond_a_solver_are_a_reason_not_a_failure():
    rows = ["x + y <= 1e300*1e300", "x - y <= 2"]
    a, b = model({"x": {}, "y": {}}, rows, "maximize x"), model({"x": {}, "y": {}}, rows[1:], "maximize x")
    assert compare(a, a).verdict == "EQUIVALENT"
    assert "too large for a solver" in compare(a, b).reason
    far = model(XY, ["1e12*x + y <= 5"], "maximize y")
    assert "too far apart" in compare(far, model(XY, ["1e12*x + y <= 4"], "maximize y")).reason


def cycle(edges: list[tuple[int, int]]):
    names = [f"v{i}" for i in range(6)]
    variables = {name: {"domain": "binary"} for name in names}
    rows = [f"v{i} + v{j} <= 1" for i, j in edges]
    return model(variables, rows, "maximize " + " + ".join(names))


def test_refinement_alone_does_not_tell_a_hexagon_from_two_triangles_but_the_verdict_does():
    hexagon = cycle([(i, (i + 1) % 6) for i in range(6)])
    turned = cycle([(0, 2), (2, 4), (4, 1), (1, 3), (3, 5), (5, 0)])
    triangles = cycle([(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)])
    assert compare(hexagon, turned).notion == "structural"
    found = compare(hexagon, triangles)
    assert found.verdict == "DIFFERENT" and (found.optima.first, found.optima.second) == (3, 2)


def test_the_graph_holds_variables_rows_and_what_looks_alike():
    drawn = graph(cycle([(i, (i + 1) % 6) for i in range(6)]))
    variables = [node for node in drawn if node[0] == "variable"]
    assert len(variables) == 6 and len(drawn) == 6 + 6 + 12  # rows, and two bounds each
    assert len({drawn.nodes[node]["colour"] for node in variables}) == 1
    first = next(node for node, data in drawn.nodes(data=True) if data["label"] == "c1")
    assert (drawn.nodes[first]["sense"], drawn.nodes[first]["rhs"]) == ("<=", 1)
    assert dict(drawn[first]) == {("variable", name): {"coefficient": 1} for name in ("v0", "v1")}
    skew = graph(model(XY, ["x + 2*y == 3"]))
    assert skew.nodes["variable", "x"]["colour"] != skew.nodes["variable", "y"]["colour"]
    assert {data["coefficient"] for *_, data in skew.edges(data=True)} == {1, 2, -1}


# ---- random models, judged independently -----------------------------------------------------------------------------


class Spec:
    """A small model over integers in boxes, as plain numbers, with its own meaning."""

    def __init__(self, boxes, rows, sense, costs):
        self.boxes, self.rows, self.sense, self.costs = boxes, rows, sense, costs

    def table(self) -> dict[tuple[int, ...], Fraction]:
        """Every feasible point and its objective, minimised."""
        sign = 1 if self.sense == "minimize" else -1
        found = {}
        for point in itertools.product(*(range(low, high + 1) for low, high in self.boxes)):
            if all(
                HELD[sense](sum(a * x for a, x in zip(row, point, strict=True)), rhs) for row, sense, rhs in self.rows
            ):
                found[point] = sign * sum(c * x for c, x in zip(self.costs, point, strict=True))
        return found

    def model(self, names: str = "abcdef"):
        variables = {
            name: {"domain": "integer", "lower": low, "upper": high}
            for name, (low, high) in zip(names, self.boxes, strict=False)
        }

        def text(row):
            return " + ".join(f"({a})*{name}" for a, name in zip(row, names, strict=False))

        return load(
            {
                "variables": variables,
                "objective": {"kind": "optimize", "sense": self.sense, "terms": text(self.costs)},
                "constraints": [
                    {"kind": "linear", "row": f"{text(row)} {sense} ({rhs})"} for row, sense, rhs in self.rows
                ],
            }
        )


def same(a: Spec, b: Spec) -> bool:
    """Whether some order of the variables makes all points and their objectives equal."""
    one, other = a.table(), b.table()
    size = len(a.boxes)
    return any(
        {tuple(point[i] for i in order): value for point, value in one.items()} == other
        for order in itertools.permutations(range(size))
    )


def drawn(rng: random.Random) -> Spec:
    size = rng.choice([1, 2, 2, 3, 3])
    boxes = [(low := rng.randint(-1, 1), low + rng.randint(0, 3)) for _ in range(size)]
    rows = [row(rng, size) for _ in range(rng.randint(0, 3))]
    costs = [Fraction(rng.randint(-2, 3), rng.choice([1, 1, 2])) for _ in range(size)]
    return Spec(boxes, rows, rng.choice(["minimize", "maximize"]), costs)


def row(rng: random.Random, size: int):
    coefficients = [Fraction(rng.randint(-2, 3), rng.choice([1, 1, 1, 2, 3])) for _ in range(size)]
    return coefficients, rng.choice(["<=", "<=", ">=", ">=", "=="]), Fraction(rng.randint(-2, 6), rng.choice([1, 1, 2]))


def disguised(rng: random.Random, given: Spec) -> Spec:
    """The same model with its variables and rows in another order, rows scaled and turned round."""
    order = list(range(len(given.boxes)))
    rng.shuffle(order)
    rows = []
    for coefficients, sense, rhs in given.rows:
        factor = Fraction(rng.choice([1, 2, 3, -1, -2]), rng.choice([1, 3]))
        turned = {"<=": ">=", ">=": "<=", "==": "=="}[sense] if factor < 0 else sense
        rows.append(([factor * coefficients[i] for i in order], turned, factor * rhs))
    rng.shuffle(rows)
    costs, sense = [given.costs[i] for i in order], given.sense
    if rng.random() < 0.5:
        sense = "minimize" if sense == "maximize" else "maximize"
        costs = [-c for c in costs]
    return Spec([given.boxes[i] for i in order], rows, sense, costs)


def mutated(rng: random.Random, given: Spec) -> Spec:
    """The model with one change, which may or may not matter."""
    boxes, rows = list(given.boxes), [(list(c), sense, rhs) for c, sense, rhs in given.rows]
    costs, direction = list(given.costs), given.sense
    size = len(boxes)
    j = rng.randrange(size)
    change = rng.choice(["coefficient", "rhs", "sense", "drop", "add", "double", "box", "cost", "direction", "swap"])
    if rows and change in ("coefficient", "rhs", "sense", "drop", "double", "swap"):
        k = rng.randrange(len(rows))
        coefficients, sense, rhs = rows[k]
        if change == "coefficient":
            coefficients[j] += rng.choice([-1, 1, Fraction(1, 2)])
        elif change == "rhs":
            rows[k] = coefficients, sense, rhs + rng.choice([-1, 1, Fraction(1, 3)])
        elif change == "sense":
            rows[k] = coefficients, rng.choice(["<=", ">=", "=="]), rhs
        elif change == "drop":
            del rows[k]
        elif change == "double":
            rows.append((list(coefficients), sense, rhs + rng.choice([0, 0, 1])))
        else:
            i = rng.randrange(size)
            coefficients[i], coefficients[j] = coefficients[j], coefficients[i]
    elif change == "box":
        low, high = boxes[j]
        boxes[j] = (low, high + 1) if rng.random() < 0.5 or low == high else (low, high - 1)
    elif change == "cost":
        costs[j] += rng.choice([-1, 1])
    elif change == "direction":
        direction = "minimize" if direction == "maximize" else "maximize"
    elif change == "swap":
        i = rng.randrange(size)
        costs[i], costs[j] = costs[j], costs[i]
    else:
        rows.append(row(rng, size))
    return Spec(boxes, rows, direction, costs)


def checked(found, a: Spec, b: Spec) -> None:
    """What a verdict shows is so: the mapping, or the points."""
    specs, names = {"first": a, "second": b}, "abcdef"
    tables = {word: spec.table() for word, spec in specs.items()}
    if found.verdict == "EQUIVALENT":
        order = [names.index(found.mapping[names[i], ()][0]) for i in range(len(a.boxes))]
        moved = {}
        for point, value in tables["first"].items():
            target = [0] * len(order)
            for i, x in enumerate(point):
                target[order[i]] = x
            moved[tuple(target)] = value
        assert moved == tables["second"]
    for one in found.counterexamples:
        assert tuple(one.values[names[i], ()] for i in range(len(one.values))) in tables[one.model]


@given(st.randoms(use_true_random=False))
@settings(max_examples=60 * MORE, deadline=None)
def test_renaming_permuting_scaling_and_negating_keep_the_rows_equal(rng):
    a = drawn(rng)
    b = disguised(rng, a)
    found = compare(a.model(), b.model())
    assert found.verdict == "EQUIVALENT" and found.notion == "structural"
    checked(found, a, b)


def test_no_verdict_on_mutations_is_false():
    undecided = 0
    verdicts = set()
    for seed in range(MUTATIONS):
        rng = random.Random(seed)
        a = drawn(rng)
        b = mutated(rng, a)
        if rng.random() < 0.3:
            b = mutated(rng, b)
        b = disguised(rng, b)
        found = compare(a.model(), b.model())
        undecided += found.verdict == "UNDECIDED"
        verdicts.add((found.verdict, found.notion))
        if found.verdict != "UNDECIDED":
            assert (found.verdict == "EQUIVALENT") == same(a, b), (seed, found)
            checked(found, a, b)
    assert {("EQUIVALENT", "structural"), ("EQUIVALENT", "semantic"), ("DIFFERENT", None)} <= verdicts
    assert undecided <= MUTATIONS // 50


class Mixed(Spec):
    """Integers in boxes, and one continuous variable, the last: for every integer point an interval."""

    def model(self, names: str = "abcdef"):
        found = super().model(names)
        variables, last = dict(found.problem.variables), names[len(self.boxes) - 1]
        variables[last] = variables[last].model_copy(update={"domain": "continuous"})
        return replace(found, problem=found.problem.model_copy(update={"variables": variables}))

    def table(self):
        sign = 1 if self.sense == "minimize" else -1
        *boxes, (low, high) = self.boxes
        found = {}
        for point in itertools.product(*(range(a, b + 1) for a, b in boxes)):
            least, most, holds = Fraction(low), Fraction(high), True
            for (*coefficients, last), sense, rhs in self.rows:
                rest = rhs - sum(a * x for a, x in zip(coefficients, point, strict=True))
                if not last:
                    holds = holds and HELD[sense](0, rest)
                    continue
                end = rest / last
                if sense == "==" or (sense == "<=") == (last > 0):
                    most = min(most, end)
                if sense == "==" or (sense == ">=") == (last > 0):
                    least = max(least, end)
            if holds and least <= most:
                base = sum(c * x for c, x in zip(self.costs, point, strict=False))
                ends = tuple(sign * (base + self.costs[-1] * x) for x in (least, most))
                found[point] = (least, most, *ends)
        return found


@pytest.mark.parametrize("start", range(4))
def test_no_verdict_on_mixed_models_is_false(start):
    undecided = 0
    for seed in range(start, MUTATIONS // 2, 4):
        rng = random.Random(1000 + seed)
        size = rng.choice([2, 3])
        given = Mixed([(0, rng.randint(1, 3)) for _ in range(size)], [row(rng, size) for _ in range(2)], "minimize", [])
        given.costs = [Fraction(rng.randint(-2, 3)) for _ in range(size)]
        changed = mutated(rng, given)
        other = Mixed(changed.boxes, changed.rows, changed.sense, changed.costs)
        if rng.random() < 0.5 and size == 3:  # the integers change places
            other.boxes = [other.boxes[1], other.boxes[0], other.boxes[2]]
            other.rows = [([c[1], c[0], c[2]], sense, rhs) for c, sense, rhs in other.rows]
            other.costs = [other.costs[1], other.costs[0], other.costs[2]]
        found = compare(given.model(), other.model())
        one, two = given.table(), other.table()
        alike = any(
            {tuple(point[i] for i in order): value for point, value in one.items()} == two
            for order in itertools.permutations(range(size - 1))
        )
        undecided += found.verdict == "UNDECIDED"
        if found.verdict != "UNDECIDED":
            assert (found.verdict == "EQUIVALENT") == alike, (seed, found)
    assert undecided <= MUTATIONS // 80


@pytest.mark.skipif(not HERE, reason="no NL4Opt data here")
def test_every_gold_model_equals_itself_in_disguise():
    rng = random.Random(0)
    for split in ("dev", "test"):
        for one in load_gold(split):
            found = compare(one.model, in_disguise(rng, one.model))
            assert (found.verdict, found.notion) == ("EQUIVALENT", "structural"), (one.example.id, found.reason)


def in_disguise(rng: random.Random, given):
    """A model with other names, in another order, with rows scaled and turned round and the objective negated."""
    matrix = given.matrix
    names = [f"w{i}" for i in range(len(matrix.columns))]
    rng.shuffle(names)
    order = list(range(len(names)))
    rng.shuffle(order)

    def text(columns, coefficients, factor=1):
        terms = [f"({factor * Fraction(a)})*{names[i]}" for i, a in zip(columns, coefficients, strict=True)]
        rng.shuffle(terms)
        return " + ".join(terms) or "0"

    rows = []
    for row in matrix.rows:
        factor = Fraction(rng.choice([1, 2, 7, -1, -3]), rng.choice([1, 3]))
        for end, sense in ((row.lower, ">="), (row.upper, "<=")):
            if end is not None:
                turned = {"<=": ">=", ">=": "<="}[sense] if factor < 0 else sense
                rows.append(f"{text(row.columns, row.coefficients, factor)} {turned} {factor * Fraction(end)}")
    rng.shuffle(rows)
    objective = matrix.objectives[0]
    turned = "maximize" if objective.sense == "minimize" else "minimize"
    variables = {
        names[i]: {
            "domain": matrix.columns[i].domain,
            "lower": matrix.columns[i].lower,
            "upper": matrix.columns[i].upper,
        }
        for i in order
    }
    return model(variables, rows, f"{turned} {text(objective.of.columns, objective.of.coefficients, -1)}")


def corners(rows: list[tuple[int, int, int]]) -> frozenset[tuple[Fraction, Fraction]]:
    """The corners of {a*x + b*y <= c}, a bounded part of the plane."""
    found = set()
    for (a, b, c), (d, e, f) in itertools.combinations(rows, 2):
        if a * e != b * d:
            x, y = Fraction(c * e - b * f, a * e - b * d), Fraction(a * f - c * d, a * e - b * d)
            if all(p * x + q * y <= r for p, q, r in rows):
                found.add((x, y))
    return frozenset(found)


@given(
    st.lists(st.tuples(st.integers(-2, 3), st.integers(-2, 3), st.integers(0, 6)), max_size=3),
    st.lists(st.tuples(st.integers(-2, 3), st.integers(-2, 3), st.integers(0, 6)), max_size=3),
    st.integers(0, 2),
)
@settings(max_examples=60 * MORE, deadline=None)
def test_regions_of_the_plane_are_equal_where_their_corners_are(rows, others, shared):
    box = [(-1, 0, 0), (0, -1, 0), (1, 0, 4), (0, 1, 4)]
    others = [*rows[:shared], *others]

    def text(given):
        return [f"{a}*x + {b}*y <= {c}" for a, b, c in given]

    variables = {"x": {"upper": 4}, "y": {"upper": 4}}
    found = compare(model(variables, text(rows), None), model(variables, text(others), None))
    one, other = corners(box + rows), corners(box + others)
    equal = other in (one, frozenset((y, x) for x, y in one))
    assert found.verdict == ("EQUIVALENT" if equal else "DIFFERENT")


# ---- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["continuous", "integer"])
@pytest.mark.parametrize("change", [False, True])
def test_hundreds_of_rows_are_compared_in_seconds(domain, change):
    a, b = pair(300, domain, change=change)
    assert a.matrix.columns and b.matrix.columns
    started = time.process_time()
    found = compare(a, b, time_limit=300)
    assert (found.verdict, found.exact) == ("DIFFERENT" if change else "EQUIVALENT", True), found.reason
    assert time.process_time() - started < 20


def test_many_alike_variables_are_paired_without_search():
    size = 400
    variables = {f"x{i}": {"upper": 1} for i in range(size)}
    rows = [f"x{i} + x{i + 1} <= 1" for i in range(0, size, 2)]
    a, b = model(variables, rows, None), model(variables, rows[::-1], None)
    assert compare(a, b).notion == "structural"


def test_numbers_of_any_kind_are_read_exactly():
    third = number("1/3").value
    a = model({"x": {"upper": "1/3"}, "y": {"upper": 1}}, ["x + y <= 1"], "maximize x")
    b = model({"x": {"upper": 0.3333333333}, "y": {"upper": 1}}, ["x + y <= 1"], "maximize x")
    found = compare(a, b)
    assert found.verdict == "DIFFERENT" and found.counterexamples[0].values["x", ()] <= third
