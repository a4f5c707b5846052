"""Fields that several kinds share: one or more of what the language of expressions has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from formulation.expressions import Expr, Logical, Ref, Relation
from formulation.kinds.base import Env
from formulation.kinds.sides import compares
from formulation.primitives import Row

if TYPE_CHECKING:
    from formulation.meaning import World

__all__ = [
    "ONE_OR_MORE",
    "TWO_OR_MORE",
    "Decisions",
    "Expressions",
    "Relations",
    "Variables",
    "as_rows",
    "satisfied",
]


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else (given,)


def _at_least(least: int) -> AfterValidator:
    # Beside a mistake in an item, pydantic's own min_length adds a second one that is none.
    def check(given: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(given) < least:
            raise ValueError("the list is empty" if not given else f"list at least {least}")
        return given

    return AfterValidator(check)


ONE_OR_MORE: Final = _at_least(1)
TWO_OR_MORE: Final = _at_least(2)


Decisions = Annotated[tuple[Logical, ...], BeforeValidator(_listed), ONE_OR_MORE]
"""One decision, or a list of them."""
Expressions = Annotated[tuple[Expr, ...], BeforeValidator(_listed), ONE_OR_MORE]
"""One expression, or a list of them."""
Relations = Annotated[tuple[Relation, ...], BeforeValidator(_listed), ONE_OR_MORE]
"""One relation, or a list of them."""
Variables = Annotated[tuple[Ref, ...], BeforeValidator(_listed), ONE_OR_MORE]
"""One variable, or a list of them."""


def satisfied(relation: Relation, world: World, env: Env) -> bool:
    """Whether a relation holds at the world's point."""
    left, right = world.value(relation.left, env), world.value(relation.right, env)
    return compares(left, relation.sense, right, relation.strict)


def as_rows(relations: Iterable[Relation]) -> tuple[Row, ...]:
    """Relations as primitives."""
    return tuple(Row(found.left, found.sense, found.right, found.strict) for found in relations)
