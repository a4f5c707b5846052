"""Problems of the user's own: any JSON Lines file with a question and an answer column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from data.errors import DataError, UserError
from data.records import Problem
from data.sources import read_jsonl
from reasoning.tasks.answers import canonical_math, canonical_number
from reasoning.tasks.base import Example
from reasoning.tasks.gsm8k import EXAMPLES
from reasoning.tasks.math500 import INSTRUCTION, Math500, equal_math

__all__ = ["Jsonl"]

_LOOKED_AT: Final = 100  # rows
_WORDS: Final = re.compile(r"[^\W\d_]{2,}([\s'-]+[^\W\d_]+)*[.!]?")


@dataclass(frozen=True, slots=True)
class Jsonl:
    """The problems of one file, whose name on the command line is its path.

    An answer is right where it is the same number, the same words whatever their case, or equal to math-verify.
    """

    name: str
    question_column: str = "question"
    answer_column: str = "answer"
    evaluation_only: bool = False
    default_split: str = "all"
    instruction: str = INSTRUCTION
    examples: tuple[Example, ...] = EXAMPLES

    @property
    def arithmetic(self) -> bool:
        """Whether the file's first reference answers are all plain numbers."""
        try:
            columns = (self.question_column, self.answer_column)
            rows = list(read_jsonl(Path(self.name), columns=columns, limit=_LOOKED_AT))
        except DataError:  # which `load` tells
            return False
        return bool(rows) and all(canonical_number(str(row[self.answer_column]), alone=True) for row in rows)

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of the file, which has the one split `all`; other columns become metadata."""
        if split != self.default_split:
            raise UserError(f"{self.name} has no split {split!r}: leave --split out")
        columns = (self.question_column, self.answer_column)
        rows = read_jsonl(Path(self.name), columns=columns, limit=limit, offset=offset)
        return [self._problem(index, row) for index, row in enumerate(rows, offset)]

    def canonical(self, answer: str) -> str | None:
        """An exact number where the answer is one, else its normal form as mathematics."""
        return canonical_math(answer)

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the answer equals the reference. Where the reference is mathematics, odd input may hang sympy."""
        if problem.answer is None:
            raise DataError(f"problem {problem.id} has no reference answer")
        if _WORDS.fullmatch(problem.answer.strip()):
            # math-verify would read a word as a product of letters, equal to its anagrams.
            return _folded(problem.answer) == _folded(answer)
        return equal_math(problem.answer, answer)

    def prepare(self) -> None:
        """Import what `judge` needs."""
        Math500().prepare()

    def _problem(self, index: int, row: dict[str, Any]) -> Problem:
        key = f"{Path(self.name).stem}/{index}"
        question, answer = row.pop(self.question_column), row.pop(self.answer_column)
        if not isinstance(question, str) or not question.strip():
            raise DataError(f"{self.name}: row {index}: column {self.question_column!r} must be text")
        if isinstance(answer, bool) or not isinstance(answer, str | int | float | None):
            raise DataError(f"{self.name}: row {index}: column {self.answer_column!r} must be text or a number")
        return Problem(key, question, None if answer is None else str(answer).strip(), metadata=row)


def _folded(text: str) -> str | None:
    form = canonical_math(text)
    return None if form is None else form.casefold()
