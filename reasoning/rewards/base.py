"""What a process reward is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from data.records import Problem
from search.types import Evaluated, Step

__all__ = ["Partial", "Reward"]


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial (or whole) solution: its problem, the ids of the policy's root prompt, and its steps, at least one."""

    problem: Problem
    prompt: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """Token ids of the prompt and all steps."""
        return self.prompt + tuple(i for s in self.steps for i in s.ids)


class Reward(Protocol):
    """A process reward. A new kind is one file with a class like this, or any `module:Class`."""

    name: str
    most_tokens: int  # completion tokens one evaluation may generate

    async def evaluate(self, partial: Partial) -> Evaluated:
        """The value of the last step, in [0, 1], and what it cost. May raise; the node then has no value."""
        ...

    async def close(self) -> None:
        """Free what the reward itself opened."""
        ...
