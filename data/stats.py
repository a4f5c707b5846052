"""The few statistics a comparison of runs needs, exact where that is cheap."""

from __future__ import annotations

import math

__all__ = ["mcnemar_exact", "wilson"]


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
