"""What is written in the language of expressions, and every primitive, as people read it: algebra, LaTeX, or words.

    algebra   8*chair + 2*table <= 400
    latex     8\\,\\mathrm{chair} + 2\\,\\mathrm{table} \\le 400
    words     8 chairs + 2 tables must be at most 400

Words use the labels of sets and of scalars where these read like names; algebra and LaTeX keep the declared names.
"""

from __future__ import annotations

from typing import Literal

from formulation.expressions import (
    And,
    Compare,
    Condition,
    Expr,
    Logical,
    Member,
    Not,
    Or,
    Quantifier,
    Relation,
)
from formulation.kinds.base import Constraint, Objective
from formulation.latex import Latex
from formulation.notation import NO_SCOPE, Notation
from formulation.primitives import (
    Goal,
    Primitive,
    Row,
)
from formulation.schema import Problem
from formulation.words import Words

__all__ = ["Readable", "Style", "goal_lines", "notation", "statement_lines", "write"]

Style = Literal["algebra", "latex", "words"]
Readable = Expr | Relation | Quantifier | Condition | Logical | Primitive | Goal


def write(given: Readable, problem: Problem | None = None, style: Style = "algebra") -> str:
    """An expression, relation, quantifier, condition, decision, primitive or goal in a style.

    `problem` says which names are decisions, and has the labels.
    """
    writer = notation(style, problem)
    match given:
        case Expr():
            return writer.expr(given, NO_SCOPE)
        case Relation(left=left, sense=sense, right=right, strict=strict):
            return writer.row(Row(left, sense, right, strict), NO_SCOPE)
        case Quantifier():
            return writer.quantifier(given, NO_SCOPE)
        case Logical():
            return writer.decision(given, NO_SCOPE)
        case Goal():
            return writer.goal(given)
        case Compare() | Member() | And() | Or() | Not():
            return writer.condition(given, NO_SCOPE)
    return writer.primitive(given, None)


def statement_lines(statement: Constraint, problem: Problem | None = None, style: Style = "algebra") -> tuple[str, ...]:
    """What a statement says: a line for each primitive, two bounds of one expression in one line."""
    return notation(style, problem).statement(statement)


def goal_lines(objective: Objective, problem: Problem | None = None, style: Style = "algebra") -> tuple[str, ...]:
    """What is minimised or maximised, a line for each goal, the most important first."""
    return notation(style, problem).objective(objective)


def notation(style: Style, problem: Problem | None = None) -> Notation:
    """What writes in a style; of many statements of one problem it need be made only once."""
    if style == "latex":
        return Latex(problem)
    return Words(problem) if style == "words" else Notation(problem)
