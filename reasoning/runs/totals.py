"""A run's results added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from data.stats import wilson
from reasoning.runs.store import ProblemResult, RunView

__all__ = ["Totals", "judged", "summary", "totals"]

_TOLD: Final = ("task", "split", "method", "policy", "adapter", "reward", "seed", "version")  # of the configuration


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows of a run.

    `judged` counts the problems whose answer could be right or wrong; one that failed although a reference answer is
    there counts as wrong. Sums are None where any row's is unknown. `seconds` adds up the problems' own times,
    which overlap in a concurrent run.
    """

    problems: int
    judged: int
    correct: int
    failed: int
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    reward_tokens: int | None
    computed_tokens: int | None
    seconds: float
    reward_prompt_tokens: int | None
    reward_cached_tokens: int | None
    flops: float | None
    engine_seconds: float | None

    @property
    def accuracy(self) -> float | None:
        """Correct over judged; None where nothing was judged."""
        return self.correct / self.judged if self.judged else None

    @property
    def hit_rate(self) -> float | None:
        """The share of the policy's prompt tokens that came from the prefix cache; None where it is unknown."""
        return _share(self.cached_tokens, self.prompt_tokens)

    @property
    def reward_hit_rate(self) -> float | None:
        """The same of the reward's prompt tokens."""
        return _share(self.reward_cached_tokens, self.reward_prompt_tokens)

    @property
    def ci95(self) -> tuple[float, float] | None:
        """95% Wilson interval of the accuracy; None where nothing was judged."""
        return wilson(self.correct, self.judged) if self.judged else None


def judged(result: ProblemResult) -> bool:
    """Whether the problem's answer could be right or wrong."""
    return result.correct is not None or (result.failed is not None and result.gold is not None)


def totals(results: Sequence[ProblemResult]) -> Totals:
    """Add up the rows."""
    return Totals(
        problems=len(results),
        judged=sum(map(judged, results)),
        correct=sum(r.correct is True for r in results),
        failed=sum(r.failed is not None for r in results),
        prompt_tokens=sum(r.prompt_tokens for r in results),
        cached_tokens=_sum(r.cached_tokens for r in results),
        completion_tokens=sum(r.completion_tokens for r in results),
        reward_tokens=_sum(r.reward_tokens for r in results),
        computed_tokens=_sum(r.computed_tokens for r in results),
        seconds=sum(r.seconds for r in results),
        reward_prompt_tokens=_sum(r.reward_prompt_tokens for r in results),
        reward_cached_tokens=_sum(r.reward_cached_tokens for r in results),
        flops=_sum(r.flops for r in results),
        engine_seconds=_sum(r.engine_seconds for r in results),
    )


def summary(view: RunView) -> dict[str, Any]:
    """A run in one record of JSON values: what it is, and its totals."""
    t = totals(view.results)
    return {
        "name": view.name,
        **{k: view.config.get(k) for k in _TOLD},
        "problems": t.problems,
        "judged": t.judged,
        "correct": t.correct,
        "accuracy": t.accuracy,
        "ci95": t.ci95,
        "failed": t.failed,
        "prompt_tokens": t.prompt_tokens,
        "cached_tokens": t.cached_tokens,
        "completion_tokens": t.completion_tokens,
        "reward_tokens": t.reward_tokens,
        "computed_tokens": t.computed_tokens,
        "hit_rate": t.hit_rate,
        "reward_hit_rate": t.reward_hit_rate,
        "flops": t.flops,
        "engine_s": t.engine_seconds,
        "created": datetime.fromtimestamp(view.created, UTC).isoformat(timespec="seconds"),
    }


N = TypeVar("N", int, float)


def _sum(values: Iterable[N | None]) -> N | None:
    known = list(values)
    given = [value for value in known if value is not None]
    return sum(given) if len(given) == len(known) else None


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None
