"""Language-model reasoning with step-level search: `python -m reasoning.solve`, or `from reasoning import Solver`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.records import Problem
    from reasoning.solver import Solved, Solver

__all__ = ["Problem", "Solved", "Solver"]


def __getattr__(name: str) -> Any:
    # Loaded when first used, so that importing one part of the package stays cheap.
    if name in ("Solved", "Solver"):
        from reasoning import solver

        return getattr(solver, name)
    if name == "Problem":
        from data.records import Problem

        return Problem
    raise AttributeError(f"module 'reasoning' has no attribute '{name}'")
