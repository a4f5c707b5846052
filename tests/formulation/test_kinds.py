"""What holds of every kind of statement, on random problems of each: a new kind is tested by being there.

STEPSOLVER_HARNESS (default 1) multiplies the number of problems.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

import pytest

from formulation.files import read_file, write_file
from formulation.kinds import CONSTRAINTS, OBJECTIVES
from formulation.linearize import Matrix
from formulation.schema import Problem, read_problem
from tests.formulation.effort import MORE
from tests.formulation.harness import Case, Effort, disagreements, mutants

INSTANCES = 24 * MORE
EFFORT = Effort(points=60, rounds=2)
KINDS = {**CONSTRAINTS, **OBJECTIVES}
each_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def problem(kind: str, seed: int) -> Problem:
    return KINDS[kind].generate(random.Random(f"{kind} {seed}"))


@functools.cache
def case(kind: str, seed: int) -> Case:
    return Case(problem(kind, seed))


@each_kind
def test_the_generator_makes_problems_of_its_kind_and_the_same_ones_again(kind: str) -> None:
    for seed in range(INSTANCES):
        found = problem(kind, seed)
        assert kind == (found.constraints[0].kind if kind in CONSTRAINTS else found.objective.kind)
        assert found == KINDS[kind].generate(random.Random(f"{kind} {seed}"))


@each_kind
def test_problems_survive_json_and_yaml(kind: str, tmp_path: Path) -> None:
    for seed in range(INSTANCES):
        found = problem(kind, seed)
        assert read_problem(found.plain()) == found
        for path in (tmp_path / "problem.json", tmp_path / "problem.yaml"):
            write_file(found, path)
            assert read_file(path) == found


@each_kind
def test_rows_say_what_statements_mean(kind: str) -> None:
    for seed in range(INSTANCES):
        one = case(kind, seed)
        found = next(disagreements(one, one.matrix, random.Random(seed), EFFORT), None)
        assert found is None, f"seed {seed}: {found}\n{json.dumps(one.problem.plain(), indent=1)}"


@each_kind
def test_random_problems_tell_points_apart(kind: str) -> None:
    """Else the harness would compare nothing."""
    verdicts = {
        case(kind, seed).meaning(values)
        for seed in range(INSTANCES)
        for values in case(kind, seed).grid(random.Random(seed), EFFORT.points)
    }
    assert any(holds for holds, _ in verdicts)
    assert len(verdicts) > 1


@each_kind
def test_wrong_rows_are_caught(kind: str) -> None:
    """Of every sort of mistake that rows of this kind can have, some of a few dozen random ones is found.

    The others follow from other rows, or say the same: a link that no cost pulls at, 2*x >= 0.
    """
    waiting: dict[str, list[tuple[int, Matrix]]] = {}
    for seed in range(8 * MORE):
        for what, matrices in mutants(case(kind, seed)).items():
            waiting.setdefault(what, []).extend((seed, matrix) for matrix in matrices)
    rng = random.Random(kind)
    for what, found in waiting.items():
        tried = rng.sample(found, min(len(found), 40))
        assert any(
            next(disagreements(case(kind, seed), matrix, random.Random(seed), EFFORT), None) is not None
            for seed, matrix in tried
        ), f"{what}: none of {len(tried)} of {len(found)} mutants was caught"


@pytest.mark.parametrize("seed", range(60 * MORE))
def test_rows_of_several_statements_say_what_these_mean_together(seed: int) -> None:
    """Ranges of one variable meet, and a big-M rests on the bounds that other statements imply."""
    rng = random.Random(f"together {seed}")
    parts = [problem(kind, rng.randrange(INSTANCES)) for kind in rng.sample([*KINDS], 4)]
    parts = [part for part in parts if not part.sets]
    objective = next((part.objective for part in parts if part.objective is not None), None)
    both = Problem(
        variables={name: variable for part in parts for name, variable in part.variables.items()}
        or {"x": {"upper": 2}},
        constraints=[found.model_copy(update={"id": ""}) for part in parts for found in part.constraints],
        objective=objective,
    )
    one = Case(both)
    found = next(disagreements(one, one.matrix, rng, EFFORT), None)
    assert found is None, f"{found}\n{json.dumps(both.plain(), indent=1)}"
