"""The policy's own confidence: exp of the mean log-probability of a step's tokens. Needs no model call."""

from __future__ import annotations

import math

from reasoning.rewards.base import Partial
from search.types import Evaluated

__all__ = ["MeanLogprob"]


class MeanLogprob:
    """The geometric mean of the token probabilities of the last step, tool tokens left out."""

    name = "logprob"
    most_tokens = 0

    async def evaluate(self, partial: Partial) -> Evaluated:
        """The value; ValueError where the engine reported no log-probabilities."""
        mean = partial.steps[-1].mean_logprob
        if mean is None:
            raise ValueError("the step carries no log-probabilities")
        return Evaluated(math.exp(mean))

    async def close(self) -> None:
        """Nothing to free."""
