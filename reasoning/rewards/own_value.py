"""The value that a policy gives while it writes (see `reasoning.policy.Policy`). Needs no model call."""

from __future__ import annotations

from reasoning.rewards.base import Partial
from search.types import Evaluated

__all__ = ["OwnValue"]


class OwnValue:
    """The last step's own value, read from the request that sampled it."""

    name = "own-value"
    most_tokens = 0

    async def evaluate(self, partial: Partial) -> Evaluated:
        """The value; ValueError where the step carries none."""
        value = partial.steps[-1].value
        if value is None:
            raise ValueError("the step carries no value of the policy's own")
        return Evaluated(value)

    async def close(self) -> None:
        """Nothing to free."""
