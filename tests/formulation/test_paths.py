"""The two ways to HiGHS, directly and through Pyomo, hand over equal models: `compare` says so of what HiGHS holds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyomo.environ  # noqa: F401  registers the solver
import pytest
from pyomo.contrib.solver.common.factory import SolverFactory

from benchmarks.transport import PROBLEM, write_tables
from formulation.build import pyomo_model, to_highs
from formulation.engine import is_ordinary
from formulation.equivalence import compare
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.model import Model, load
from formulation.schema import read_problem

KINDS = {**CONSTRAINTS, **OBJECTIVES}


def read_back(highs: Any, path: Path) -> Model:
    highs.writeModel(str(path))
    return load(path)


def both_ways(found: Model, folder: Path) -> tuple[Model, Model]:
    """What HiGHS holds after each way, read back from the file it writes."""
    solver = SolverFactory("highs")
    solver.set_instance(pyomo_model(found))
    through = solver._solver_model
    return read_back(to_highs(found.matrix), folder / "direct.mps"), read_back(through, folder / "through.mps")


def idle(found: Model) -> bool:
    """Whether a variable stands in no row and no objective: Pyomo hands over none of these."""
    matrix = found.matrix
    used = {i for row in matrix.rows for i in row.columns}.union(*(one.of.columns for one in matrix.objectives[:1]))
    return len(used) < len(matrix.columns)


def test_a_transport_model_is_the_same_either_way_and_what_was_written(tmp_path: Path) -> None:
    write_tables(tmp_path, 400)
    found = Model(read_problem(PROBLEM), folder=tmp_path)
    assert is_ordinary(found.matrix)
    for one in both_ways(found, tmp_path):
        assert compare(found, one).verdict == "EQUIVALENT"


@pytest.mark.parametrize("seed", range(4))
def test_random_models_are_the_same_either_way(seed: int, tmp_path: Path) -> None:
    """Alternatives are left out: as Disjunctions they have other rows; the tests of building compare their optima."""
    rng = random.Random(seed)
    compared = set()
    for kind in KINDS:
        found = Model(KINDS[kind].generate(rng))
        if found.matrix.big_ms or not is_ordinary(found.matrix) or idle(found):
            continue
        direct, through = both_ways(found, tmp_path)
        told = compare(direct, through)
        assert told.verdict == "EQUIVALENT", (kind, told.reason)
        compared.add(kind)
    assert len(compared) >= 10


def test_a_changed_number_on_one_way_is_seen(tmp_path: Path) -> None:
    write_tables(tmp_path, 400)
    found = Model(read_problem(PROBLEM), folder=tmp_path)
    highs = to_highs(found.matrix)
    highs.changeColCost(7, 1234.5)
    assert compare(found, read_back(highs, tmp_path / "changed.mps")).verdict == "DIFFERENT"
