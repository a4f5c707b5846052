"""What a problem looks like, its worked examples, and how an answer is found and judged; one file per task."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from data.errors import UserError
from reasoning.plugins import load_object, registered
from reasoning.tasks.base import Example, Task
from reasoning.tasks.gsm8k import Gsm8k
from reasoning.tasks.jsonl import Jsonl
from reasoning.tasks.math500 import Math500

__all__ = ["Example", "Task", "get_task"]

# A new task is a file beside this one and a line here.
TASKS: Final[dict[str, Callable[[], Task]]] = {
    "gsm8k": Gsm8k,
    "math500": Math500,
}

ENTRY_POINTS: Final = "stepsolver.tasks"


def get_task(spec: str, *, question_column: str = "question", answer_column: str = "answer") -> Task:
    """The task a user names: `gsm8k`, `math500`, `PATH.jsonl`, `rg:NAME`, an entry point, or `module:Class`.

    The columns are those of a JSON Lines file. Raises UserError where there is no such task.
    """
    if spec in TASKS:
        return TASKS[spec]()
    if spec.endswith(".jsonl"):
        return Jsonl(spec, question_column, answer_column)
    if spec.startswith("rg:"):
        from reasoning.tasks.rg import generator

        return generator(spec.removeprefix("rg:"))
    outside = registered(ENTRY_POINTS)
    if ":" not in spec and spec not in outside:
        near = difflib.get_close_matches(spec, (*TASKS, *outside), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        known = ", ".join((*TASKS, *sorted(outside), "PATH.jsonl", "rg:NAME", "module:Class"))
        raise UserError(f"unknown task {spec!r}{hint} (tasks: {known})")
    return _instance(spec, load_object(spec, ENTRY_POINTS))


def _instance(spec: str, found: object) -> Task:
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise UserError(f"task {spec!r} cannot be made without arguments: {error}") from None
    wanted = ("name", "evaluation_only", "default_split", "instruction", "examples", "load", "canonical", "judge")
    missing = [name for name in wanted if not hasattr(found, name)]
    if missing:
        raise UserError(f"task {spec!r} lacks: {', '.join(missing)} (see reasoning.tasks.base.Task)")
    return found  # type: ignore[return-value]
