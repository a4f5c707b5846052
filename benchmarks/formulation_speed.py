"""Milliseconds from a schema to its solution over NL4Opt's 388 gold models, beside plain Pyomo and highspy.

    python -m benchmarks.formulation_speed

The same models are written directly in Pyomo and in highspy, from numbers that were extracted beforehand. For every
model all of them build and solve one after the other in one process, whose turn is first goes round, and each model's
figure is the median of its runs. The second table says where the milliseconds of stepsolver go.
"""

from __future__ import annotations

import gc
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, Literal

from benchmarks.common import print_table, write_result
from data.command import Parser, run_command
from data.errors import UserError
from data.nl4opt import declared
from formulation.build import write_pyomo
from formulation.engine import Settings, by_highs, by_pyomo, is_ordinary
from formulation.metrics import with_domain
from formulation.model import Model
from formulation.nl4opt import model_of
from formulation.recover import recover
from formulation.schema import read_problem
from formulation.solve import solve

__all__ = ["Plain", "in_highspy", "in_pyomo", "main", "plain"]

DOMAINS: Final[tuple[Literal["continuous", "integer"], ...]] = ("continuous", "integer")
SPLITS: Final[tuple[Literal["dev", "test"], ...]] = ("dev", "test")
_SAME: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Plain:
    """A linear model over variables from 0 on, as plain numbers. Rows without variables are left out.

    Each of `rows` is its lower and its upper bound, infinite where there is none, and pairs of a column's number and
    its coefficient; `costs` are such pairs.
    """

    integer: bool
    width: int
    rows: tuple[tuple[float, float, tuple[tuple[int, float], ...]], ...]
    maximize: bool
    costs: tuple[tuple[int, float], ...]


Answer = tuple[str, float | None]
"""`optimal` and the objective, or what else came of it."""


def plain(model: Model) -> Plain:
    """A model of variables from 0 on that are all continuous or all integer, with one objective."""
    endless, matrix = float("inf"), model.matrix
    assert all((column.lower, column.upper) == (0, None) for column in matrix.columns)

    def ends(row: Any) -> tuple[float, float]:
        return -endless if row.lower is None else float(row.lower), endless if row.upper is None else float(row.upper)

    def pairs(of: Any) -> tuple[tuple[int, float], ...]:
        return tuple(zip(of.columns, map(float, of.coefficients), strict=True))

    (objective,) = matrix.objectives
    return Plain(
        all(column.integral for column in matrix.columns),
        len(matrix.columns),
        tuple((*ends(row), pairs(row)) for row in matrix.rows if row.columns),
        objective.sense == "maximize",
        pairs(objective.of),
    )


# ---- the systems -----------------------------------------------------------------------------------------------------


def _in_stepsolver(model: Model) -> Answer:
    found = solve(replace(model))  # a new facade: nothing derived is kept from the run before
    return found.status, None if found.objective is None else float(found.objective)


def _from_json(text: str) -> Answer:
    found = solve(Model(read_problem(json.loads(text)), ignore_strict=True))
    return found.status, None if found.objective is None else float(found.objective)


def in_pyomo(given: Plain) -> Answer:
    """Write a model in Pyomo, solve it through Pyomo's current interface to HiGHS, load its values."""
    import pyomo.environ as pyo
    from pyomo.contrib.solver.common.factory import SolverFactory
    from pyomo.contrib.solver.common.results import TerminationCondition

    endless = float("inf")
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(given.width), domain=pyo.NonNegativeIntegers if given.integer else pyo.NonNegativeReals)
    m.row = pyo.ConstraintList()
    for lower, upper, terms in given.rows:
        body = sum(a * m.x[i] for i, a in terms)
        m.row.add(body <= upper if lower == -endless else body >= lower if upper == endless else body == lower)
    sense = pyo.maximize if given.maximize else pyo.minimize
    m.objective = pyo.Objective(expr=sum(a * m.x[i] for i, a in given.costs), sense=sense)
    found = SolverFactory("highs").solve(
        m, load_solutions=False, raise_exception_on_nonoptimal_result=False, rel_gap=0, abs_gap=0
    )
    if found.termination_condition != TerminationCondition.convergenceCriteriaSatisfied:
        return found.termination_condition.name, None
    found.solution_loader.load_vars()
    return "optimal", pyo.value(m.objective)


def in_highspy(given: Plain) -> Answer:
    """Write a model in highspy, solve it, take its values."""
    import highspy

    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", 0.0)
    for i in range(given.width):
        highs.addVar(0.0, highs.inf)
        if given.integer:
            highs.changeColIntegrality(i, highspy.HighsVarType.kInteger)
    for i, a in given.costs:
        highs.changeColCost(i, a)
    for lower, upper, terms in given.rows:
        highs.addRow(lower, upper, len(terms), [i for i, _ in terms], [a for _, a in terms])
    if given.maximize:
        highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return highs.modelStatusToString(highs.getModelStatus()), None
    values = highs.getSolution().col_value
    return "optimal", sum(a * values[i] for i, a in given.costs)


