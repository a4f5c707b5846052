"""All generators by name."""

from __future__ import annotations

from typing import Final

from data.synthesis.draft import Draft
from data.synthesis.problems import choices, mixes, networks, others, periods
from data.synthesis.samples import Generator
from data.synthesis.small import KINDS, small

__all__ = ["GENERATORS"]


def _focused(kind: str) -> Generator:
    def fill(draft: Draft) -> object:
        return small(draft, kind)

    return Generator(f"small_{kind}", fill, weight=1.5)


GENERATORS: Final[tuple[Generator, ...]] = (
    Generator("small", small, weight=14.0),
    *(_focused(kind) for kind in KINDS),
    *mixes.GENERATORS,
    *choices.GENERATORS,
    *networks.GENERATORS,
    *periods.GENERATORS,
    *others.GENERATORS,
)
"""Every generator; the order is part of what a seed gives."""
