"""The stand-alone Pyomo script says the same as the model: it is run, and its optimum compared."""

from __future__ import annotations

import contextlib
import io
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from formulation.export import export
from formulation.expressions import At, Mul, Ref, Sum, constant, total
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.kinds.objective import Optimize
from formulation.model import Model, load
from formulation.schema import Problem
from formulation.script import pyomo_script


def with_goal(problem: Problem, rng: random.Random) -> Problem:
    """The problem with a random objective over all its variables, where it has none."""
    if problem.objective is not None:
        return problem
    terms = []
    for name, variable in problem.variables.items():
        factor = constant(rng.choice([-2, -1, 1, 2, "1/3"]))
        if variable.over is None:
            terms.append(Mul(factor, Ref(name)))
        else:
            index = tuple(At(symbol) for symbol in dict.fromkeys(variable.over.symbols))
            terms.append(Mul(factor, Sum(variable.over, Ref(name, index))))
    goal = Optimize(sense=rng.choice(["minimize", "maximize"]), terms=total(*terms))
    return problem.model_copy(update={"objective": goal})


def run(model: Model) -> list[float] | None:
    """The values of the script's goals, None where it finds no best point."""
    import pyomo.environ as pyo

    space: dict[str, Any] = {"__name__": "script"}
    exec(compile(pyomo_script(model), "script", "exec"), space)
    built = space["build"]()
    with contextlib.redirect_stdout(io.StringIO()):
        found = space["solve"](built)
    return [pyo.value(goal) for goal in built.component_data_objects(pyo.Objective)] if found else None


def agree(model: Model) -> str:
    """Compare the script with the model's own solution; says its status."""
    solution, found = model.solve(), run(model)
    if solution.status == "optimal":
        assert found is not None
        assert solution.objective is not None
        assert abs(found[0] - float(solution.objective)) < 1e-5, pyomo_script(model)
    else:
        assert found is None, pyomo_script(model)
    return solution.status


@pytest.mark.parametrize("kind", sorted({**CONSTRAINTS, **OBJECTIVES}))
def test_every_kind_has_the_same_optimum(kind: str) -> None:
    statuses = set()
    for seed in range(6):
        rng = random.Random(seed)
        statuses.add(agree(Model(with_goal({**CONSTRAINTS, **OBJECTIVES}[kind].generate(rng), rng))))
    assert "optimal" in statuses


def test_sets_shifts_filters_and_conditions() -> None:
    later, inflow = "t in T if t != first(T)", "sum(flow[i, j] for (i, j) in ARCS if cost[i, j] < 4)"
    given: dict[str, Any] = {
        "sets": {
            "T": {"elements": ["jan", "feb", "mar", "apr"], "ordered": True},
            "N": {"range": [1, 4]},
            "P": ["p", "q"],
            "ARCS": {"elements": [["p", 1], ["p", 3], ["q", 2], ["q", 3]], "within": ["P", "N"]},
            "LOOPS": {"elements": [[1, 1], [1, 2], [3, 3]], "within": ["N", "N"]},
        },
        "parameters": {
            "cost": {"index": ["ARCS"], "values": [["p", 1, 3], ["p", 3, "1/3"], ["q", 2, 2.5]], "default": 4},
            "need": {"index": ["T"], "values": {"jan": 1, "feb": 3, "mar": 2, "apr": 4}},
            "two": 2,
        },
        "variables": {
            "flow": {"over": "(i, j) in ARCS if cost[i, j] < 4", "upper": "cost[i, j] + two"},
            "stock": {"over": "t in T", "upper": 9},
            "make": {"over": "t in T", "upper": 5, "minimum": 1},
            "n": {"over": "j in N", "domain": "integer", "upper": 6},
        },
        "objective": {
            "kind": "optimize",
            "sense": "minimize",
            "terms": "sum(stock[t] + 2*make[t] + 3*selected(make[t]) for t in T) - sum(flow[i, j] for (i, j) in ARCS "
            "if cost[i, j] < 4) + sum(n[i] for (i, i) in LOOPS)",
        },
        "constraints": [
            {"kind": "linear", "row": "stock[t] == stock[t-1] + make[t] - need[t]", "forall": later},
            {"kind": "linear", "row": "stock['jan'] == make['jan'] - need['jan'] + 1"},
            {"kind": "linear", "row": "make[t] + make[t+1] <= 7", "forall": "t in T if t < last(T)"},
            {"kind": "linear", "row": "make[s] <= make[t] + 4", "forall": "s in T, t in T if s < t and t-1 != s"},
            {"kind": "linear", "row": f"{inflow} <= n[j] + 1/2", "forall": "j in N"},
            {"kind": "linear", "row": "n[j] >= 1", "forall": "j in N if (j, j) in LOOPS or not (j, 2) in LOOPS"},
            {"kind": "linear", "row": "n[j] + n[k] > 2", "forall": "j in N, k in N if j < k and j < 2"},
        ],
    }  # fmt: skip
    model = load(given)
    assert agree(model) == "optimal"
    text = pyomo_script(model)
    assert "moved(T, t, -1)" in text
    assert "in_LOOPS" in text


