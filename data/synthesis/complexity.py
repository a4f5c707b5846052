"""How complex a problem is: one number, by what has to be understood to model it.

The score follows OptMATH's (arXiv 2502.11102, section 3): a weighted count of variables by type, of rows by kind, of
logic, and of the length of expressions.

    S = 2.0 binary + 1.5 integer + 1.0 continuous variables
      + 1.0 linear + 2.5 logic + 2.0 objective-changing statements (a fixed charge, a cost curve)
      + 0.5 big-M rows (statements that need one) + 0.15 names in expressions

Their weights are for large models; these count so that a word problem of two variables and two rows has about 8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["BANDS", "band", "complexity"]

BANDS: Final[dict[str, tuple[float, float]]] = {
    "small": (0, 11),
    "medium": (11, 20),
    "large": (20, 34),
    "huge": (34, 999),
}
"""Complexity bands: a score s lies in a band where low <= s < high."""
_LOGIC: Final = {"implication", "equivalence", "count", "cardinality", "either_or", "conditional", "no_overlap", "lots"}
_COSTS: Final = frozenset({"fixed_charge", "piecewise_cost", "soft"})
_BIG_M: Final = frozenset({"either_or", "conditional", "no_overlap", "semi_continuous", "fixed_charge", "cardinality"})
_DOMAINS: Final = {"binary": 2.0, "integer": 1.5, "continuous": 1.0}
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def complexity(
    variables: Mapping[str, Mapping[str, Any]], objective: Mapping[str, Any], constraints: list[dict[str, Any]]
) -> float:
    """The score of a problem given as JSON values."""
    score = sum(_DOMAINS[variable.get("domain", "continuous")] for variable in variables.values())
    for one in constraints:
        kind = one["kind"]
        score += 2.5 if kind in _LOGIC or kind == "semi_continuous" else 2.0 if kind in _COSTS else 1.0
        score += 0.5 * (kind in _BIG_M)
    score += 0.15 * sum(_names(one, variables) for one in [objective, *constraints])
    return round(score, 2)


def _names(given: Any, variables: Mapping[str, Any]) -> int:
    """How often variables are named in a statement."""
    if isinstance(given, Mapping):
        return sum((key in variables) + _names(value, variables) for key, value in given.items())
    if isinstance(given, list):
        return sum(_names(one, variables) for one in given)
    return sum(name in variables for name in _NAME.findall(given)) if isinstance(given, str) else 0


def band(score: float) -> str:
    """The name of a score's band."""
    return next(name for name, (low, high) in BANDS.items() if low <= score < high)
