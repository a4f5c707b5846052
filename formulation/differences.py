"""What two readings of one text say differently, in words."""

from __future__ import annotations

from collections.abc import Iterator

from formulation.explain import Said, explain
from formulation.votes import Distinct

__all__ = ["differences"]


def differences(first: Distinct, second: Distinct) -> tuple[str, ...]:
    """A sentence for each thing that only one of two models says."""
    return tuple(_differences(first, second))


def _differences(first: Distinct, second: Distinct) -> Iterator[str]:
    told = [explain(one.model) for one in (first, second)]
    goals = [_words(one.objective) if one.objective is not None else "nothing is sought" for one in told]
    if first.said.goals != second.said.goals:
        yield f"the first seeks: {goals[0]}; the second: {goals[1]}"
    for name, one, other, said in (
        ("first", first, second, told[0].statements),
        ("second", second, first, told[1].statements),
    ):
        known = set(other.said.rows)
        for rows, statement in zip(one.said.statements, said, strict=True):
            if not {row for row, _ in rows} <= known:
                yield f"only the {name} says: {_words(statement)}"
    if len(first.said.places) != len(second.said.places):
        yield f"the first has {len(first.said.places)} variables, the second {len(second.said.places)}"


def _words(said: Said) -> str:
    return "; ".join(said.algebra)
