"""Success rates too small for a fixed number of samples: sample until there are enough successes, and stay unbiased.

PassUntil (arXiv 2310.03262) samples until a question has been solved r times, which takes K samples. The
maximum-likelihood estimate r / K is too large on average (for r = 1 by a factor of about log(1/p)); the estimates here
have no bias.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tries", "neg_log_rate", "success_rate"]


@dataclass(frozen=True, slots=True)
class Tries:
    """Independent samples of one question, in the order in which they were planned, up to where sampling ends.

    It ends with the success number `until`, or with sample number `most` where it is not reached by then. Raises
    ValueError for counts that no such sampling gives.
    """

    successes: int
    samples: int
    until: int
    most: int

    def __post_init__(self) -> None:
        if not (self.until >= 1 and 0 <= self.successes <= self.samples <= self.most and self.successes <= self.until):
            raise ValueError(f"{self} is impossible: successes cannot exceed samples or `until`, nor samples `most`")
        if self.successes < self.until and self.samples < self.most:
            raise ValueError(f"{self} ended too early: before `until` successes and `most` samples")


def success_rate(tries: Tries) -> float:
    """An unbiased estimate of the chance p of a success, in [0, 1]: E = p exactly, for every p, `until` and `most`.

    (until − 1) / (samples − 1) where the successes were reached (Haldane 1945), successes / `most` where they were not:
    together the estimator of Girshick, Mosteller and Savage (1946) for this stopping rule, which is the share of the
    paths to where sampling ended that begin with a success. With `until` 1 it is 1 for a success at once and else 0,
    true on average but of no use for a single question: take 2 or more.
    """
    if tries.successes < tries.until:
        return tries.successes / tries.most
    return 1.0 if tries.samples == 1 else (tries.until - 1) / (tries.samples - 1)


def neg_log_rate(samples: int) -> float:
    """An unbiased estimate of −log p from the number of the first sample that succeeds: Σ 1/k, k from 1 to samples − 1.

    Because −log p = Σ (1 − p)^k / k. It is what a scaling law is fitted to, and takes no more than one success (inverse
    binomial sampling: de Groot 1959; van Opheusden et al., arXiv 2001.03985). Sampling must not be cut before it.
    """
    if samples < 1:
        raise ValueError(f"the first success has a number of at least 1, not {samples}")
    return sum(1.0 / k for k in range(1, samples))
