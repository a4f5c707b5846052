"""How good process rewards are: AUC of step labels, first errors, calibration, and what best-of-n gains from them.

Counts and ranks are exact; what is drawn at random (bootstrap, subsets) follows a seed.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "Bin",
    "Curve",
    "FirstErrors",
    "Scored",
    "auc",
    "auc_interval",
    "best_of_n_curve",
    "brier",
    "calibration",
    "expected_calibration_error",
    "first_error",
    "first_error_accuracy",
]

Floats = Sequence[float]


# ---- ranking -------------------------------------------------------------------------------------------------------


def auc(scores: Floats, labels: Floats, level: float = 0.5) -> float | None:
    """Area under the ROC curve: P(score of a positive > score of a negative), ties counting one half.

    A label is positive where it is greater than `level`: 0 makes soft labels Math-Shepherd's hard ones (any rollout
    was right). None where only one class is present. O(n log n) by ranks (Mann and Whitney 1947).
    """
    rank, positive = _ranked(scores, labels, level)
    return _auc(rank, positive, np.ones(len(rank)))


def auc_interval(
    scores: Floats,
    labels: Floats,
    questions: Sequence[str],
    level: float = 0.5,
    *,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of `auc`, drawing whole questions: steps of one question are not independent.

    None where no resample has both classes.
    """
    rank, positive = _ranked(scores, labels, level)
    names = {name: i for i, name in enumerate(dict.fromkeys(questions))}
    owner = np.array([names[name] for name in questions], dtype=np.int64)
    if len(owner) != len(rank):
        raise ValueError(f"{len(rank)} scores and {len(owner)} questions")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(samples):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        value = _auc(rank, positive, drawn[owner].astype(np.float64))
        if value is not None:
            found.append(value)
    if not found:
        return None
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _ranked(scores: Floats, labels: Floats, level: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores and {len(labels)} labels")
    _, rank = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    return rank.astype(np.int64), np.asarray(labels, dtype=np.float64) > level


def _auc(rank: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]) -> float | None:
    """`weight` counts how often each item was drawn. Sums of halves stay exact in float64."""
    good = np.bincount(rank, weight * positive)
    bad = np.bincount(rank, weight * ~positive)
    pairs = good.sum() * bad.sum()
    if not pairs:
        return None
    return float((good * (np.cumsum(bad) - bad / 2)).sum() / pairs)


# ---- first errors --------------------------------------------------------------------------------------------------


def first_error(values: Floats, level: float) -> int | None:
    """Index of the first step whose value is at most `level`; None where there is none."""
    return next((i for i, value in enumerate(values) if value <= level), None)


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """Share of solutions with an error whose first one was found, share without one that were passed, and the two's
    harmonic mean (the F1 of ProcessBench, arXiv 2412.06559); None where there are no such solutions."""

    wrong: int
    found: float | None
    right: int
    passed: float | None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of `found` and `passed`."""
        if self.found is None or self.passed is None:
            return None
        total = self.found + self.passed
        return 2 * self.found * self.passed / total if total else 0.0


def first_error_accuracy(
    scores: Sequence[Floats], labels: Sequence[Floats], *, threshold: float = 0.5, level: float = 0.0
) -> FirstErrors:
    """How often the first step scored at most `threshold` is the first one labelled at most `level`.

    One inner sequence per solution. With soft labels from rollouts, `level` 0 calls a step an error from which no
    rollout reached the answer.
    """
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for guessed, known in zip(scores, labels, strict=True):
        if len(guessed) != len(known):
            raise ValueError(f"a solution has {len(guessed)} scores and {len(known)} labels")
        truth = first_error(known, level)
        hits[truth is not None].append(first_error(guessed, threshold) == truth)
    wrong, right = hits[True], hits[False]
    return FirstErrors(
        len(wrong), sum(wrong) / len(wrong) if wrong else None, len(right), sum(right) / len(right) if right else None
    )


# ---- calibration ---------------------------------------------------------------------------------------------------


def brier(scores: Floats, labels: Floats) -> float:
    """Mean squared difference of scores and (hard or soft) labels. Raises ValueError where there are none."""
    if not scores or len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores and {len(labels)} labels")
    return math.fsum((s - y) ** 2 for s, y in zip(scores, labels, strict=True)) / len(scores)


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores in [low, high) (the last bin holds 1 as well): how many, their mean, and the mean of their labels."""

    low: float
    high: float
    count: int
    score: float
    label: float


