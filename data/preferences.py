"""Which sibling steps make a preference: pure rules over values and visit counts.

Siblings continue the same prefix. Values lie in [0, 1]; the papers' Q lies in [-1, 1] and is 2 value - 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from data.rows import Side
from data.solutions import equations

__all__ = ["Pair", "advantage_pairs", "cpl_pairs", "mcts_dpo_pair", "same_step"]

_SUM = re.compile(r"[0-9.]+(?:\+[0-9.]+)+")
_PRODUCT = re.compile(r"[0-9.]+(?:\*[0-9.]+)+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected sibling, and what the loss is told about them (see `data.rows.Preference`)."""

    chosen: Side
    rejected: Side
    margin: float = 0.0
    smoothing: float = 0.0
    weight: float = 1.0


def same_step(a: str, b: str) -> bool:
    """Whether two steps say the same: equal equations, whatever their words; equal words where neither has equations.

    The order within a plain sum or product does not count.
    """
    return _canonical(a) == _canonical(b)


def _canonical(text: str) -> tuple[str, ...]:
    found = equations(text)
    return tuple(_ordered(x) for x in found) if found else ("", *text.split())


def _ordered(equation: str) -> str:
    expression, equals, value = equation[2:-2].partition("=")
    for form, sign in ((_SUM, "+"), (_PRODUCT, "*")):
        if form.fullmatch(expression):
            expression = sign.join(sorted(expression.split(sign)))
    return f"{expression}{equals}{value}"


def mcts_dpo_pair(siblings: Sequence[Side]) -> Pair | None:
    """Best against worst sibling by (visits, value), the label noise from their visits (MCTS-DPO, arXiv 2405.00451).

    smoothing = min(N_l / (N_w + N_l), 1/2). None where there are not two, where the best by visits has no higher value
    than the worst, or where both say the same.
    """
    if len(siblings) < 2:
        return None
    order = sorted(siblings, key=lambda side: (side.visits, side.value))
    best, worst = order[-1], order[0]
    if best.value <= worst.value or same_step(best.text, worst.text):
        return None
    visits = best.visits + worst.visits
    return Pair(best, worst, smoothing=min(worst.visits / visits, 0.5) if visits else 0.5)


def cpl_pairs(siblings: Sequence[Side]) -> list[Pair]:
    """All sibling pairs with Q_w > 0 > Q_l; the margin of Step-APO is Q_w - Q_l (CPL, arXiv 2409.08642).

    Siblings share the value of their parent, so the difference of their advantages is that of their Q.
    """
    good = [side for side in siblings if side.value > 0.5]
    bad = [side for side in siblings if side.value < 0.5]
    return [
        Pair(w, x, margin=2.0 * (w.value - x.value)) for w, x in product(good, bad) if not same_step(w.text, x.text)
    ]


def advantage_pairs(siblings: Sequence[Side], parent: float) -> list[Pair]:
    """Sibling pairs with A_w > 0 > A_l, A = value - the parent's, weighted by A_w - A_l in (0, 1].

    Advantage-weighted negatives ("RL on Incorrect Synthetic Data", arXiv 2406.14532): a step is a negative as far as it
    lowers the chance of a right answer, not because its solution happened to end wrong.
    """
    good = [side for side in siblings if side.value > parent]
    bad = [side for side in siblings if side.value < parent]
    return [Pair(w, x, weight=w.value - x.value) for w, x in product(good, bad) if not same_step(w.text, x.text)]
