"""What a task must say. A new task is one file with a class like this and one line of registration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data.records import Problem

__all__ = ["Example", "Task"]


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example for a few-shot prompt: a question and its solution, a step per line, the last `#### answer`.

    `plan` says in a numbered line for each step what is to be found out, with nothing calculated; it may be missing.
    `program` is the solution in the statements of `reasoning.tools.program`, the last of which assigns `answer`; it is
    missing where answers are no numbers.
    """

    question: str
    solution: str
    plan: str = ""
    program: str = ""


class Task(Protocol):
    """A kind of problem.

    A task whose answers are all numbers that arithmetic can find says so with `arithmetic = True`: models that do
    better with programs then write them. A task whose solutions follow a grammar has a method more, `grammar(problem,
    before, unit)`: the GBNF grammar of what may follow the solution's text `before`, a whole solution (`unit` "answer")
    or one step ("step").

    A task knows questions and answers and nothing of prompts, tokens or models; how a policy is asked and what its
    steps look like is the policy profile's part.
    """

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    @property
    def evaluation_only(self) -> bool:
        """True: training commands refuse the task."""
        ...

    @property
    def default_split(self) -> str:
        """The split taken where none is named."""
        ...

    @property
    def instruction(self) -> str:
        """One sentence for chat models: what a final answer looks like."""
        ...

    @property
    def examples(self) -> tuple[Example, ...]:
        """Own worked examples, never from a benchmark."""
        ...

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems `offset` to `offset + limit` of a split. Raises DataError (missing or malformed) or UserError."""
        ...

    def canonical(self, answer: str) -> str | None:
        """The form in which equal answers are the same string, or None where `answer` is no answer at all.

        Fast (microseconds), total, and safe on any model output.
        """
        ...

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether `answer` is right. May be slow or hang: call it through `reasoning.grading.Grader`."""
        ...