# ---- measuring -------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every model in every system, print the tables, write the figures."""
    parser = Parser(prog="python -m benchmarks.formulation_speed", description="From a schema to its solution.")
    parser.add_argument("--data-dir", type=Path, help="folder that holds nl4opt/dev.jsonl and nl4opt/test.jsonl")
    parser.add_argument("--repeats", type=int, default=3, help="runs of every model in every system (default: 3)")
    parser.add_argument("--limit", type=int, help="models of each split (default: all)")
    args = parser.parse_args(arguments)
    if args.repeats < 1:
        raise UserError("--repeats must be at least 1")
    examples = [one for split in SPLITS for one in declared(split, directory=args.data_dir, limit=args.limit)]
    gold = [model_of(example) for example in examples]
    rows: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    for domain in DOMAINS:
        models = [with_domain(model, domain) for model in gold]
        rows += _compared(models, domain, args.repeats)
        stages += _stages(models, domain, args.repeats)
    print_table(rows)
    print()
    print_table(stages)
    write_result(
        "formulation_speed",
        rows,
        stages=stages,
        models=len(gold),
        repeats=args.repeats,
        note="milliseconds by the clock, the median over models of each model's median; ratio: the median over models "
        "of a model's time to its time in plain Pyomo, and that ratio's quartiles; cpu ratio: of processor time; "
        "agree: models with the same objective as in plain Pyomo, or with none in both; rows without variables, of "
        "which two of the gold models have a false one, are not written in plain Pyomo and highspy",
    )
    return 0


def _compared(models: Sequence[Model], domain: str, repeats: int) -> list[dict[str, Any]]:
    """A row for every system."""
    texts = [json.dumps(model.problem.model_dump(mode="json", exclude_none=True)) for model in models]
    numbers = [plain(model) for model in models]
    systems: list[tuple[str, Callable[[Any], Answer], Sequence[Any]]] = [
        ("stepsolver", _in_stepsolver, [replace(model) for model in models]),
        ("stepsolver, from JSON text", _from_json, texts),
        ("plain Pyomo", in_pyomo, numbers),
        ("highspy", in_highspy, numbers),
    ]
    wall: dict[str, list[float]] = {name: [] for name, _, _ in systems}
    cpu: dict[str, list[float]] = {name: [] for name, _, _ in systems}
    answers: dict[str, list[Answer]] = {name: [] for name, _, _ in systems}
    for _, run, given in systems:  # what happens once in a process is not counted
        run(given[0])
    # Put aside what is in memory: collecting one run's garbage shall take no time for what was loaded before.
    gc.collect()
    gc.freeze()
    for number in range(len(models)):
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in systems}
        for repeat in range(repeats):
            first = (number + repeat) % len(systems)
            for name, run, given in (*systems[first:], *systems[:first]):
                gc.collect()
                began, used = time.perf_counter(), time.process_time()
                answer = run(given[number])
                seconds[name].append((time.perf_counter() - began, time.process_time() - used))
                if not repeat:
                    answers[name].append(answer)
        for name, found in seconds.items():
            wall[name].append(median(a for a, _ in found))
            cpu[name].append(median(b for _, b in found))
    base, base_cpu = wall["plain Pyomo"], cpu["plain Pyomo"]
    rows = []
    for name in wall:
        ratios = [a / b for a, b in zip(wall[name], base, strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        pairs = zip(answers[name], answers["plain Pyomo"], strict=True)
        rows.append(
            {
                "system": name,
                "variables": domain,
                "models": len(models),
                "ms": round(median(wall[name]) * 1e3, 3),
                "ms, 90%": round(quantiles(wall[name], n=10)[-1] * 1e3, 3),
                "ratio": round(middle, 3),
                "ratio, 25%": round(low, 3),
                "ratio, 75%": round(high, 3),
                "cpu ratio": round(median(a / b for a, b in zip(cpu[name], base_cpu, strict=True)), 3),
                "agree": sum(_agree(a, b) for a, b in pairs),
            }
        )
    return rows


def _agree(one: Answer, other: Answer) -> bool:
    (_, a), (_, b) = one, other
    return a is None and b is None if a is None or b is None else abs(a - b) <= _SAME * max(1.0, abs(b))


_STAGES: Final = (
    "check and bind",
    "ground",
    "linearize",
    "write the Pyomo model",
    "Pyomo's interface and HiGHS",
    "exact values",
    "HiGHS alone, directly",
)


def _stages(models: Sequence[Model], domain: str, repeats: int) -> list[dict[str, Any]]:
    """Medians of the milliseconds of each stage, of the models that are solved through Pyomo and have an optimum."""
    found: dict[str, list[float]] = {name: [] for name in (*_STAGES, "all")}
    counted = 0
    for model in models:
        runs = [one for _ in range(repeats) if (one := _staged(replace(model))) is not None]
        if runs:
            counted += 1
            for name, seconds in found.items():
                seconds.append(median(one[name] for one in runs))
    return [
        {
            "stage": name,
            "variables": domain,
            "models": counted,
            "ms": round(median(seconds) * 1e3, 3),
            "share": round(median(a / b for a, b in zip(seconds, found["all"], strict=True)), 3),
        }
        for name, seconds in found.items()
    ]


def _staged(model: Model) -> dict[str, float] | None:
    """Seconds of the stages of one model, and of all that `solve` does; None where it takes another way."""
    settings = Settings()
    gc.collect()
    marks = [time.perf_counter()]
    for derive in (lambda: model.bound, lambda: model.ground, lambda: model.matrix):
        derive()
        marks.append(time.perf_counter())
    matrix = model.matrix
    if not is_ordinary(matrix):
        return None
    write_pyomo(matrix)
    marks.append(time.perf_counter())
    written = marks[-1] - marks[-2]
    answer = by_pyomo(matrix, settings)  # writes it once more
    marks.append(time.perf_counter())
    if answer.verdict != "optimal" or answer.values is None:
        return None
    recover(matrix, answer.values, settings, answer.highs)
    marks.append(time.perf_counter())
    bind, ground, linearize, _, solved, exact = (b - a for a, b in itertools.pairwise(marks))
    gc.collect()
    began = time.perf_counter()
    by_highs(matrix, settings)
    alone = time.perf_counter() - began
    gc.collect()
    began = time.perf_counter()
    solve(replace(model))
    whole = time.perf_counter() - began
    return dict(
        zip((*_STAGES, "all"), (bind, ground, linearize, written, solved - written, exact, alone, whole), strict=True)
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
