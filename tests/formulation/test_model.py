"""Edits of a model say the same as the edited problem written out anew, big-Ms included; scenarios are such edits."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, UserError
from formulation.model import Model, load
from formulation.report import as_text
from tests.formulation import random_problems
from tests.formulation.exact import Unbounded

Values = dict[str, Any]
"""A problem as JSON values."""


def random_values(rng: random.Random) -> Values:
    """A problem with logic, of which a bound and a limit are parameters."""
    values = random_problems.problem(rng, "ijbxy", 3, logic=True).problem.plain()
    values["parameters"] = {"cap": {"value": 2}, "room": {"value": rng.randint(0, 6)}}
    values["variables"]["y"]["upper"] = "cap"
    row = f"{random_problems.expression(rng, 'ijxy')} <= room"
    values["constraints"].append({"kind": "linear", "id": "room", "row": row})
    return values


def edited(rng: random.Random, values: Values) -> tuple[Callable[[Model], Model], Values]:
    """A random edit, and the JSON values of the problem that it should make."""
    values = copy.deepcopy(values)
    constraints = values["constraints"]
    match rng.choice(["data", "data", "relax", "fix", "add"]):
        case "data":
            name, value = rng.choice(["cap", "room"]), rng.choice([0, 1, 3, 5, "1/2"])
            values["parameters"][name] = {"value": value}
            return (lambda model: model.with_data({name: value})), values
        case "relax" if constraints:
            gone = rng.choice(load(values).problem.constraints).id
            written = [c.id for c in load(values).problem.constraints]
            del constraints[written.index(gone)]
            return (lambda model: model.relax(gone)), values
        case "fix":
            name = rng.choice("ijbxy")
            value = rng.choice([0, 1, 2])
            constraints.append({"kind": "linear", "row": f"{name} == {value}"})
            return (lambda model: model.fix(name, value)), values
        case _:
            more = random_problems.statement(rng, "ijbxy", logic=True)
            constraints.append(more)
            return (lambda model: model.add(more)), values


def best(model: Model) -> Fraction | str | None:
    """The optimum by exact arithmetic, None where there is no point."""
    try:
        return random_problems.optimum(model)
    except Unbounded:
        return "unbounded"


@settings(max_examples=30)
@given(st.integers(0, 10**9))
def test_edits_equal_the_edited_problem_written_out_anew(seed):
    rng = random.Random(seed)
    values = random_values(rng)
    model = load(values)
    _ = model.matrix  # what was derived before the edits must not stay
    for _ in range(rng.randint(1, 3)):
        edit, values = edited(rng, values)
        model = edit(model)
    fresh = load(values)
    one, other = model.matrix, fresh.matrix
    assert [(c.name, c.key, c.domain, c.lower, c.upper) for c in one.columns] == [
        (c.name, c.key, c.domain, c.lower, c.upper) for c in other.columns
    ]
    assert [(r.columns, r.coefficients, r.lower, r.upper) for r in one.rows] == [
        (r.columns, r.coefficients, r.lower, r.upper) for r in other.rows
    ]
    assert [(m.row, m.value, m.column, m.active) for m in one.big_ms] == [
        (m.row, m.value, m.column, m.active) for m in other.big_ms
    ]
    solution, judged = model.solve(), best(fresh)
    assert solution.objective == (None if isinstance(judged, str) else judged)
    assert solution.status == {None: "infeasible", "unbounded": "unbounded"}.get(judged, "optimal")


@settings(max_examples=8)
@given(st.integers(0, 10**9))
def test_every_scenario_is_the_edited_problem_solved_anew(seed):
    rng = random.Random(seed)
    values = random_values(rng)
    edits = [edited(rng, values) for _ in range(3)]
    table = load(values).scenarios([{}] + [edit for edit, _ in edits], values=["x", "b"])
    for row, problem in zip(table.rows, [values] + [problem for _, problem in edits], strict=True):
        fresh = load(problem)
        assert row.objective == best(fresh)
        assert row.status == ("infeasible" if row.objective is None else "optimal")
        if row.objective is not None:
            assert set(row.values) == {("x", ()), ("b", ())}
            # The values told are those of a best point: with them fixed, the optimum stays.
            held = fresh.fix("x", row.values["x", ()]).fix("b", row.values["b", ()])
            assert best(held) == row.objective


SHOP: Values = {
    "sets": {"GOODS": {"elements": ["chair", "table"]}},
    "parameters": {
        "hours": {"value": 20},
        "profit": {"index": ["GOODS"], "values": {"chair": 3, "table": 5}},
        "most": {"index": ["GOODS"], "values": {"chair": 8, "table": 4}},
    },
    "variables": {
        "make": {"over": "g in GOODS", "domain": "integer", "upper": "most[g]"},
        "open": {"domain": "binary"},
        "late": {"upper": 6},
    },
    "objective": {
        "kind": "optimize",
        "sense": "maximize",
        "terms": "sum(profit[g]*make[g] for g in GOODS) - 2*late - 4*open",
    },
    "constraints": [
        {"kind": "linear", "id": "work", "row": "2*make['chair'] + 3*make['table'] <= hours + late"},
        {"kind": "linear", "id": "few", "row": "make['chair'] + make['table'] <= 5"},
        {"kind": "conditional", "id": "closed", "when": "not open", "then": ["sum(make[g] for g in GOODS) <= 2"]},
    ],
}


def big_m(model: Model) -> int | Fraction:
    (big,) = model.matrix.big_ms
    return big.value


def test_a_big_m_follows_what_it_rests_on():
    model = load(SHOP)
    assert big_m(model) == 5 + 4 - 2  # by the row `few` and the bound of tables
    assert "few" in model.matrix.big_ms[0].rests_on
    assert big_m(model.relax("few")) == 8 + 4 - 2  # by the bounds of what is made
    assert big_m(model.relax("few").with_data(hours=2)) == 4 + 2 - 2  # by the hours with those that are late
    assert big_m(model.relax("few", "work").with_data(most={"chair": 80, "table": 40})) == 80 + 40 - 2
    assert big_m(model) == 5 + 4 - 2


def test_an_element_is_fixed_by_its_key():
    model = load(SHOP)
    assert model.fix("make", 1, "table").solve().value("make", "table") == 1
    assert model.fix("make", "2", ("table",)).solve().value("make", "table") == 2
    assert model.solve().value("make", "table") == 4


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda m: m.fix("mak", 1), "no variable 'mak'; did you mean \"make\"?"),
        (lambda m: m.fix("open", "many"), "fix open: 'many' is no number"),
        (lambda m: m.fix("make", float("nan"), "table"), "fix make['table']: nan is no finite number"),
        (lambda m: m.fix("make", 1, "stool").matrix, "make['stool'] does not exist"),
        (lambda m: m.relax("none"), "no constraint 'none'"),
        (lambda m: m.add({"kind": "linear", "id": "few", "row": "late <= 1"}), "two constraints have the id 'few'"),
        (lambda m: m.add({"kind": "linear", "row": "lte <= 1"}).bound, 'no such variable or parameter "lte"'),
        (lambda m: m.with_data(hour=3).bound, "the problem names no such data"),
        (lambda m: m.scenarios([{"hour": 3}]), "scenario hour = 3: data 'hour': the problem names no such data"),
        (lambda m: m.scenarios({"short": {"hours": "few"}}), "scenario short: parameters.hours: 'few' is no number"),
        (lambda m: m.scenarios({"hours": 3}), "scenario hours: give data by name, or a function"),
        (lambda m: m.scenarios([lambda m: m.matrix]), "scenario 1: its function returns no Model"),
        (lambda m: m.scenarios([{}], values=["mke"]), "values: no variable 'mke'; did you mean \"make\"?"),
    ],
)
def test_a_mistake_in_an_edit_is_one_line(edit, told):
    with pytest.raises(UserError) as caught:
        edit(load(SHOP))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def without_work(model: Model) -> Model:
    return model.relax("work")


def test_scenarios_stand_in_one_table():
    found = load(SHOP).scenarios([{}, {"hours": 3}, {"hours": 3}, without_work, lambda m: m.fix("late", 7)])
    assert [row.name for row in found.rows] == ["as given", "hours = 3", "hours = 3 (2)", "without_work", "5"]
    assert [row.status for row in found.rows] == ["optimal"] * 4 + ["infeasible"]
    assert found.columns == (("open", ()), ("late", ()))  # those without an index
    assert found.rows[0].objective == 3 + 5 * 4 - 4
    assert found.table().header == ("scenario", "status", "objective", "open", "late")
    assert found.table().rows[-1] == ("5", "infeasible", "", "", "")
    assert found.text == as_text(found.blocks())
    assert "5: no point satisfies all statements" in found.text
    assert found.plain()[0]["values"] == {"open": 1, "late": 0}
    assert found.plain()[-1]["objective"] is None


def test_scenarios_have_the_names_they_are_given_and_the_values_asked_for():
    found = load(SHOP).scenarios({"now": {}, "fewer": {"most": {"chair": 0, "table": 3}}}, values=["make"])
    assert found.table().rows == (("now", "optimal", "19", "1", "4"), ("fewer", "optimal", "11", "0", "3"))
    assert found.columns == (("make", ("chair",)), ("make", ("table",)))


def test_a_scenario_may_have_other_elements():
    model = load(SHOP).relax("work", "few")
    fewer = {"GOODS": ["table"], "profit": {"table": 5}, "most": {"table": 4}}
    found = model.scenarios({"both": {}, "tables": fewer}, values=["make"])
    assert [row[3:] for row in found.table().rows] == [("8", "4"), ("", "4")]


def test_a_scenario_that_the_time_limit_ends_is_marked():
    values = {
        "variables": {f"x{i}": {"domain": "integer", "upper": 10**6} for i in range(40)},
        "objective": {
            "kind": "optimize",
            "sense": "maximize",
            "terms": " + ".join(f"{10**6 + 7919 * i * i % 104729}*x{i}" for i in range(40)),
        },
        "constraints": [
            {
                "kind": "linear",
                "row": " + ".join(f"{10**6 + (104729 * i + k) % 7919}*x{i}" for i in range(40)) + f" <= {10**8 + k}",
            }
            for k in range(1, 30, 7)
        ],
    }
    (row,) = load(values).scenarios([{}], time_limit=1e-3).rows
    assert row.status in ("feasible", "undetermined")
    assert "time limit of 0.001 s" in row.reason


def test_scenarios_as_a_data_frame():
    pytest.importorskip("pandas")
    frame = load(SHOP).scenarios({"now": {}, "late": lambda m: m.fix("late", 7)}, values=["late"]).frame()
    assert list(frame.index) == ["now", "late"]
    assert list(frame.columns) == ["status", "objective", "late"]
    assert frame.loc["now", "objective"] == 19
    assert frame["objective"].isna().tolist() == [False, True]


def test_what_a_model_can_do_is_what_the_functions_do(tmp_path):
    model = load(SHOP)
    solution = model.solve()
    verdict = model.verify(solution)
    assert verdict.ok
    assert verdict.objective == 19
    assert "19" in model.explain(solution).text
    assert model.explain().outcome is None
    (written,) = model.export(tmp_path / "shop.json")
    assert model.compare(load(written)).verdict == "EQUIVALENT"
    assert model.compare(model.relax("few"), notion="structural").verdict == "UNDECIDED"
    conflict = model.fix("late", 7).iis()
    assert conflict.irreducible
    assert len(conflict.statements) == 1  # `late` is at most 6
    with pytest.raises(UserError, match="has a solution"):
        model.iis()


def test_a_file_that_is_no_model_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "none.json")


def test_a_model_is_shown_in_one_line():
    shop = load({**SHOP, "name": "A shop\nof two goods"})
    assert repr(shop) == "<Model 'A shop of two goods': 3 variables, 3 statements, maximize>"
    assert repr(shop.relax("work").fix("late", 2).relax("few")) == repr(shop).replace("3 statements", "2 statements")
    one = {"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x >= 3"}]}
    assert repr(load(one)) == "<Model: 1 variable, 1 statement, no objective>"
    said = {**one, "text": "Word " * 100, "objective": {"kind": "optimize", "sense": "minimize", "terms": "x"}}
    assert repr(load(said)).startswith("<Model 'Word Word ") and len(repr(load(said))) < 120
    goals = [{"sense": sense, "terms": "x"} for sense in ("minimize", "maximize")]
    two = {**one, "objective": {"kind": "goals", "of": goals}}
    assert repr(load(two)) == "<Model: 1 variable, 1 statement, 2 goals>"
