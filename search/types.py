"""Records that pass between a search algorithm, its driver and whoever performs the work.

Everything here is frozen and made of plain values, so a request or an outcome can be stored, sent and replayed.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

__all__ = [
    "Answer",
    "Cancel",
    "Cancelled",
    "Evaluate",
    "Evaluated",
    "Expand",
    "Expanded",
    "Failed",
    "Finish",
    "Outcome",
    "Request",
    "Segment",
    "State",
    "Step",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one piece of work cost.

    `prompt` tokens were sent, `cached` of them were read from a prefix cache (None: the engine does not say), and
    `completion` tokens were generated, whether or not they were kept. `attended` counts, over all computed tokens, the
    tokens each of them attends to (itself included): what the quadratic part of the work depends on. Where it is not
    given, it is that of one request; None where `cached` is. `seconds` are the engine's, shared evenly among whatever
    it worked on at a time, so that they add up. Neither bears on whether two usages are equal: how requests share an
    engine is not repeatable.
    """

    prompt: int = 0
    cached: int | None = 0
    completion: int = 0
    attended: int | None = field(default=None, compare=False)
    seconds: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        if self.attended is None and self.cached is not None:
            last = self.prompt + self.completion
            pairs = (last * (last + 1) - self.cached * (self.cached + 1)) // 2  # positions cached + 1 ... last
            object.__setattr__(self, "attended", pairs)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            _sum(self.cached, other.cached),
            self.completion + other.completion,
            _sum(self.attended, other.attended),
            self.seconds + other.seconds,
        )

    @property
    def computed(self) -> int | None:
        """Tokens that went through the model: prompt - cached + completion. None where `cached` is unknown."""
        return None if self.cached is None else self.prompt - self.cached + self.completion


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


class Finish(StrEnum):
    """How a step ended."""

    STEP = "step"  # whole, and the solution goes on
    ANSWER = "answer"  # whole, and the solution ends here with an answer
    END = "end"  # the solution ends here without an answer, or the plan is complete
    CUT = "cut"  # a token limit fell inside it: neither scored nor extended
    INVALID = "invalid"  # it breaks the step grammar: neither scored nor extended


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens from one source.

    `ids` are token ids as the engine returned (or received) them; `logprobs` are natural-log probabilities, one per
    id, under the policy at temperature 1, or None where unknown. Tool tokens carry none, and count in no prior, no
    mean log-probability and no training loss.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None = None
    source: Literal["model", "tool"] = "model"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution: its tokens, its text, and how it ended.

    `answer` is the canonical final answer (see a task's `canonical`) where `finish` is ANSWER; `note` says why where
    it is INVALID. `value` is the policy's own estimate, in [0, 1], that the solution up to here leads to a right
    answer, where the policy is trained to give one while it writes. `action` says which prompt the step was written
    for: a "plan" step is no part of the solution that follows it. `meaning` is what the solution up to here comes to,
    in a canonical form, where that can be told (a program's variables): siblings of equal meaning are one step, however
    they are spelled.
    """

    segments: tuple[Segment, ...]
    text: str
    finish: Finish = Finish.STEP
    answer: str | None = None
    note: str | None = None
    value: float | None = None
    action: str = "solve"
    meaning: str | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """All token ids of the step, in order."""
        return tuple(i for s in self.segments for i in s.ids)

    @property
    def mean_logprob(self) -> float | None:
        """Mean log-probability of the model's own tokens, or None where any is unknown or there are none."""
        total, count = 0.0, 0
        for segment in self.segments:
            if segment.source == "tool":
                continue
            if segment.logprobs is None:
                return None
            total += math.fsum(segment.logprobs)
            count += len(segment.logprobs)
        return total / count if count else None


@dataclass(frozen=True, slots=True)
class State:
    """Where a search starts: the problem's key, the run's seed and the token ids of the root prompt.

    A search may start from several prompts for its one question: `prompt` and the `others`. The root's samples take
    them in turn, by their number.
    """

    problem: str
    prompt: tuple[int, ...] = ()
    seed: int = 0
    others: tuple[tuple[int, ...], ...] = ()

    def which(self, sample: int) -> int:
        """The number of the prompt that this sample of the root continues: 0 is `prompt`, 1 the first of `others`."""
        return sample % (1 + len(self.others))

    def prompt_of(self, sample: int) -> tuple[int, ...]:
        """The ids of the prompt that this sample of the root continues."""
        which = self.which(sample)
        return self.others[which - 1] if which else self.prompt


# ---- requests: what an algorithm asks for --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expand:
    """Sample one continuation of `node`: one step, or everything up to the answer.

    `index` counts the samples asked of this node so far; with the path it fixes the sample's random seed. `action`
    names the policy prompt (solve, plan, refine, ...).
    """

    id: int
    node: int
    index: int
    action: str = "solve"
    unit: Literal["step", "answer"] = "step"


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Score `node` as a partial or whole solution with the named process reward."""

    id: int
    node: int
    reward: str = "reward"


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a pending request; it still gets an outcome (`Failed`, with the tokens it spent)."""

    id: int
    request: int


Request = Expand | Evaluate | Cancel


# ---- outcomes: what comes back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expanded:
    """The sampled step, or the chain of steps of a whole answer (first to last, at least one)."""

    steps: tuple[Step, ...]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A process reward in [0, 1] for the evaluated node."""

    value: float
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Failed:
    """The work did not happen, and why. `kind` tells a spent budget and a cancellation from a real error."""

    reason: str
    kind: Literal["error", "budget", "cancelled"] = "error"
    usage: Usage = field(default_factory=Usage)


Outcome = Expanded | Evaluated | Failed


@dataclass(frozen=True, slots=True)
class Answer:
    """A distinct final answer: its canonical form, its rank score, its share of votes and the nodes that gave it."""

    answer: str
    score: float
    votes: int
    nodes: tuple[int, ...]


class Cancelled(asyncio.CancelledError):
    """Raised by cancelled work that knows which tokens it had already spent."""

    def __init__(self, usage: Usage) -> None:
        super().__init__("cancelled")
        self.usage = usage