def calibration(scores: Floats, labels: Floats, bins: int = 10) -> tuple[Bin, ...]:
    """The bins of equal width that hold anything, lowest first. Scores lie in [0, 1]."""
    held: dict[int, list[tuple[float, float]]] = {}
    for score, label in zip(scores, labels, strict=True):
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"scores must lie in [0, 1], got {score}")
        held.setdefault(min(int(score * bins), bins - 1), []).append((score, label))
    return tuple(
        Bin(
            i / bins,
            (i + 1) / bins,
            len(pairs),
            math.fsum(s for s, _ in pairs) / len(pairs),
            math.fsum(y for _, y in pairs) / len(pairs),
        )
        for i, pairs in sorted(held.items())
    )


def expected_calibration_error(table: Sequence[Bin]) -> float:
    """Mean over scores of |mean score - mean label| of their bin (arXiv 1706.04599). 0 for an empty table."""
    total = sum(b.count for b in table)
    return math.fsum(b.count * abs(b.score - b.label) for b in table) / total if total else 0.0


# ---- best of n -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scored:
    """A sampled solution: its canonical answer (None: it has none, and is never chosen), its score, if it is right."""

    answer: str | None
    score: float
    correct: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Expected accuracy with `n` samples per question: the best-scored answer, the weighted vote, the majority vote.

    `oracle` is best-of-n under a reward that knows the truth, which is pass@n: no reward can do better.
    """

    n: int
    best: float
    weighted: float
    majority: float
    oracle: float


def best_of_n_curve(
    questions: Sequence[Sequence[Scored]], ns: Sequence[int], *, subsets: int = 200, seed: int = 0
) -> tuple[Curve, ...]:
    """Accuracy of each way to choose among `n` samples, averaged over questions, for each of `ns`.

    The expectation runs over subsets of a question's samples, without replacement. `best` and `oracle` are exact
    (pass@n as in arXiv 2107.03374); the votes are exact where a question has at most `subsets` subsets of size n, else
    the mean over `subsets` seeded draws. Ties are broken evenly. Raises ValueError where a question has fewer samples.
    """
    fewest = min((len(samples) for samples in questions), default=0)
    if not questions or min(ns) < 1 or max(ns) > fewest:
        raise ValueError(f"n must lie between 1 and {fewest}, the fewest samples of a question; got {list(ns)}")
    curves = []
    for n in ns:
        sums = [0.0] * 4
        for index, samples in enumerate(questions):
            rng = random.Random(f"{seed}/{n}/{index}")
            drawn = _subsets(samples, n, subsets, rng)
            parts = (
                _best(samples, n),
                math.fsum(_vote(part, lambda s: s.score) for part in drawn) / len(drawn),
                math.fsum(_vote(part, lambda _: 1.0) for part in drawn) / len(drawn),
                1.0 - math.comb(sum(not s.correct for s in samples), n) / math.comb(len(samples), n),
            )
            sums = [total + part for total, part in zip(sums, parts, strict=True)]
        curves.append(Curve(n, *(total / len(questions) for total in sums)))
    return tuple(curves)


def _best(samples: Sequence[Scored], n: int) -> float:
    """P(the best-scored of n samples is right): its tie group is the highest one that the subset meets."""

    def key(sample: Scored) -> tuple[bool, float]:
        return sample.answer is not None, sample.score

    below, ways, total = 0, math.comb(len(samples), n), 0.0
    for _, tied in itertools.groupby(sorted(samples, key=key), key):
        group = list(tied)
        chosen = math.comb(below + len(group), n) - math.comb(below, n)
        right = sum(s.correct and s.answer is not None for s in group)
        total += chosen / ways * right / len(group)
        below += len(group)
    return total


def _subsets(samples: Sequence[Scored], n: int, most: int, rng: random.Random) -> list[Sequence[Scored]]:
    if math.comb(len(samples), n) <= most:
        return list(itertools.combinations(samples, n))
    return [rng.sample(samples, n) for _ in range(most)]


def _vote(samples: Sequence[Scored], weight: Callable[[Scored], float]) -> float:
    """1 where the answer of greatest weight is right, 0 where it is wrong, a share where several lead."""
    weights: dict[str, list[float]] = {}
    right: dict[str, bool] = {}
    for sample in samples:
        if sample.answer is not None:
            weights.setdefault(sample.answer, []).append(weight(sample))
            right[sample.answer] = sample.correct
    totals = {answer: math.fsum(parts) for answer, parts in weights.items()}
    best = max(totals.values(), default=0.0)
    leaders = [answer for answer, total in totals.items() if total == best]
    return sum(right[answer] for answer in leaders) / len(leaders) if leaders else 0.0
