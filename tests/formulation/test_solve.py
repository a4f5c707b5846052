from __future__ import annotations

import _thread
import random
import threading
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from formulation import engine
from formulation.engine import Settings, by_highs, relaxed
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.meaning import World
from formulation.model import Model, load
from formulation.recover import Point, recover
from formulation.solve import Solution, _confirmed, _unbounded, objective_at, solve
from tests.formulation.effort import MORE
from tests.formulation.optimum import holds, points


def model(objective: str | None, *rows: Any, sense: str = "maximize", **variables: Any) -> Model:
    given_: dict[str, Any] = {
        "variables": variables,
        "constraints": [{"kind": "linear", "row": row} if isinstance(row, str) else row for row in rows],
    }
    if objective is not None:
        given_["objective"] = {"kind": "optimize", "sense": sense, "terms": objective}
    return load(given_)


INTEGER = {"domain": "integer"}
BINARY = {"domain": "binary"}


# ---- the best point --------------------------------------------------------------------------------------------------


def test_a_continuous_optimum_is_exact() -> None:
    found = solve(model("3*x + 2*y + 1/3", "x + y <= 4", "x + 3*y <= 6", "3*x <= 8", x={}, y={}))
    assert (found.status, found.reason, found.exact) == ("optimal", "", True)
    assert (found.value("x"), found.value("y")) == (Fraction(8, 3), Fraction(10, 9))
    assert found.objective == found.bound == Fraction(95, 9)
    assert found.goals == (Fraction(95, 9),)
    assert found.gap == 0
    assert found.optimal


def test_vertices_with_large_denominators_are_exact() -> None:
    """The vertex solves 24 equations in 24 unknowns with decimals: its denominator has dozens of digits."""
    rng = random.Random(1)
    size = 24
    names = {f"x{i}": rng.randint(900, 999) for i in range(size)}
    rows = [" + ".join(f"{rng.randint(1, 999) / 1000}*{name}" for name in names) + " <= 10" for _ in range(size)]
    found = solve(
        model(" + ".join(f"{rng.randint(900, 999)}*{name}" for name in names), *rows, **{n: {} for n in names})
    )
    assert found.optimal
    assert found.exact
    assert max(value.denominator for value in found.values.values()) > 10**12


def test_integers_are_exact_and_helpers_apart() -> None:
    found = solve(model("3*n - 5*selected(n)", "2*n <= 15", n={"domain": "integer", "upper": 20}))
    assert found.values == {("n", ()): 7}
    assert found.objective == 16
    assert found.helpers == {("n.selected", ()): 1}


def test_costs_of_statements_count() -> None:
    soft = {"kind": "soft", "terms": "x", "sense": "<=", "limit": 3, "penalty": "1/2"}
    found = solve(model("x", soft, x={"upper": 7}))
    assert (found.objective, found.goals) == (5, (7,))
    none = solve(model(None, soft, "x >= 5", x={"upper": 7}))
    assert (none.status, none.objective, none.goals) == ("optimal", 1, ())


def test_without_an_objective_any_point_will_do() -> None:
    found = solve(model(None, "x + y == 3", x={}, y={}))
    assert (found.status, found.objective, found.bound) == ("optimal", None, None)
    assert found.value("x") + found.value("y") == 3


def test_variables_in_no_statement_have_a_value_within_bounds() -> None:
    found = solve(model("x", "x <= 1", x={}, y={"lower": 2}, n={"domain": "integer", "lower": None, "upper": "-1/2"}))
    assert found.values == {("x", ()): 1, ("y", ()): 2, ("n", ()): -1}


def test_small_coefficients_of_an_objective_count() -> None:
    """HiGHS takes reduced costs below 1e-7 for 0: as they stand it calls (0, 2) optimal here."""
    for domain in ({}, INTEGER):
        found = solve(model("1e-8*x + 2e-8*y", "x + y <= 4", "x + 3*y <= 6", x=domain, y=domain))
        assert found.objective == Fraction(5, 10**8)
        assert found.bound == found.objective


@pytest.mark.parametrize("big", [10**7, 10**10])
def test_nothing_leaks_through_a_closed_binary(big: int) -> None:
    """y = 1/(2*big) is whole to HiGHS, and lets x be 1/2."""
    found = solve(model("1000*y", "x >= 1/2", f"x <= {big}*y", sense="minimize", x={}, y=BINARY))
    assert (found.status, found.objective, found.exact) == ("optimal", 1000, True)


