"""What expressions mean at a point, by the interpreter and by the compiled path."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from formulation.binding import Bound, bind
from formulation.expressions import Expr, Quantifier, Relation, constant, expression, quantifier
from formulation.ground import Ground, ground
from formulation.kinds.linear import Linear
from formulation.kinds.objective import Optimize
from formulation.meaning import World
from formulation.schema import Problem, read_problem
from tests.formulation import trees
from tests.formulation.effort import MORE

BOUND = bind(
    read_problem({"sets": trees.SETS, "parameters": trees.PARAMETERS, "variables": trees.VARIABLES}),
)
KEYS = [(column.name, column.key, column.domain) for column in ground(BOUND).columns]


def problem(terms: Expr, forall: Quantifier | None = None) -> Bound:
    found = Problem(
        sets=BOUND.problem.sets,
        parameters=BOUND.problem.parameters,
        variables=BOUND.problem.variables,
        objective=None if forall else Optimize(sense="minimize", terms=terms),
        constraints=(Linear(row=Relation(terms, "<=", constant(0)), forall=forall),) if forall else (),
    )
    return Bound(found, BOUND.sets, BOUND.parameters)


@st.composite
def points(draw):
    return {(name, key): trees.of_domain(draw(trees.values), domain) for name, key, domain in KEYS}


def columns(model: Ground, point) -> dict[int, Fraction]:
    """The value of every column: those of `selected` say whether their column is above 0."""
    found = {i: point[c.name, c.key] for i, c in enumerate(model.columns) if c.role == "variable"}
    found.update({r.selected: int(found[i] > 0) for i, r in model.ranges.items()})
    return found


@settings(max_examples=120 * MORE)
@given(trees.expr(), points())
def test_compiled_and_interpreted_values_are_equal(terms, point):
    world = World(problem(terms), point)
    try:
        meant = world.value(terms, {})
    except DataError:
        with pytest.raises(DataError):
            ground(world.bound)
        return
    model = ground(world.bound)
    assert model.goals[0].of[0].value(columns(model, point)) == meant


@settings(max_examples=120 * MORE)
@given(st.data(), points())
def test_compiled_and_interpreted_rows_are_equal_for_every_binding(data, point):
    forall, scope = data.draw(trees.quantifier({}, 2))
    terms = data.draw(trees.expr(scope))
    world = World(problem(terms, forall), point)
    try:
        meant = [
            (tuple(binding.element for binding in env.values()), world.value(terms, env))
            for env in world.instances(forall, {})
        ]
    except DataError:
        with pytest.raises(DataError):
            ground(world.bound)
        return
    model = ground(world.bound)
    at = columns(model, point)
    rows = [
        (row.key, sum(a * at[i] for i, a in zip(row.columns, row.coefficients, strict=True)) - row.upper)
        for row in model.rows
    ]
    assert rows == meant


@pytest.mark.parametrize(
    ("over", "keys"),
    [
        ("i in I, (i, i) in Q if b[i-1] < 0", []),  # 'b' alone is in Q, and b['a'] is 1
        ("i in I, (i, j) in Q if i != 'a' and b[i-1] < 0", [("it's", "a")]),
        ("i in I, t in NONE if b[i-1] < 0", []),
        ("t in NONE if c[first(NONE)] > 0", []),
        ("t in T if t != first(NONE)", [(1,), (2,), (3,), (4,)]),  # what does not exist equals nothing
    ],
)
def test_a_condition_counts_for_what_all_generators_leave(over, keys):
    model = ground(problem(expression("k"), quantifier(over)))
    assert [row.key for row in model.rows] == members(over) == keys


@pytest.mark.parametrize(
    "over", ["i in I, (i, j) in Q if b[i-1] < 0", "t in T if c[first(NONE)] > 0", "t in T if c[t] == t-1"]
)
def test_a_condition_that_fails_for_what_the_generators_leave_is_told(over):
    bound = problem(expression("k"), quantifier(over))
    with pytest.raises(DataError, match=r"leaves '[IT]' at|is empty"):
        ground(bound)
    with pytest.raises(DataError, match=r"leaves '[IT]' at|is empty"):
        members(over)


def value(text: str, **env) -> Fraction:
    from formulation.kinds.base import Binding

    return World(BOUND, {}).value(expression(text), {name: Binding(*pair) for name, pair in env.items()})


def members(over: str) -> list[tuple]:
    return [tuple(x.element for x in env.values()) for env in World(BOUND, {}).instances(quantifier(over), {})]


def test_a_symbol_that_is_bound_already_filters():
    assert members("i in I, (i, t) in P") == [("a", 1), ("a", 2), ("b", 3), ("it's", 4)]
    assert members("(i, i) in Q") == [("b",)]
    assert value("sum(c[t] for (i, t) in P)", i=("a", "I")) == 5


def test_members_of_an_ordered_set_compare_by_their_places_and_numbers_by_size():
    sets = {"M": {"elements": ["mar", "jan", "feb"], "ordered": True}, "N": [10, 9, 2]}
    world = World(bind(read_problem({"sets": sets, "variables": {"x": {}}})), {})

    def pairs(text):
        return [tuple(x.element for x in env.values()) for env in world.instances(quantifier(text), {})]

    assert pairs("m in M, l in M if m < l") == [("mar", "jan"), ("mar", "feb"), ("jan", "feb")]
    assert pairs("m in M if m >= 'jan'") == [("jan",), ("feb",)]
    assert pairs("m in N, l in N if m < l") == [(9, 10), (2, 10), (2, 9)]


def test_a_window_may_reach_beyond_the_ends_of_its_set():
    assert members("t in T, s in T if s <= t and s > t-2") == [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3), (4, 4)]
    assert value("sum(c[s] for s in T if s > t-2 and s <= t)", t=(2, "T")) == 5
    assert members("t in T, s in T if s == t-1") == [(2, 1), (3, 2), (4, 3)]


def test_a_guard_stands_before_what_it_guards():
    assert members("t in T, s in T if t != first(T) and c[t-1] > 0 and s == t") == [(2, 2), (4, 4)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("c[t-1]", "'t-1' in c[t-1] leaves 'T' at 1: filter it (if t != first(T))"),
        ("c[t+9]", "filter it (if t != last(T))"),
        ("k/c[2]", "'k/c[2]' divides by zero"),
        ("y['nobody']", "y['nobody'] does not exist"),
        ("sum(k for s in T if s < 'a')", "'s' and ''a'' are not both in 'T'"),
    ],
)
def test_mistakes_name_the_place(text, told):
    with pytest.raises(DataError) as error:
        value(text, t=(1, "T"))
    assert told in str(error.value)
