"""Settings under which the benchmarks compare the methods, and one engine for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from reasoning.engine import open_engine
from reasoning.engine.base import Engine
from reasoning.solver import Solver

__all__ = ["METHODS", "one_engine", "solver_of"]

# Small enough that all of them together take minutes on two cores.
METHODS: Final[dict[str, dict[str, Any]]] = {
    "greedy": {"method": "greedy"},
    "best-of-n": {"method": "best-of-n", "n": 8},
    "beam": {"method": "beam", "beam_width": 2, "expand": 3, "max_depth": 6},
    "dvts": {"method": "dvts", "n": 6, "expand": 3, "max_depth": 6},
    "mcts": {"method": "mcts", "iterations": 6, "expand": 3, "max_depth": 6},
}


@asynccontextmanager
async def one_engine(policy: str | None, adapter: str | None, options: dict[str, str]) -> AsyncIterator[Engine]:
    """The policy's engine, open once for every method."""
    engine = await open_engine(policy, adapter=adapter, options=options)
    try:
        yield engine
    finally:
        await engine.close()


def solver_of(name: str, engine: Engine, **settings: Any) -> Solver:
    """A solver of one of METHODS on an open engine, few-shot as the embedded model is asked by default."""
    return Solver(policy=engine, **{"profile": "lines", **METHODS[name], **settings})
