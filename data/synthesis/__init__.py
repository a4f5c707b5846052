"""Word problems made by seed, with the models that they say: typed problems, a grammar of wordings, and checks.

    python -m data.synthesis --n 200 --seed 1 --out out/synthesis --check

`rows(n, seed)` makes them in Python. Making and checking rows imports `formulation` when it is first needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["rows"]


def rows(n: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """The first `n` rows of a seed, as the command writes them without --check."""
    from data.synthesis.generators import GENERATORS
    from data.synthesis.samples import make

    return (make(GENERATORS, seed, index) for index in range(n))
