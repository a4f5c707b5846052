"""Names of variables: made from words, and matched to others by how they read, never by what makes a model right."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Sequence
from typing import Final

from formulation.model import Model

__all__ = ["identifiers", "matched", "nearest", "similarity", "texts_of"]

Texts = Sequence[str]
"""What a variable is called: its name, its label, its mentions in a text."""


_TAKEN: Final = ("sum", "selected", "first", "last")


def identifiers(labels: Sequence[str]) -> tuple[str, ...]:
    """A name for each label, in letters, digits and _, no two alike and none a word of the expressions' language."""
    found: list[str] = []
    for label in labels:
        name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_") or "x"
        name = f"x_{name}" if name[0].isdigit() or name in _TAKEN or keyword.iskeyword(name) else name
        free, number = name, 1
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return tuple(found)


def similarity(a: str, b: str) -> float:
    """How alike two names are, in [0, 1]: difflib's ratio, with case and blanks at the ends ignored."""
    one, other = sorted((a.strip().lower(), b.strip().lower()))
    return difflib.SequenceMatcher(lambda x: x in " \t", one, other).ratio()


def nearest(text: str, among: Sequence[str]) -> str:
    """The most similar of several names (the first of equals); an equal one before all."""
    return text if text in among else max(among, key=lambda other: similarity(text, other))


def matched(predicted: Sequence[Texts], gold: Sequence[Texts]) -> list[int | None]:
    """For each predicted variable the gold one it stands for, one to one; None for those that are left over.

    The matching has the largest sum of similarities, each that of the two most alike texts; of equal ones, it keeps the
    variables' order.
    """
    import networkx

    pairs = networkx.Graph()
    for i, ours in enumerate(predicted):
        for j, theirs in enumerate(gold):
            alike = max((similarity(a, b) for a in ours for b in theirs), default=0.0)
            # Whole numbers, for an exact and repeatable matching.
            weight = round(alike * 10**6) * 1000 + max(0, 999 - abs(i - j))
            pairs.add_edge(("predicted", i), ("gold", j), weight=weight)
    found: list[int | None] = [None] * len(predicted)
    for pair in networkx.max_weight_matching(pairs, maxcardinality=True):
        by_side = dict(pair)
        found[by_side["predicted"]] = by_side["gold"]
    return found


def texts_of(model: Model) -> dict[str, tuple[str, ...]]:
    """What each variable of a model is called: its name in words, and its label."""
    return {
        name: tuple(filter(None, (name.replace("_", " "), variable.label)))
        for name, variable in model.problem.variables.items()
    }
