"""One sparse transport problem, read and built by four systems, each of which ends in a HiGHS model.

Every shop can be reached from ten depots, so every arc stands in two rows and the matrix has twice as many nonzeros as
there are arcs; ten arcs to a shop, a hundred to a depot. `python -m benchmarks.transport SYSTEM FOLDER` measures one
system in its own process and prints a line of JSON. Only what a system needs is imported: linopy runs under a Python
without stepsolver's own packages.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

__all__ = ["PROBLEM", "SYSTEMS", "measure", "write_tables"]

_ARCS_OF_A_SHOP: Final = 10
_SHOPS_OF_A_DEPOT: Final = 10

PROBLEM: Final[dict[str, Any]] = {
    "sets": {
        "DEPOTS": {"table": {"file": "depots.csv", "keys": ["depot"]}},
        "SHOPS": {"table": {"file": "shops.csv", "keys": ["shop"]}},
        "ARCS": {"table": {"file": "arcs.csv", "keys": ["depot", "shop"]}, "within": ["DEPOTS", "SHOPS"]},
    },
    "parameters": {
        "stock": {"index": ["DEPOTS"], "table": {"file": "depots.csv", "keys": ["depot"], "value": "stock"}},
        "need": {"index": ["SHOPS"], "table": {"file": "shops.csv", "keys": ["shop"], "value": "need"}},
        "cost": {"index": ["ARCS"], "table": {"file": "arcs.csv", "keys": ["depot", "shop"], "value": "cost"}},
    },
    "variables": {"send": {"over": "(i, j) in ARCS"}},
    "objective": {
        "kind": "optimize",
        "sense": "minimize",
        "terms": "sum(cost[i, j]*send[i, j] for (i, j) in ARCS)",
    },
    "constraints": [
        {
            "kind": "sum_bound",
            "id": "stock_of_depots",
            "variables": "send[i, j]",
            "over": "(i, j) in ARCS",
            "sense": "<=",
            "limit": "stock[i]",
            "forall": "i in DEPOTS",
        },
        {
            "kind": "sum_bound",
            "id": "need_of_shops",
            "variables": "send[i, j]",
            "over": "(i, j) in ARCS",
            "sense": "==",
            "limit": "need[j]",
            "forall": "j in SHOPS",
        },
    ],
}


def write_tables(folder: Path, nonzeros: int, *, seed: int = 0) -> None:
    """Write depots.csv, shops.csv and arcs.csv for a feasible problem of `nonzeros` (a multiple of 20, 100 or more)."""
    rng = random.Random(seed)
    shops = nonzeros // (2 * _ARCS_OF_A_SHOP)
    depots = max(_ARCS_OF_A_SHOP, shops // _SHOPS_OF_A_DEPOT)
    needs = [rng.randint(5, 20) for _ in range(shops)]
    stocks = [rng.randint(0, 20) for _ in range(depots)]
    arcs = []
    for shop, need in enumerate(needs):
        chosen = rng.sample(range(depots), _ARCS_OF_A_SHOP)
        stocks[chosen[0]] += need
        arcs += [(f"d{depot}", f"s{shop}", rng.randint(1, 99)) for depot in chosen]
    folder.mkdir(parents=True, exist_ok=True)
    for name, header, rows in (
        ("depots", ("depot", "stock"), [(f"d{i}", stock) for i, stock in enumerate(stocks)]),
        ("shops", ("shop", "need"), [(f"s{i}", need) for i, need in enumerate(needs)]),
        ("arcs", ("depot", "shop", "cost"), arcs),
    ):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


# ---- the systems -----------------------------------------------------------------------------------------------------

Phases = Generator[str, None, Any]
"""The name of each phase as it ends ("" for one that does not count); at last the HiGHS model."""

_Tables = tuple[dict[str, int], dict[str, int], dict[tuple[str, str], int]]


def _tables(folder: Path) -> _Tables:
    """Stock, need and cost as dictionaries."""

    def rows(name: str) -> list[list[str]]:
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))[1:]

    stock, need = ({key: int(value) for key, value in rows(name)} for name in ("depots", "shops"))
    return stock, need, {(i, j): int(c) for i, j, c in rows("arcs")}


def _stepsolver(folder: Path, solve: bool) -> Phases:
    from formulation.schema import read_problem

    yield ""
    problem = read_problem(PROBLEM)
    yield "read"
    return (yield from _written(problem, {}, folder, solve))


def _stepsolver_in_memory(folder: Path, solve: bool) -> Phases:
    from formulation.schema import read_problem

    yield ""
    stock, need, cost = _tables(folder)
    yield "read"
    data = {"DEPOTS": list(stock), "SHOPS": list(need), "ARCS": list(cost), "stock": stock, "need": need, "cost": cost}
    return (yield from _written(read_problem(PROBLEM), data, folder, solve))


def _written(problem: Any, data: dict[str, Any], folder: Path, solve: bool) -> Phases:
    from formulation.build import to_highs
    from formulation.model import Model, load

    model = Model(problem, data, folder)
    _ = model.bound
    yield "bind"
    _ = model.ground
    yield "ground"
    matrix = model.matrix
    yield "linearize"
    highs = to_highs(matrix)
    yield "hand over"
    if solve:
        highs.run()
        yield "run"
        load({"variables": {"x": {}}, "constraints": [{"kind": "linear", "row": "x <= 1"}]}).solve()  # imports Pyomo
        yield ""
        model.solve()
        yield "solve"
    return highs


def _pyomo(folder: Path, solve: bool) -> Phases:
    import pyomo.environ as pyo
    from pyomo.contrib.solver.common.factory import SolverFactory

    yield ""
    stock, need, cost = _tables(folder)
    yield "read"
    m = pyo.ConcreteModel()
    m.send = pyo.Var(list(cost), domain=pyo.NonNegativeReals)
    by_depot: dict[str, list[Any]] = {i: [] for i in stock}
    by_shop: dict[str, list[Any]] = {j: [] for j in need}
    for i, j in cost:
        by_depot[i].append(m.send[i, j])
        by_shop[j].append(m.send[i, j])
    m.stock = pyo.Constraint(list(stock), rule=lambda _, i: pyo.quicksum(by_depot[i]) <= stock[i])
    m.need = pyo.Constraint(list(need), rule=lambda _, j: pyo.quicksum(by_shop[j]) == need[j])
    m.cost = pyo.Objective(expr=pyo.quicksum(c * m.send[arc] for arc, c in cost.items()))
    yield "build"
    solver = SolverFactory("highs")
    solver.set_instance(m)
    yield "hand over"
    highs = solver._solver_model
    highs.setOptionValue("output_flag", False)
    if solve:
        highs.run()
        yield "run"
    return highs


def _linopy(folder: Path, solve: bool) -> Phases:
    import linopy
    import pandas as pd

    yield ""
    depots, shops, arcs = (pd.read_csv(folder / f"{name}.csv") for name in ("depots", "shops", "arcs"))
    yield "read"
    m = linopy.Model()
    send = m.add_variables(lower=0, coords=[arcs.index.rename("arc")], name="send")
    # In the order that groupby gives its groups.
    stock = depots.set_index("depot")["stock"].sort_index().to_xarray()
    need = shops.set_index("shop")["need"].sort_index().to_xarray()
    m.add_constraints(send.groupby(arcs["depot"].rename_axis("arc")).sum() <= stock, name="stock")
    m.add_constraints(send.groupby(arcs["shop"].rename_axis("arc")).sum() == need, name="need")
    m.add_objective((send * arcs["cost"].rename_axis("arc").to_xarray()).sum())
    yield "build"
    highs = m.to_highspy(set_names=False)
    yield "hand over"
    highs.setOptionValue("output_flag", False)
    if solve:
        highs.run()
        yield "run"
    return highs


def _highspy(folder: Path, solve: bool) -> Phases:
    import highspy
    import numpy as np
    import pandas as pd

    yield ""
    depots, shops, arcs = (pd.read_csv(folder / f"{name}.csv") for name in ("depots", "shops", "arcs"))
    yield "read"
    count, rows = len(arcs), len(depots) + len(shops)
    index = np.empty(2 * count, np.int32)
    index[0::2] = pd.Index(depots["depot"]).get_indexer(arcs["depot"])
    index[1::2] = pd.Index(shops["shop"]).get_indexer(arcs["shop"]) + len(depots)
    need = shops["need"].to_numpy(np.float64)
    most = np.concatenate([depots["stock"].to_numpy(np.float64), need])
    least = np.concatenate([np.full(len(depots), -np.inf), need])
    cost = arcs["cost"].to_numpy(np.float64)
    yield "build"
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.passModel(
        count,
        rows,
        2 * count,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        cost,
        np.zeros(count),
        np.full(count, np.inf),
        least,
        most,
        np.arange(0, 2 * count, 2, dtype=np.int32),
        index,
        np.ones(2 * count),
        np.zeros(count, np.int32),
    )
    yield "hand over"
    if solve:
        highs.run()
        yield "run"
    return highs


SYSTEMS: Final[dict[str, Callable[[Path, bool], Phases]]] = {
    "stepsolver": _stepsolver,
    "stepsolver, tables in memory": _stepsolver_in_memory,
    "plain Pyomo": _pyomo,
    "linopy": _linopy,
    "highspy": _highspy,
}


# ---- one measurement -------------------------------------------------------------------------------------------------


def measure(system: str, folder: Path, *, warm_up: Path, solve: bool) -> dict[str, Any]:
    """Seconds of every phase by name, and mebibytes of this process: its peak, and what of it the model added.

    Seconds are of processor time; `wall` is what the clock says of all phases up to HiGHS' model. The system builds
    another folder's model first, so that what it does once in a process is not counted.
    """
    _run(system, warm_up, False)
    before = _peak()
    seconds, wall, highs, peak = _run(system, folder, solve)
    return {
        "seconds": seconds,
        "wall": wall,
        "peak_mib": peak,
        "added_mib": peak - before,
        "columns": highs.getNumCol(),
        "rows": highs.getNumRow(),
        "nonzeros": highs.getNumNz(),
        "objective": highs.getInfo().objective_function_value if solve else None,
    }


def _run(system: str, folder: Path, solve: bool) -> tuple[dict[str, float], float, Any, float]:
    """Seconds of every phase, those by the clock and the peak of memory at the hand-over, and HiGHS' model."""
    seconds: dict[str, float] = {}
    wall = peak = 0.0
    phases = SYSTEMS[system](folder, solve)
    started = time.perf_counter()
    while True:
        begun = time.process_time()
        try:
            phase = next(phases)
        except StopIteration as end:
            return seconds, wall, end.value, peak
        if phase:
            seconds[phase] = time.process_time() - begun
        elif not seconds:
            started = time.perf_counter()
        if phase == "hand over":
            wall, peak = time.perf_counter() - started, _peak()


def _peak() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, else kibibytes
    return size / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    name, where, warm, *flags = sys.argv[1:]
    print(json.dumps(measure(name, Path(where), warm_up=Path(warm), solve="solve" in flags)))