def test_logic_over_sets_keeps_its_constants_by_key() -> None:
    every = "i in I, k in K"
    given: dict[str, Any] = {
        "sets": {"I": ["a", "b"], "K": ["u", "v"]},
        "parameters": {"most": {"index": ["I"], "values": {"a": 4, "b": 9}}},
        "variables": {
            "x": {"over": "i in I", "upper": "most[i]"},
            "y": {"over": "i in I, k in K", "upper": "most[i]"},
            "on": {"over": "i in I", "domain": "binary"},
        },
        "objective": {
            "kind": "optimize",
            "sense": "maximize",
            "terms": "sum(x[i] for i in I) + sum(y[i, k] for i in I for k in K) - 3*sum(on[i] for i in I)",
        },
        "constraints": [
            {"kind": "conditional", "when": "not on[i]", "then": ["x[i] <= 1", "y[i, 'u'] == 2"], "forall": "i in I"},
            {"kind": "either_or", "alternatives": ["x[i] <= 2", ["y[i, k] >= 3", "y[i, k] <= 4"]], "forall": every},
            {"kind": "semi_continuous", "variable": "y[i, k]", "minimum": "most[i]/2", "forall": every},
            {"kind": "piecewise_cost", "of": "x[i]", "points": [[0, 0], [1, 3], [9, 5]], "forall": "i in I"},
            {"kind": "soft", "terms": "y[i, 'v']", "sense": "<=", "limit": 2, "penalty": "1/2", "forall": "i in I"},
        ],
    }  # fmt: skip
    model = load(given)
    assert agree(model) == "optimal"
    assert "M_c1 = {" in pyomo_script(model)


def test_rows_without_variables() -> None:
    given: dict[str, Any] = {
        "sets": {"I": ["a", "b"], "SOME": {"elements": [["a", 1]], "within": ["I", "N"]}, "N": [1]},
        "variables": {"x": {"over": "n in N", "upper": 3}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "x[1]"},
        "constraints": [{"kind": "linear", "row": "sum(x[n] for (i, n) in SOME) <= 2", "forall": "i in I"}],
    }
    assert agree(load(given)) == "optimal"
    given["constraints"][0]["row"] = "sum(x[n] for (i, n) in SOME) >= 1"
    assert agree(load(given)) == "infeasible"


