from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.gdp import Disjunct, Disjunction
from pyomo.repn import generate_standard_repn

from data.errors import DataError
from formulation.build import pyomo_model, statement_of, to_highs, write_pyomo
from formulation.engine import Settings, by_highs, by_pyomo, is_ordinary
from formulation.ground import Rows
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.linearize import Matrix
from formulation.model import Model, load

KINDS = {**CONSTRAINTS, **OBJECTIVES}


def model(objective: str | None, *rows: Any, sense: str = "maximize", **variables: Any) -> Model:
    given: dict[str, Any] = {
        "variables": variables,
        "constraints": [{"kind": "linear", "row": row} if isinstance(row, str) else row for row in rows],
    }
    if objective is not None:
        given["objective"] = {"kind": "optimize", "sense": sense, "terms": objective}
    return load(given)


# ---- straight to HiGHS -----------------------------------------------------------------------------------------------


def test_highs_holds_the_matrix_as_it_is() -> None:
    found = model(
        "3*x - n + 7",
        "x - b == 0",
        x={"lower": "-1/4", "upper": None},
        n={"domain": "integer", "upper": 9},
        b={"domain": "binary"},
    )
    both_ends = Rows((0, 1), (1, 2), 1, Fraction(5, 2), "both ends")
    highs = to_highs(replace(found.matrix, rows=[both_ends, *found.matrix.rows]))
    lp = highs.getLp()
    entries = [highs.getRowEntries(i)[1:] for i in range(2)]
    assert [dict(zip(index, value, strict=True)) for index, value in entries] == [{0: 1.0, 1: 2.0}, {0: 1.0, 2: -1.0}]
    assert (lp.num_col_, lp.num_row_, lp.offset_, lp.sense_) == (3, 2, 7.0, highspy.ObjSense.kMaximize)
    assert list(lp.col_cost_) == [3.0, -1.0, 0.0]
    assert list(lp.col_lower_) == [-0.25, 0.0, 0.0]
    assert list(lp.col_upper_) == [np.inf, 9.0, 1.0]
    assert list(lp.row_lower_) == [1.0, 0.0]
    assert list(lp.row_upper_) == [2.5, 0.0]
    whole = highspy.HighsVarType.kInteger
    assert [kind == whole for kind in lp.integrality_] == [False, True, True]


def test_both_gaps_are_0_and_nothing_is_logged() -> None:
    highs = to_highs(model("x", "x <= 3", x={}).matrix)
    for option, value in {"mip_rel_gap": 0.0, "mip_abs_gap": 0.0, "output_flag": False, "presolve": "choose"}.items():
        assert highs.getOptionValue(option)[1] == value


def test_without_rows_or_objective() -> None:
    highs = to_highs(model(None, x={"lower": 2, "upper": 3}).matrix)
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1e-10*x <= 1", "c1: the coefficient 1e-10 of x is too small"),
        ("1e16*x <= 1", "c1: the coefficient 1e+16 of x is too large"),
        ("x <= 1e21", "c1: the bound 1e+21 is infinite"),
        ("1e390*x <= 1", "c1: 1000"),
    ],
)
def test_numbers_that_highs_would_change_are_refused(row: str, told: str) -> None:
    with pytest.raises(DataError, match=r"choose another unit|leave it out") as error:
        to_highs(model("x", row, x={}).matrix)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_an_objective_too_large_for_a_double_is_refused() -> None:
    with pytest.raises(DataError, match="objective: "):
        to_highs(model("1e25*x", x={"upper": 1}).matrix)


# ---- Pyomo -----------------------------------------------------------------------------------------------------------


def test_pyomo_names_and_indices_are_the_problems() -> None:
    found = load(
        {
            "sets": {"P": ["a", "b"], "T": {"range": [1, 2]}},
            "variables": {"make": {"over": "p in P, t in T", "upper": 4}, "total": {}},
            "objective": {"kind": "optimize", "sense": "maximize", "terms": "total"},
            "constraints": [
                {"kind": "linear", "id": "sums", "row": "sum(make[p, t] for p in P for t in T) == total"},
                {"kind": "linear", "id": "each", "forall": "p in P", "row": "make[p, 1] + make[p, 2] <= 3"},
            ],
        }
    )
    m = pyomo_model(found)
    assert m.make["a", 2].bounds == (0, 4)
    assert list(m.each) == ["a", "b"]
    assert m.objective.sense == pyo.maximize
    assert statement_of(m.each["b"]) == "each"
    assert statement_of(m.sums) == "sums"
    assert statement_of(m.make["a", 1]) == ""
    with pytest.raises(KeyError):
        statement_of(m.BigM)


def test_names_that_pyomo_keeps_for_itself_get_an_underscore() -> None:
    m = pyomo_model(
        model(
            "name + BigM + statements",
            "name + clone <= 4",
            name={},
            clone={},
            BigM={"upper": 1},
            statements={"upper": 1},
        )
    )
    assert {v.name for v in m.component_data_objects(pyo.Var)} == {"name_", "clone_", "BigM_", "statements_"}


