"""The kinds of statements, one file each. A file that defines a `Constraint` or an `Objective` is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated, Any, Union

from pydantic import Field

from formulation.kinds.base import CONSTRAINTS, OBJECTIVES, Constraint, Objective

__all__ = ["CONSTRAINTS", "OBJECTIVES", "AnyConstraint", "AnyObjective", "Constraint", "Objective"]

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")


def _union(kinds: dict[str, type[Any]]) -> Any:
    return Annotated[Union[tuple(kinds.values())], Field(discriminator="kind")]  # noqa: UP007


AnyConstraint: Any = _union(CONSTRAINTS)
"""The pydantic type of every kind of constraint, told apart by `kind`."""
AnyObjective: Any = _union(OBJECTIVES)
"""The pydantic type of every kind of objective, told apart by `kind`."""
