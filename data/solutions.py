"""Solutions as steps: the reference solutions of a data set, and the mathematics-only view of any solution."""

from __future__ import annotations

import re

from data.errors import DataError
from data.records import Problem
from data.rows import Solution

__all__ = ["annotated", "equations", "gold", "mathematics_only"]

_ANNOTATION = re.compile(r"<<[^<>\n]*>>")


def annotated(key: str, question: object, solution: object) -> Problem:
    """The problem of a row in GSM8K's form: the answer is the number after `####`, without commas. Raises DataError."""
    if not isinstance(question, str) or not isinstance(solution, str):
        raise DataError(f"{key}: question and answer must be text")
    _, marker, answer = solution.rpartition("####")
    if not marker:
        raise DataError(f"{key}: its answer has no line '#### number'")
    return Problem(key, question, answer.strip().replace(",", ""), solution)


def equations(text: str) -> tuple[str, ...]:
    """The annotations of a solution, `<<48/2=24>>`, without spaces, in order: what tells two solutions apart (RFT)."""
    return tuple(found.replace(" ", "") for found in _ANNOTATION.findall(text))


def mathematics_only(solution: str, answer: str) -> tuple[str, ...] | None:
    """A solution with its words removed: each annotation a step, then `#### answer`. None where nothing is annotated.

    Steps without language serve search and process rewards as well ("What Are Step-Level Reward Models Rewarding?",
    arXiv 2412.15904), and a small model learns them at a third of the tokens.
    """
    lines = equations(solution)
    if not lines:
        return None
    # The first step follows "Answer:", which brings no space of its own.
    return (*(f"{' ' if i == 0 else ''}{line}\n" for i, line in enumerate(lines)), f"#### {answer}")


def gold(problem: Problem, *, words: bool = False) -> Solution | None:
    """The reference solution of a problem as a row, mathematics only or `words` and all; None where there is none."""
    if problem.solution is None or problem.answer is None:
        return None
    if words:
        lines = problem.solution.rpartition("####")[0].strip().splitlines()
        steps: tuple[str, ...] | None = (
            *(f"{' ' * (i == 0)}{x}\n" for i, x in enumerate(lines)),
            f"#### {problem.answer}",
        )
    else:
        steps = mathematics_only(problem.solution, problem.answer)
    return None if steps is None else Solution(problem.id, problem.question, problem.answer, steps)