def test_all_goals_are_there_and_the_first_is_active() -> None:
    m = pyomo_model(
        load(
            {
                "variables": {"x": {"upper": 1}},
                "objective": {
                    "kind": "lexicographic",
                    "of": [{"sense": "maximize", "terms": "x"}, {"sense": "minimize", "terms": "2*x + 1"}],
                },
            }
        )
    )
    goals = {o.name: o.active for o in m.component_data_objects(pyo.Objective)}
    assert goals == {"objective": True, "objective2": False}


def alternatives() -> Model:
    return model(
        "x + y",
        {"kind": "either_or", "id": "shift", "alternatives": ["x <= 3", ["y <= 1", "x + y <= 9"]]},
        {"kind": "conditional", "id": "rule", "when": "open", "then": "x >= 5"},
        x={"upper": 10},
        y={"upper": 10},
        open={"domain": "binary"},
    )


def test_alternatives_are_disjunctions_until_they_are_transformed() -> None:
    m = pyomo_model(alternatives(), transform=False)
    shift = next(d for d in m.component_data_objects(Disjunction) if statement_of(d) == "shift")
    assert not shift.xor
    assert [len(d.rows) for d in shift.disjuncts] == [1, 2]
    assert {statement_of(d) for d in m.component_data_objects(Disjunct)} == {"shift", "rule"}


def test_gdp_takes_the_big_ms_from_the_suffix() -> None:
    matrix = alternatives().matrix
    m, columns = write_pyomo(matrix, transform=False)
    pyo.TransformationFactory("gdp.bigm").apply_to(m)
    assert_same_rows(m, columns, matrix)


def test_what_gdp_makes_comes_from_a_statement() -> None:
    m = pyomo_model(alternatives())
    found = Counter(statement_of(c) for c in m.component_data_objects(pyo.Constraint, active=True))
    # Three rows and 'at least one' of the choice; a row, 'yes or no' and the link of the rule.
    assert found == {"shift": 4, "rule": 3}


Row = tuple[float | None, frozenset[tuple[Any, float]], float | None]


def as_row(lower: Any, terms: Mapping[Any, Any], upper: Any, shift: float = 0.0) -> Row:
    low, high = (None if x is None else round(float(x) - shift, 9) + 0.0 for x in (lower, upper))
    return low, frozenset((name, round(float(a), 9)) for name, a in terms.items() if round(float(a), 9)), high


def rows_of(m: Any, names: Mapping[int, Any]) -> Counter[Row]:
    """Every active row, with a name for each variable by its id; ("not", y) stands for 1 - y."""
    found: Counter[Row] = Counter()
    for row in m.component_data_objects(pyo.Constraint, active=True):
        repn = generate_standard_repn(row.body)
        terms: Counter[Any] = Counter()
        shift = float(repn.constant)
        for a, v in zip(repn.linear_coefs, repn.linear_vars, strict=True):
            name = names[id(v)]
            if isinstance(name, tuple):
                shift += a
                terms[name[1]] -= a
            else:
                terms[name] += a
        found[as_row(pyo.value(row.lower), terms, pyo.value(row.upper), shift)] += 1
    return found


def assert_same_rows(m: Any, columns: list[Any], matrix: Matrix) -> None:
    """A transformed model is the matrix row by row, with its big-Ms, once yes and no stand for y and 1 - y."""
    names: dict[int, Any] = {id(v): i for i, v in enumerate(columns)}
    links = [c for c in m.component_data_objects(pyo.Constraint, active=True) if c.local_name.endswith("_is")]
    for link in links:
        yes, y = generate_standard_repn(link.body).linear_vars
        decision = next(d for d in m.component_data_objects(Disjunction) if d.disjuncts[0].binary_indicator_var is yes)
        no = decision.disjuncts[1].binary_indicator_var
        names[id(yes)], names[id(no)] = names[id(y)], ("not", names[id(y)])
    found = rows_of(m, names)
    empty = as_row(0, {}, 0)
    assert found.pop(empty, 0) >= 2 * len(links)  # yes = y, and yes + no = 1
    expected = Counter(
        as_row(row.lower, dict(zip(row.columns, row.coefficients, strict=True)), row.upper) for row in matrix.rows
    )
    expected.pop(empty, None)
    assert found == expected


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_transformed_model_is_the_matrix(kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(8):
        matrix = load(KINDS[kind].generate(rng)).matrix
        assert_same_rows(*write_pyomo(matrix), matrix)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_both_paths_agree(kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(2):
        matrix = load(KINDS[kind].generate(rng)).matrix
        if not is_ordinary(matrix):
            continue
        direct, through = by_highs(matrix, Settings()), by_pyomo(matrix, Settings())
        assert direct.verdict == through.verdict
        assert direct.bound == pytest.approx(through.bound, abs=1e-6)