def test_indexed_variables() -> None:
    found = solve(
        load(
            {
                "sets": {"P": ["a", "b"]},
                "parameters": {"gain": {"index": ["P"], "values": {"a": "1/3", "b": 2}}},
                "variables": {"make": {"over": "p in P", "upper": 3}},
                "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(gain[p]*make[p] for p in P)"},
                "constraints": [{"kind": "linear", "row": "sum(make[p] for p in P) <= 4"}],
            }
        )
    )
    assert (found.value("make", "a"), found.value("make", "b")) == (1, 3)
    assert found.objective == Fraction(19, 3)
    with pytest.raises(UserError, match="no variable make"):
        found.value("make", "c")


def test_json_values() -> None:
    plain = solve(model("x/3", "x <= 1/2", x={})).plain()
    assert plain.pop("seconds") > 0
    assert plain == {
        "status": "optimal",
        "reason": "",
        "objective": "1/6",
        "bound": "1/6",
        "goals": ["1/6"],
        "values": {"x": 0.5},
        "helpers": {},
        "exact": True,
    }


# ---- goals one after the other ---------------------------------------------------------------------------------------


def lexicographic(*goals: tuple[str, str], rows: tuple[str, ...] = (), **variables: Any) -> Model:
    of = [{"sense": sense, "terms": terms} for sense, terms in goals]
    return load(
        {
            "variables": variables,
            "objective": {"kind": "lexicographic", "of": of},
            "constraints": [{"kind": "linear", "row": row} for row in rows],
        }
    )


def test_later_goals_choose_among_the_best_points() -> None:
    found = solve(
        lexicographic(
            ("maximize", "x + y"),
            ("minimize", "3*x - z"),
            ("maximize", "z - y"),
            rows=("3*x + y + z <= 7",),
            x={"upper": 4},
            y={"upper": 4},
            z={"domain": "integer", "upper": 3},
        )
    )
    assert found.goals == (5, 3, -4)
    assert found.objective == found.bound == 5


def test_an_earlier_goal_is_not_a_hair_worse() -> None:
    """A tolerance of 1e-7 on the first goal would let the second gain 1."""
    found = solve(
        lexicographic(("minimize", "x/3"), ("maximize", "10000000*x"), rows=("7*x >= 1",), x={"upper": 1}),
    )
    assert found.status == "optimal"
    assert found.goals == (Fraction(1, 21), Fraction(10**7, 7))


def test_a_later_goal_without_end() -> None:
    found = solve(lexicographic(("minimize", "x"), ("maximize", "y"), x={}, y={}))
    assert found.status == "unbounded"
    assert found.reason.startswith("goal 2: the objective improves without end: y rises")


# ---- verdicts --------------------------------------------------------------------------------------------------------

NO_POINT = "no point satisfies all statements"


@pytest.mark.parametrize(
    ("found", "status", "told"),
    [
        (model("x", "x + y <= 4", "x + y >= 5", x={}, y={}), "infeasible", NO_POINT),
        (model("x", "x + y <= 4", "x + y >= 5", x=INTEGER, y=INTEGER), "infeasible", NO_POINT),
        (model("n", "3*n - 3*k == 1", n={"domain": "integer", "upper": 9}, k=INTEGER), "infeasible", NO_POINT),
        (model("x", "0*x >= 5", x={}), "infeasible", "c1: no variable is left in it, and 0 >= 5 is false"),
        (
            model("n", n={"domain": "integer", "lower": "1/3", "upper": "2/3"}),
            "infeasible",
            "n: no whole number lies between 1/3 and 2/3, its bounds",
        ),
        (model("x + y", "x - y <= 4", x={}, y={}), "unbounded", "x rises and y rises"),
        (model("x + y", "x - y <= 4", x=INTEGER, y=INTEGER), "unbounded", "x rises and y rises"),
        (model("x - y", "x - y <= 4", "x + y <= 9", x={"lower": None}, y={"lower": None}), "optimal", ""),
        (model("x", "y == 1", sense="minimize", x={"lower": None}, y={}), "unbounded", "x falls. Is"),
        (model("x", "x - y <= 4", "x - y >= 5", x={}, y={}), "infeasible", NO_POINT),
        (model("x", "x - y <= 4", "x - y >= 5", x=INTEGER, y=INTEGER), "infeasible", NO_POINT),
        (model("n - 4*k", "2*n - 2*k == 1", n=INTEGER, k=INTEGER, sense="minimize"), "infeasible", NO_POINT),
    ],
)
def test_verdicts(found: Model, status: str, told: str) -> None:
    solution = solve(found)
    assert solution.status == status
    assert told in solution.reason
    assert "\n" not in solution.reason
    if status != "optimal":
        assert solution.objective is None
        with pytest.raises(UserError, match=f"there are no values: {status}"):
            solution.value("x")


