"""The exact judge of small models, against HiGHS and against what can be counted by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from formulation.build import to_highs
from formulation.ground import Linear
from formulation.kinds import CONSTRAINTS
from formulation.linearize import Objective
from formulation.model import load
from tests.formulation.exact import Exact, Unbounded


def exact(variables: dict, *rows: str) -> Exact:
    constraints = [{"kind": "linear", "row": row} for row in rows]
    return Exact(load({"variables": variables, "constraints": constraints}).matrix)


def test_the_corner_of_two_rows() -> None:
    judge = exact({"x": {}, "y": {}}, "3*x + y <= 2", "x + 3*y <= 2")
    assert judge.best({0: 1, 1: 1}, {}) == (1, [Fraction(1, 2), Fraction(1, 2)])
    assert judge.best({0: 1, 1: 1}, {0: 0}) == (Fraction(2, 3), [0, Fraction(2, 3)])
    assert judge.best({0: 1, 1: 1}, {}, without=0) == (2, [2, 0])


def test_whole_numbers_are_branched_on() -> None:
    whole = {"domain": "integer", "upper": 10}
    assert exact({"x": whole, "y": whole}, "2*x + 2*y <= 7").best({0: 1, 1: 1}, {})[0] == 3
    assert exact({"x": whole, "y": whole}, "2*x + 2*y == 7").best({}, {}) is None


def test_no_bound_no_optimum() -> None:
    judge = exact({"x": {"lower": None}, "y": {}}, "x + y <= 2")
    with pytest.raises(Unbounded):
        judge.best({0: -1}, {})
    assert judge.best({0: 1}, {})[0] == 2


@pytest.mark.parametrize("seed", range(60))
def test_it_agrees_with_highs(seed: int) -> None:
    rng = random.Random(seed)
    matrix = load(CONSTRAINTS[rng.choice([*CONSTRAINTS])].generate(rng)).matrix
    terms = {i: rng.choice([-2, -1, 1, 2]) for i, column in enumerate(matrix.columns) if column.role == "variable"}
    found = Exact(matrix).best(terms, {})
    goal = Objective("maximize", Linear(tuple(terms), tuple(terms.values())))
    highs = to_highs(replace(matrix, objectives=[goal]))
    highs.run()
    status = highs.modelStatusToString(highs.getModelStatus())
    assert (status == "Optimal") == (found is not None)
    if found is not None:
        assert highs.getInfo().objective_function_value == pytest.approx(float(found[0]), abs=1e-6)
