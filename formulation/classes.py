"""The classes of statements that others published, and the kinds that say the same.

The seed paper (arXiv 2311.15271) sorts statements into 15 classes, each with a template; NL4Opt's gold models have
seven types of constraints. A statement that no template of the paper fits (an equality, a count above one, a range, a
soft limit, a cost, ...) is `UNCLASSED` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from formulation.expressions import Expr, Logical, Sense, constant
from formulation.kinds.base import Objective, Statement
from formulation.kinds.bound import SingleBound
from formulation.kinds.capacity import Capacity
from formulation.kinds.comparison import Comparison
from formulation.kinds.count import Counted
from formulation.kinds.covering import Covering
from formulation.kinds.difference import Difference
from formulation.kinds.implication import Implication
from formulation.kinds.linear_bound import LinearBound
from formulation.kinds.packing import Packing
from formulation.kinds.proportion import Proportion
from formulation.kinds.semi_continuous import SemiContinuous
from formulation.kinds.sum_bound import SumBound

__all__ = ["NL4OPT_KINDS", "SEED_KINDS", "UNCLASSED", "seed_class"]

SEED_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "objective": ("optimize", "goals", "lexicographic", "worst_case"),
    "upper bound: single": ("bound",),
    "upper bound: sum": ("sum_bound",),
    "upper bound: weighted sum": ("linear_bound", "difference", "capacity"),
    "upper bound: proportion": ("proportion",),
    "lower bound: single": ("bound",),
    "lower bound: sum": ("sum_bound",),
    "lower bound: weighted sum": ("linear_bound", "difference"),
    "lower bound: proportion": ("proportion",),
    "comparison": ("comparison",),
    "if-then": ("implication",),
    "exactly one": ("count", "cardinality", "assignment"),
    "at least one": ("count", "cardinality", "assignment", "covering", "implication"),
    "at most one": ("count", "cardinality", "assignment", "packing", "implication"),
    "linking": ("semi_continuous",),
}
"""The seed paper's classes, and the kinds whose statements can be of each.

Its linking class, L*y <= x <= U*y, is a statement only where the text gives the range; elsewhere those rows are derived
from `selected(x)` and belong to no statement of their own.
"""

UNCLASSED: Final = "none"
"""What `seed_class` says of a statement that no template of the seed paper fits."""

NL4OPT_KINDS: Final[Mapping[str, str]] = {
    "sum": "sum_bound",
    "upperbound": "bound",
    "lowerbound": "bound",
    "linear": "linear_bound",
    "ratio": "proportion",
    "xby": "comparison",
    "xy": "comparison",
}
"""The kind that says what a type of NL4Opt's gold constraints does."""


def seed_class(statement: Statement) -> str:
    """The seed paper's class of a statement: a key of `SEED_KINDS`, or `UNCLASSED`.

    Strict and non-strict bounds are of one class; limits are taken to be data, as the paper's are. Its templates for
    two decisions stand for any number of them, and a statement for every member of a set is classed as each of them.
    Equalities are unclassed, and so are counts of negated decisions.
    """
    match statement:
        case Objective():
            return "objective"
        case SingleBound(sense=sense):
            return _bound(sense, "single")
        case SumBound(sense=sense):
            return _bound(sense, "sum")
        case LinearBound(sense=sense) | Difference(sense=sense):
            return _bound(sense, "weighted sum")
        case Capacity():
            return _bound("<=", "weighted sum")
        case Proportion(sense=sense):
            return _bound(sense, "proportion")
        case Comparison(sense="<=" | ">="):
            return "comparison"
        case Implication(when=when, then=then):
            # "If not A then B" is at least one of them, "if A then not B" at most one.
            if when.negated != then.negated:
                return "at least one" if when.negated else "at most one"
            return "if-then"
        case Counted():
            return _count(statement.decisions(), statement.exactly, statement.at_least, statement.at_most)
        case Covering(chosen=chosen, at_least=at_least):
            return _count((chosen,), at_least=at_least)
        case Packing(chosen=chosen, at_most=at_most):
            return _count((chosen,), at_most=at_most)
        case SemiContinuous():
            return "linking"
    return UNCLASSED


def _bound(sense: Sense, shape: str) -> str:
    side = {"<=": "upper", ">=": "lower"}.get(sense)
    return f"{side} bound: {shape}" if side else UNCLASSED


def _count(
    decisions: Sequence[Logical], exactly: Expr | None = None, at_least: Expr | None = None, at_most: Expr | None = None
) -> str:
    limits = {"exactly one": exactly, "at least one": at_least, "at most one": at_most}
    given = [(name, limit) for name, limit in limits.items() if limit is not None]
    one = len(given) == 1 and given[0][1] == constant(1) and not any(decision.negated for decision in decisions)
    return given[0][0] if one else UNCLASSED