def test_a_second_search_over_numbers_without_bounds_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS' presolve sees that no whole numbers fit; branching alone would go on for ever."""
    monkeypatch.setitem(solve.__globals__, "_PATIENCE", 0.3)
    free = {"domain": "integer", "lower": None}
    found = solve(model(None, "2*x - 2*y + z == 1", x=free, y=free, z={"upper": "0.3"}))
    assert found.status in ("infeasible", "undetermined")
    if found.status == "undetermined":
        assert found.reason.endswith("the time limit of 0.3 s was reached; give all whole numbers bounds")


def test_an_infeasible_verdict_that_is_not_found_again_is_not_believed() -> None:
    matrix = model("x", "2*x <= 3", x=INTEGER).matrix
    found = _confirmed(matrix, Settings())
    assert (found.status, found.point) == ("optimal", Point((1,)))


def test_an_unbounded_verdict_without_a_direction_is_not_believed() -> None:
    matrix = model("x", "2*x <= 3", x=INTEGER).matrix
    found = _unbounded(matrix, Settings())
    assert (found.status, found.point) == ("optimal", Point((1,)))


def test_what_the_solver_breaks_down_with_is_told() -> None:
    import highspy

    assert engine._read(highspy.HighsModelStatus.kSolveError, False, Settings()) == (
        "failed",
        "HiGHS broke down (SolveError)",
    )


# ---- limits ----------------------------------------------------------------------------------------------------------


def market_split(*, soft: bool, size: int = 50, rows: int = 4) -> Model:
    """Cornuejols and Dawande's market split problem, which takes branch and bound for ever."""
    rng = random.Random(1)
    variables: dict[str, Any] = {f"b{j}": BINARY for j in range(size)}
    sums, slacks = [], []
    for i in range(rows):
        a = [rng.randint(0, 99) for _ in range(size)]
        slack = ""
        if soft:
            variables |= {f"s{i}": {}, f"t{i}": {}}
            slacks += [f"s{i}", f"t{i}"]
            slack = f" + s{i} - t{i}"
        sums.append(" + ".join(f"{x}*b{j}" for j, x in enumerate(a)) + f"{slack} == {sum(a) // 2}")
    return model(" + ".join(slacks) or "b0", *sums, sense="minimize", **variables)


def test_a_time_limit_returns_the_best_point_so_far_with_its_gap() -> None:
    found = solve(market_split(soft=True), time_limit=3)
    assert found.status == "feasible"
    assert found.exact
    assert found.objective is not None
    assert found.bound is not None
    assert found.objective > found.bound >= 0
    gap = float(found.objective - found.bound)
    assert found.reason == f"the time limit of 3 s was reached; the best point is at most {gap:.6g} better"


def test_a_time_limit_without_a_point() -> None:
    found = solve(market_split(soft=False), time_limit=2)
    assert (found.status, found.reason) == ("undetermined", "the time limit of 2 s was reached")
    assert found.objective is None
    assert not found.values