def test_strict_rows_over_whole_numbers_keep_their_distance() -> None:
    given: dict[str, Any] = {
        "sets": {"I": ["a", "b"]},
        "parameters": {"most": {"index": ["I"], "values": {"a": "7/2", "b": 4}}},
        "variables": {"n": {"over": "i in I", "domain": "integer", "upper": 9}, "x": {"upper": 9}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(n[i] for i in I) + x"},
        "constraints": [
            {"kind": "linear", "row": "n[i] < most[i]", "forall": "i in I"},
            {"kind": "linear", "row": "2*x < 3"},
        ],
    }
    model = load(given)
    assert agree(model) == "optimal"
    assert model.solve().objective == 3 + 3 + Fraction(3, 2)
    open_ = Model(model.problem, ignore_strict=True)
    assert agree(open_) == "optimal"
    given["constraints"].append({"kind": "conditional", "when": "n['a'] >= 1", "then": "x <= 1"})
    both = {"kind": "either_or", "alternatives": ["n['a'] < 2", "x < 1"]}
    given["constraints"][-1] = both
    with pytest.raises(UserError, match="c3: its relations with < and >"):
        pyomo_script(load(given))


def test_names_that_python_and_pyomo_use() -> None:
    names = ["len", "pyo", "m", "build", "model", "value", "print", "nothing", "index", "name", "moved", "row", "k"]
    given: dict[str, Any] = {
        "sets": {"list": [1, 2], "range": [1]},
        "parameters": {"max": {"index": ["list"], "values": {"1": 3, "2": 4}}, "solve": 2},
        "variables": {name: {"upper": 2} for name in names} | {"dict": {"over": "key in list", "upper": "max[key]"}},
        "objective": {
            "kind": "optimize",
            "sense": "maximize",
            "terms": f"{' + '.join(names)} + sum(dict[sum_] for sum_ in list)",
        },
        "constraints": [
            {"kind": "linear", "id": "objective", "row": "len + solve*value <= 3"},
            {"kind": "linear", "id": "len", "row": "dict[range_] <= max[range_] - 1", "forall": "range_ in list"},
            {"kind": "either_or", "id": "k", "alternatives": ["k <= 1", "row <= 1"]},
        ],
    }
    assert agree(load(given)) == "optimal"


def test_texts_are_no_code() -> None:
    nasty = 'x"""\nimport os; raise SystemExit(3)\n"""\\N{BULLET} {title} \u2028 \r end'
    given: dict[str, Any] = {
        "name": nasty,
        "text": nasty,
        "sets": {"I": {"elements": [nasty, "'"], "label": nasty}},
        "parameters": {"p": {"value": 1, "label": nasty}},
        "variables": {"x": {"over": "i in I", "upper": "p", "label": nasty}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(x[i] for i in I)", "label": nasty},
        "constraints": [
            {"kind": "linear", "row": "sum(x[i] for i in I) <= 1", "label": nasty, "sources": {"": {"text": nasty}}}
        ],
    }
    assert agree(load(given)) == "optimal"


def test_the_file_runs_by_itself(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "name": "Two goals",
        "variables": {"x": {"upper": 3}, "y": {"domain": "integer", "upper": 3}},
        "objective": {
            "kind": "lexicographic",
            "of": [{"sense": "maximize", "terms": "x + y"}, {"sense": "minimize", "terms": "y"}],
        },
        "constraints": [{"kind": "linear", "row": "x + y <= 9/2"}],
    }
    (path,) = export(load(given), tmp_path / "two.py")
    done = subprocess.run(
        [sys.executable, "-I", str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert "objective_1 (maximize): 4.5" in done.stdout
    assert "objective_2 (minimize): 2" in done.stdout
    assert "x = 2.5" in done.stdout
    assert "formulation" not in path.read_text()


def test_data_is_inline(tmp_path: Path) -> None:
    rng = random.Random(0)
    values = {f"k{i:03}": rng.randint(0, 10**6) for i in range(200)}
    given = {
        "sets": {"K": list(values)},
        "parameters": {"worth": {"index": ["K"], "values": values}},
        "variables": {"take": {"over": "k in K", "domain": "binary"}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "sum(worth[k]*take[k] for k in K)"},
        "constraints": [{"kind": "count", "of": "take[k]", "over": "k in K", "at_most": 7}],
    }
    text = pyomo_script(load(given))
    space: dict[str, Any] = {"__name__": "script"}
    exec(text, space)
    assert space["worth"] == values
    assert json.dumps(space["K"]) == json.dumps(list(values))
    assert max(map(len, text.splitlines())) <= 130
