"""MATH-500 (the 500 test problems of arXiv 2305.20050): competition mathematics with LaTeX answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data.errors import DataError
from data.records import Problem
from data.sources import load_rows
from reasoning.tasks.answers import canonical_math
from reasoning.tasks.base import Example

__all__ = ["INSTRUCTION", "Math500", "equal_math"]

INSTRUCTION: Final = "Put the final answer in \\boxed{}."

_EXAMPLES: Final = (
    Example(
        "What is the sum of the solutions of $x^2 - 7x + 10 = 0$?",
        "The polynomial factors as $(x-2)(x-5)$.\nIts roots are $2$ and $5$, and $2+5=7$.\n#### 7",
    ),
    Example(
        "A bag holds 3 red and 5 blue marbles. Two are drawn without replacement. What is the probability that both "
        "are red? Give a common fraction.",
        "The first is red with probability $\\frac{3}{8}$ and then the second with probability $\\frac{2}{7}$.\n"
        "The product is $\\frac{6}{56} = \\frac{3}{28}$.\n"
        "#### \\frac{3}{28}",
    ),
    Example(
        "Write the diagonal of a square with side 6 in simplest radical form.",
        "By the Pythagorean theorem the diagonal is $\\sqrt{6^2+6^2} = \\sqrt{72}$.\n"
        "Since $72 = 36 \\cdot 2$, it is $6\\sqrt{2}$.\n"
        "#### 6\\sqrt{2}",
    ),
    Example(
        "For which real $x$ is $2x - 3 < 5$ and $x \\ge 1$? Answer in interval notation.",
        "From $2x < 8$ it follows that $x < 4$.\nTogether with $x \\ge 1$ this is the interval $[1, 4)$.\n#### [1, 4)",
    ),
)


@dataclass(frozen=True, slots=True)
class Math500:
    """Answers are equal where math-verify says so. A test set: nothing may be trained on it."""

    name: str = "math500"
    evaluation_only: bool = True
    default_split: str = "test"
    instruction: str = INSTRUCTION
    examples: tuple[Example, ...] = _EXAMPLES

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of `test`; metadata holds unique_id, subject and level."""
        rows = load_rows("math500", split, directory=data_dir, limit=limit, offset=offset)
        return [
            Problem(
                f"math500/{split}/{index}",
                str(row["problem"]),
                str(row["answer"]),
                str(row["solution"]),
                {key: row[key] for key in ("unique_id", "subject", "level")},
            )
            for index, row in enumerate(rows, offset)
        ]

    def canonical(self, answer: str) -> str | None:
        """A cheap normal form for grouping votes; `judge` sees more answers as equal."""
        return canonical_math(answer)

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the answer equals the reference. Takes milliseconds; on odd input sympy may hang."""
        if problem.answer is None:
            raise DataError(f"problem {problem.id} has no reference answer")
        return equal_math(problem.answer, answer)

    def prepare(self) -> None:
        """Import what `judge` needs."""
        import math_verify  # noqa: F401


def equal_math(reference: str, answer: str) -> bool:
    """Whether two LaTeX answers are equal: the same normal form, or the same to math-verify.

    Only math-verify's LaTeX parser is used: its parser of plain expressions ends in Python's eval. Its own time limits
    are off, because they need the main thread's signals: `reasoning.grading` limits the whole call.
    """
    if (canonical := canonical_math(answer)) is None:
        return False
    if canonical == canonical_math(reference):
        return True
    from math_verify import LatexExtractionConfig, parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    config = (LatexExtractionConfig(),)
    gold, target = (
        parse(f"\\boxed{{{text}}}", config, parsing_timeout=None)
        for text in (reference.replace("$", ""), answer.replace("$", ""))
    )
    return bool(verify(gold, target, timeout_seconds=None))