@pytest.mark.parametrize("through_pyomo", [True, False])
def test_an_interrupt_from_the_keyboard_ends_it(through_pyomo: bool) -> None:
    hard = market_split(soft=True)
    hard.matrix  # noqa: B018
    start = {} if through_pyomo else {"b0": 1}
    began = time.monotonic()
    timer = threading.Timer(1, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        solve(hard, start=start, time_limit=120)
    assert time.monotonic() - began < 60
    assert solve(model("x", "x <= 3", x={})).objective == 3


@pytest.mark.parametrize("start", [{}, {"x": 1}])
def test_the_log_is_shown_on_request(start: dict[str, int], capfd: pytest.CaptureFixture[str]) -> None:
    found = model("x", "2*x <= 3", x=INTEGER)
    solve(found, start=start)
    assert capfd.readouterr() == ("", "")
    solve(found, start=start, log=True)
    assert "MIP has 1 row; 1 col" in capfd.readouterr().out


def test_threads_may_change_from_solve_to_solve() -> None:
    tiny = model("3*n + 2*m", "n + m <= 4", "n + 3*m <= 6", n=INTEGER, m=INTEGER)
    for threads in (1, 2, None, 1):
        assert solve(tiny, threads=threads).objective == 12
        assert solve(tiny, threads=threads, start={"n": 1}).objective == 12


def test_other_threads_may_solve() -> None:
    found: list[Solution] = []
    thread = threading.Thread(target=lambda: found.append(solve(model("x", "x <= 3", x={}))))
    thread.start()
    thread.join()
    assert [one.objective for one in found] == [3]


@pytest.mark.parametrize("wrong", [{"time_limit": 0}, {"time_limit": float("nan")}, {"threads": 0}, {"threads": 10**6}])
def test_wrong_arguments(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"^(time_limit|threads): "):
        solve(model("x", "x <= 3", x={}), **wrong)


# ---- a start, and a relaxation ---------------------------------------------------------------------------------------


def test_a_start_is_where_the_search_begins() -> None:
    """Within no time at all nothing else can be found."""
    hard = market_split(soft=True)
    first = solve(hard, time_limit=2)
    again = solve(hard, time_limit=1e-3, start=first.values)
    assert again.status == "feasible"
    assert again.objective is not None
    assert first.objective is not None
    assert again.objective <= first.objective


def test_a_start_of_what_is_no_variable_or_no_number() -> None:
    found = model("x", "x + selected(n) <= 3", x={}, n={"domain": "integer", "upper": 3})
    with pytest.raises(UserError, match="start: no variable y"):
        solve(found, start={"y": 1})
    with pytest.raises(UserError, match=r"start: no variable n\.selected"):
        solve(found, start={"n.selected": 1})
    with pytest.raises(UserError, match="start: x: 'much' is no number"):
        solve(found, start={"x": "much"})
    assert solve(found, start={"x": "1/2", ("n", ()): 0}).objective == 3


def test_a_relaxation_lets_every_decision_be_fractional() -> None:
    one = {"upper": 3}
    either = {"kind": "either_or", "alternatives": ["x <= 1", "y <= 1"]}
    found = model("z - 3*n", either, "z <= x", "z <= y", "x <= 6*n", x=one, y=one, z=one, n=INTEGER)
    assert solve(found).objective == 0
    loose = solve(found, relax_integrality=True)
    assert loose.objective == loose.goals[0] == 1  # half of each alternative lets x, y and z be 2
    assert loose.value("n") == Fraction(1, 3)


# ---- against every point ---------------------------------------------------------------------------------------------


@st.composite
def integer_models(draw: st.DrawFn) -> Model:
    """Two to four whole variables of few values, with rows, an alternative and several goals."""
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    numbers = st.sampled_from(["-3", "-2", "-1", "-1/2", "1/3", "1", "3/2", "2", "0.7"])
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)

    def terms() -> str:
        return " + ".join(f"({draw(numbers)})*{name}" for name in draw(some))

    def row() -> str:
        return f"{terms()} {draw(st.sampled_from(['<=', '>=', '==', '<']))} {draw(st.integers(-4, 5))}"

    variables: dict[str, Any] = {}
    for name in names:
        low = draw(st.integers(-2, 1))
        variables[name] = {"domain": "integer", "lower": low, "upper": low + draw(st.integers(0, 3))}
    constraints: list[dict[str, Any]] = [{"kind": "linear", "row": row()} for _ in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        constraints.append({"kind": "either_or", "alternatives": [row(), [row(), row()]]})
    goals = [
        {"sense": draw(st.sampled_from(["minimize", "maximize"])), "terms": terms()}
        for _ in range(draw(st.integers(1, 2)))
    ]
    return load(
        {"variables": variables, "constraints": constraints, "objective": {"kind": "lexicographic", "of": goals}}
    )


@settings(max_examples=60 * MORE, deadline=None)
@given(found=integer_models())
def test_solutions_agree_with_trying_every_point(found: Model) -> None:
    solution = solve(found)
    feasible = [world for world in points(found) if holds(world)]
    if not feasible:
        assert solution.status == "infeasible"
        return
    senses = [goal.sense for goal in found.problem.objective.goals()]
    signs = [1 if sense == "maximize" else -1 for sense in senses]
    ranked = [
        tuple(sign * value for sign, value in zip(signs, objective_at(world)[1], strict=True)) for world in feasible
    ]
    assert solution.status == "optimal"
    assert solution.exact
    assert tuple(sign * value for sign, value in zip(signs, solution.goals, strict=True)) == max(ranked)
    assert holds(World(found.bound, solution.values))


@pytest.mark.parametrize("kind", sorted({**CONSTRAINTS, **OBJECTIVES}))
def test_values_satisfy_the_meaning_of_every_kind(kind: str) -> None:
    """And the objective by meaning is the matrix' own at an optimum."""
    rng = random.Random(kind)
    statement = {**CONSTRAINTS, **OBJECTIVES}[kind]
    for _ in range(6):
        found = load(statement.generate(rng))
        solution = solve(found)
        assert solution.status in ("optimal", "infeasible")
        if solution.optimal:
            assert solution.exact
            assert holds(World(found.bound, solution.values))
            if found.matrix.objectives:
                columns = {**solution.values, **solution.helpers}
                at = [columns[column.name, column.key] for column in found.matrix.columns]
                assert found.matrix.objectives[0].of.value(at) == solution.objective


# ---- large models go directly ----------------------------------------------------------------------------------------


def transport(size: int) -> Model:
    ends = range(1, size + 1)
    costs = [[i, j, (7 * i + 13 * j) % 17 + 1] for i in ends for j in ends]
    total = "sum(cost[i, j]*ship[i, j] for i in I for j in J)"
    return load(
        {
            "sets": {"I": {"range": [1, size]}, "J": {"range": [1, size]}},
            "parameters": {"cost": {"index": ["I", "J"], "values": costs}},
            "variables": {"ship": {"over": "i in I, j in J"}},
            "objective": {"kind": "optimize", "sense": "minimize", "terms": total},
            "constraints": [
                {"kind": "linear", "forall": "i in I", "row": "sum(ship[i, j] for j in J) <= 10"},
                {"kind": "linear", "forall": "j in J", "row": "sum(ship[i, j] for i in I) >= 2"},
            ],
        }
    )


def test_both_sides_of_the_threshold_have_the_same_optimum() -> None:
    small, large = transport(30), transport(60)
    assert engine.is_ordinary(small.matrix)
    assert not engine.is_ordinary(large.matrix)
    for found in (small, large):
        direct = by_highs(found.matrix, Settings())
        through = engine.by_pyomo(found.matrix, Settings())
        assert direct.bound == pytest.approx(through.bound)
        solution = solve(found)
        assert (solution.status, solution.exact) == ("optimal", True)
        assert solution.objective == pytest.approx(direct.bound)


def test_relaxed_alternatives_go_directly() -> None:
    either = {"kind": "either_or", "alternatives": ["x <= 0", "x >= 8"]}
    matrix = model("x", either, x={"upper": 10}).matrix
    assert engine.is_ordinary(matrix)
    assert not engine.is_ordinary(relaxed(matrix))


# ---- exact values ----------------------------------------------------------------------------------------------------


def test_floats_off_a_vertex_become_simple_fractions_that_keep_every_row() -> None:
    matrix = model(None, "3*x + 3*y == 1", x={}, y={}).matrix
    found = recover(matrix, (0.1111111111111, 0.2222222222222), Settings())
    assert found == Point((Fraction(1, 9), Fraction(2, 9)))


def test_floats_that_break_a_row_are_no_point() -> None:
    matrix = model(None, "n == k", n=INTEGER, k=INTEGER).matrix
    assert recover(matrix, (0.4, 0.6), Settings()) is None


def test_data_that_contradict_by_less_than_the_tolerance_are_told_as_not_exact() -> None:
    found = solve(model("x", "x == 1", "x == 1.00000000001", x={"upper": 2}))
    assert found.status == "optimal"
    assert not found.exact
    assert found.value("x") == pytest.approx(1)
