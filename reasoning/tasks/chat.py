"""Free text: whatever a model answers to a conversation is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from data.errors import DataError, UserError
from data.records import Problem
from reasoning.tasks.base import Example

__all__ = ["Chat"]


@dataclass(frozen=True, slots=True)
class Chat:
    """Has no data and no instruction; two answers are equal where they are the same text."""

    fast_judge: ClassVar[bool] = True
    name: str = "chat"
    evaluation_only: bool = True
    default_split: str = "test"
    instruction: str = ""
    examples: tuple[Example, ...] = ()

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """There is none: UserError."""
        raise UserError("a chat has no problems to load: name another task")

    def canonical(self, answer: str) -> str | None:
        """The text without white space at its end; None where that is nothing."""
        return answer.rstrip() or None

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether it is the reference, letter by letter."""
        if problem.answer is None:
            raise DataError(f"problem {problem.id} has no reference answer")
        return self.canonical(answer) == self.canonical(problem.answer)
