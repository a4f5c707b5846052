"""Transport models of 10^2 to 10^6 nonzeros: seconds from tables to HiGHS' model, and memory, beside other systems.

    python -m benchmarks.formulation_transport [--linopy-python PYTHON]

stepsolver, plain Pyomo, linopy and highspy read the same CSV tables and build the same model (rows, columns, nonzeros
and optimum are checked), each measurement in a process of its own. Seconds are of one core's time, medians of the
runs. linopy is no dependency of stepsolver: where it cannot be imported, name a Python that has it, or it is left out.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.common import print_table, write_result
from benchmarks.transport import SYSTEMS, write_tables
from data.command import Parser, run_command
from data.errors import UserError

__all__ = ["exponent", "main"]

_HANDED_OVER: Final = ("read", "bind", "ground", "linearize", "build", "hand over")
_SOLVED_TO: Final = 100_000  # nonzeros; the simplex method takes minutes beyond
_ONCE_FROM: Final = 1_000_000  # nonzeros from which one run must do
_FITTED_FROM: Final = 10_000  # nonzeros below which what a system does once, not once a nonzero, shows
_SMALLEST: Final = 100
_STEP: Final = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every system at every size, print the tables, write the figures."""
    parser = Parser(prog="python -m benchmarks.formulation_transport", description="From tables to HiGHS' model.")
    parser.add_argument("--linopy-python", default=sys.executable, help="a Python with linopy (default: this one)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3, help="runs of every measurement below 10^6 (default: 3)")
    args = parser.parse_args(arguments)
    if min(args.sizes) < _SMALLEST or any(size % _STEP for size in args.sizes):
        raise UserError(f"--sizes must be multiples of {_STEP}, {_SMALLEST} or more")
    if args.repeats < 1:
        raise UserError("--repeats must be at least 1")
    linopy = _version_of_linopy(args.linopy_python)
    if linopy is None:
        print("linopy is not measured: it cannot be imported (see --linopy-python)", file=sys.stderr)
    pythons = {name: args.linopy_python if name == "linopy" else sys.executable for name in SYSTEMS}
    if linopy is None:
        del pythons["linopy"]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        warm_up = Path(folder) / "smallest"
        write_tables(warm_up, _SMALLEST)
        for size in sorted(args.sizes):
            tables = Path(folder) / str(size)
            write_tables(tables, size)
            runs = 1 if size >= _ONCE_FROM else args.repeats
            found: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
            for _ in range(runs):
                for name, python in pythons.items():
                    found[name].append(_measured(python, name, tables, warm_up, solve=size <= _SOLVED_TO))
            _check_same(found, size)
            rows += [_row(name, size, found[name]) for name in pythons]
    print_table(rows)
    growth = [_growth(name, [row for row in rows if row["system"] == name]) for name in pythons]
    if all(growth):
        print()
        print_table(growth)
    write_result(
        "formulation_transport",
        rows,
        growth=growth,
        linopy=linopy or "not measured: it could not be imported",
        repeats=args.repeats,
        note="seconds of processor time; handed over: from tables to HiGHS' model; run: HiGHS itself; solve: "
        "stepsolver's whole answer from the written-out model on, HiGHS included, exact and checked; added: mebibytes "
        "of peak memory above that after the imports and a model of 100 nonzeros; growth: handed over and added are "
        f"proportional to nonzeros to this power, from {_FITTED_FROM} on",
    )
    return 0


def _version_of_linopy(python: str) -> str | None:
    code = "import linopy; print(linopy.__version__)"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UserError(f"--linopy-python {python}: {error.strerror}") from None
    return found.stdout.strip() if found.returncode == 0 else None


def _measured(python: str, system: str, tables: Path, warm_up: Path, *, solve: bool) -> dict[str, Any]:
    """One measurement in its own process. Raises UserError where it fails."""
    command = [python, "-m", "benchmarks.transport", system, str(tables), str(warm_up), *(["solve"] if solve else [])]
    root = Path(__file__).parents[1]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=env)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{system}, {tables.name} nonzeros: ended with {done.returncode} ({last})")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _check_same(found: dict[str, list[dict[str, Any]]], size: int) -> None:
    """Raise UserError where two systems have not built the same model."""
    shapes = {(one["rows"], one["columns"], one["nonzeros"]) for runs in found.values() for one in runs}
    optima = [one["objective"] for runs in found.values() for one in runs if one["objective"] is not None]
    if len(shapes) > 1 or (optima and max(optima) - min(optima) > 1e-6 * abs(max(optima))):
        raise UserError(f"{size} nonzeros: the systems built different models: {shapes}, optima {sorted(set(optima))}")


def _row(name: str, size: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def middle(*phases: str) -> float | None:
        known = [[one["seconds"][phase] for phase in phases if phase in one["seconds"]] for one in runs]
        return round(median(map(sum, known)), 5) if any(known) else None

    return {
        "system": name,
        "nonzeros": size,
        "runs": len(runs),
        "read": middle("read"),
        "bind": middle("bind"),
        "build": middle("ground", "linearize", "build"),
        "to HiGHS": middle("hand over"),
        "handed over": middle(*_HANDED_OVER),
        "wall": round(median(one["wall"] for one in runs), 5),
        "run": middle("run"),
        "solve": middle("solve"),
        "peak MiB": round(median(one["peak_mib"] for one in runs), 1),
        "added MiB": round(median(one["added_mib"] for one in runs), 1),
    }


def _growth(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The powers of the nonzeros that seconds and memory grow with; nothing with fewer than two sizes to fit."""
    large = [row for row in rows if row["nonzeros"] >= _FITTED_FROM]
    if len(large) < 2:
        return {}
    sizes = [row["nonzeros"] for row in large]
    return {
        "system": name,
        "from": min(sizes),
        "to": max(sizes),
        "seconds grow with power": exponent(sizes, [row["handed over"] for row in large]),
        "memory grows with power": exponent(sizes, [max(row["added MiB"], 0.1) for row in large]),
        "microseconds a nonzero": round(large[-1]["handed over"] / sizes[-1] * 1e6, 2),
        "bytes a nonzero": round(large[-1]["added MiB"] / sizes[-1] * 2**20),
    }


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the least-squares line through log(values) over log(sizes): 1 is linear growth."""
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return round(above / sum((a - mean_x) ** 2 for a in x), 3)


if __name__ == "__main__":
    sys.exit(run_command(main))
