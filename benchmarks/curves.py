"""Accuracy against mean cost, strategy by strategy on the same questions, and which one is best at a budget."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data.metrics import best_of_n_curve
from data.stats import bootstrap_ratio, sign_flip
from reasoning.runs.anytime import Samples, Trace

__all__ = ["Curve", "budgets_of", "compared", "from_samples", "from_traces"]

Floats = npt.NDArray[np.float64]
POINTS = 64  # at which the budgets of an anytime curve are cut


@dataclass(frozen=True, slots=True)
class Curve:
    """A strategy at operating points from spending nothing to its whole search.

    `value` and `cost` have the shape [points, questions]: the probability that a question's answer is right, and what
    it costs on average; the first point is 0 in both, and mean costs do not fall. `deployable` is False where the
    strategy has to know the truth.
    """

    name: str
    value: Floats
    cost: Floats
    deployable: bool = True

    @property
    def whole(self) -> float:
        """The mean cost of a question when nothing is cut."""
        return float(self.cost[-1].mean())

    def at(self, budget: float) -> Floats:
        """Each question's probability to be right where all of them cost `budget` on average.

        Between two operating points a question takes either at random, with the probability that makes the mean cost
        the budget: a strategy too, and the line between the points. Beyond the last, nothing is left to spend on.
        """
        mean = self.cost.mean(axis=1)
        if budget >= mean[-1]:
            whole: Floats = self.value[-1]
            return whole
        i = int(np.searchsorted(mean, budget, side="right")) - 1
        share = (budget - mean[i]) / (mean[i + 1] - mean[i])
        mixed: Floats = (1 - share) * self.value[i] + share * self.value[i + 1]
        return mixed


def from_traces(
    name: str, traces: Sequence[Trace], cost: str, *, covered: bool = False, deployable: bool = True
) -> Curve:
    """The anytime curve of a search: every question is cut at the same ceiling, for many ceilings.

    `covered` asks for any right answer instead of a right best one; it is not deployable.
    """
    paid = np.unique(np.concatenate([np.asarray(t.costs[cost]) for t in traces]))
    ceilings = [0.0, *np.unique(np.quantile(paid, np.linspace(0, 1, POINTS), method="higher"))]
    cut = [[t.at(cost, c) for t in traces] for c in ceilings]
    value = [[(t.covered if covered else t.right)[i] for t, i in zip(traces, at, strict=True)] for at in cut]
    spent = [[t.costs[cost][i] for t, i in zip(traces, at, strict=True)] for at in cut]
    return Curve(name, np.array(value), np.array(spent), deployable and not covered)


def from_samples(samples: Sequence[Samples], ns: Sequence[int], costs: Collection[str]) -> dict[str, dict[str, Curve]]:
    """By cost: majority, weighted and best-scored votes and the oracle over n of independent samples, for each n.

    Each value is the expectation over all orders of the samples (see `data.metrics.best_of_n_curve`), so it does not
    depend on which sample came first. Majority and oracle need no rewards and are not charged for them; the oracle,
    pass@n, is best-of-n under a reward that knows which sample is right.
    """
    expected = [best_of_n_curve([s.samples], ns) for s in samples]
    found: dict[str, dict[str, Curve]] = {cost: {} for cost in costs}
    for name in ("majority", "weighted", "best", "oracle"):
        value = [[0.0] * len(samples)] + [[getattr(e[i], name) for e in expected] for i in range(len(ns))]
        scored = name in ("weighted", "best")
        for cost in costs:
            spent = [[0.0] * len(samples)] + [[s.cost(cost, n, scored=scored) for s in samples] for n in ns]
            found[cost][name] = Curve(name, np.array(value), np.array(spent), name != "oracle")
    return found


def budgets_of(curves: Sequence[Curve], count: int = 16) -> list[float]:
    """Budgets from where the first deployable strategy gets anything right up to the dearest one's whole search.

    Evenly on a logarithmic scale.
    """
    usable = [c for c in curves if c.deployable]
    top = max(c.whole for c in usable)
    begins = [spent.mean() for c in usable for value, spent in zip(c.value, c.cost, strict=True) if value.any()]
    return [float(b) for b in np.geomspace(min(begins, default=top / 100), top, count)]


def compared(curves: Sequence[Curve], budgets: Sequence[float], baseline: str) -> dict[str, Any]:
    """At each budget: every strategy's accuracy with its band, and its difference to the baseline on the questions.

    Bands are 95% percentile bootstrap intervals over questions; `difference_low` and `_high` are the paired one of the
    difference, and `p` is its sign-flip test's (see `data.stats`), for deployable strategies. `best` names the one of
    these with the highest accuracy, with its `p` and `p_corrected`: times the number of strategies it was chosen from
    (Bonferroni), 1 at most.
    """
    named = {c.name: c for c in curves}
    base = [named[baseline].at(b) for b in budgets]
    ones = [1.0] * len(base[0])
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, curve in named.items():
        rows[name] = []
        for budget, other in zip(budgets, base, strict=True):
            value = curve.at(budget)
            difference = (value - other).tolist()
            low, high = bootstrap_ratio(value.tolist(), ones) or (0.0, 1.0)
            below, above = bootstrap_ratio(difference, ones) or (-1.0, 1.0)
            rows[name].append(
                {
                    "budget": budget,
                    "spent": min(budget, curve.whole),
                    "accuracy": float(value.mean()),
                    "low": low,
                    "high": high,
                    "difference": float(np.mean(difference)),
                    "difference_low": below,
                    "difference_high": above,
                    "p": sign_flip(difference) if curve.deployable else None,
                }
            )
    rivals = [name for name, c in named.items() if c.deployable and name != baseline]
    return {
        "curves": {name: {"deployable": named[name].deployable, "points": points} for name, points in rows.items()},
        "best": [
            {**_best(rows, i, baseline, rivals), "baseline_spent": rows[baseline][i]["spent"]}
            for i in range(len(budgets))
        ],
    }


def _best(rows: Mapping[str, Sequence[dict[str, Any]]], i: int, baseline: str, rivals: Sequence[str]) -> dict[str, Any]:
    name = max([baseline, *rivals], key=lambda n: rows[n][i]["accuracy"])  # the baseline where it ties
    kept = ("budget", "accuracy", "difference", "difference_low", "difference_high", "p")
    row = rows[name][i]
    return {
        "strategy": name,
        **{k: row[k] for k in kept},
        "p_corrected": min(1.0, row["p"] * max(1, len(rivals))),
    }
