"""The few statistics a comparison of runs needs, exact where that is cheap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["bootstrap_ratio", "mcnemar_exact", "sign_flip", "wilson"]

_EXACT: Final = 16  # differences other than 0 up to which all flips of sign are enumerated


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a proportion: (low, high) within [0, 1].

    The default `z` gives 95%. With no trials nothing is known: (0, 1). Unlike the normal interval it stays inside
    [0, 1] and keeps its coverage near 0 and 1 (Wilson 1927; Newcombe 1998, method 3).
    Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n, got {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    p, zz = successes / n, z * z
    centre = p + zz / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    scale = 1 + zz / n
    # The bounds at 0 and n successes are exactly 0 and 1; rounding would leave 1e-17 instead.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact McNemar p-value for paired yes/no results with `b` and `c` discordant pairs.

    Under the null hypothesis each discordant pair falls either way with probability 1/2, so this is the two-sided
    binomial test of min(b, c) in b + c (McNemar 1947). Concordant pairs carry no information; with no discordant
    pair the value is 1. Raises ValueError on negative counts.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts must not be negative, got {b} and {c}")
    n = b + c
    term, tail = 1, 0  # term = C(n, i), exact
    for i in range(min(b, c) + 1):
        tail += term
        term = term * (n - i) // (i + 1)
    return min(1.0, 2 * tail / (1 << n))


def bootstrap_ratio(
    above: Sequence[float],
    below: Sequence[float],
    *,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of sum(above) / sum(below), drawing items (such as problems) with replacement.

    What is counted within one item stays together, since it is not independent (Efron and Tibshirani 1993). None where
    the sum below is 0 in every resample. Raises ValueError where the lengths differ or a number below is negative.
    """
    import numpy as np

    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if top.shape != bottom.shape or (bottom < 0).any():
        raise ValueError("above and below need equal lengths, and below no negative number")
    if not len(top):
        return None
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(top), size=(samples, len(top)))
    sums, totals = top[drawn].sum(axis=1), bottom[drawn].sum(axis=1)
    found = sums[totals > 0] / totals[totals > 0]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def sign_flip(differences: Sequence[float], *, samples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of paired differences: how often random signs make their sum as large as it is.

    Under the null hypothesis the two of a pair are exchangeable, so each difference has either sign with probability
    1/2 (Fisher 1935). All signs are enumerated for up to 16 differences other than 0; beyond, `samples` are drawn and
    (hits + 1) / (samples + 1) is returned. With differences of 0 and 1 this is the sign test, as McNemar's.
    """
    import numpy as np

    given = np.asarray([x for x in differences if x], dtype=np.float64)
    if not len(given):
        return 1.0
    observed = abs(given.sum()) - 1e-9
    if len(given) <= _EXACT:
        bits = (np.arange(1 << len(given))[:, None] >> np.arange(len(given))) & 1
        return float((np.abs((2 * bits - 1) @ given) >= observed).mean())
    rng = np.random.default_rng(seed)
    signs = rng.integers(2, size=(samples, len(given))) * 2 - 1
    return float((np.sum(np.abs(signs @ given) >= observed) + 1) / (samples + 1))
