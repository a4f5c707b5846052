"""Prompts of what else a policy is asked than to solve: to plan first, and to write a solution anew in view of a draft.

Which of them a profile has is its field `actions`. All are told in words to chat models; the plan is shown by worked
examples too.
"""

from __future__ import annotations

from typing import Final

from data.errors import UserError
from data.records import Problem
from reasoning.engine.base import Tokenizer
from reasoning.profiles import PROFILES, Profile
from reasoning.tasks.base import Task

__all__ = ["PLAN_END", "action_prompt", "solution_head"]

PLAN_END: Final = "Solution:"  # stands between a plan and the solution
_PLAN_START: Final = "Plan:\n"
_PLAN: Final = (
    f'Do not solve it at once. First write "{_PLAN_START.strip()}" and under it a short numbered list of what has to '
    f'be found out, a line each, with nothing calculated yet. Then write "{PLAN_END}" and under it the solution, which '
    "follows the plan."
)
_REFINE: Final = (
    "The solution above may be wrong. Check it step by step against the question, then write a correct solution from "
    "its beginning, without speaking of the one above."
)


def action_prompt(
    profile: Profile, task: Task, problem: Problem, tokenizer: Tokenizer, action: str, draft: str = ""
) -> tuple[int, ...]:
    """Token ids of the root prompt of "plan", or of "refine" with the text of a `draft`.

    Raises UserError where the profile has no such prompt, or none for this task.
    """
    if action not in profile.actions:
        able = [p.name for p in PROFILES.values() if action in p.actions]
        hint = f"choose --profile {' or '.join(able)}, or another method" if able else "choose another method"
        raise UserError(f"the profile '{profile.name}' has no prompt for '{action}': {hint}")
    if action == "refine":
        return _refine(profile, task, problem, tokenizer, draft)
    if profile.chat:
        asked = {"role": "user", "content": f"{problem.question}\n\n{_PLAN} {task.instruction}"}
        # The heading is written for the model, so that its first line is a step of the plan already.
        return (*tokenizer.chat([asked]), *tokenizer.encode(_PLAN_START))
    shots = "".join(
        f"Question: {e.question}\n{_PLAN_START}{e.plan}\n{PLAN_END} {e.solution}\n\n"
        for e in task.examples[: profile.shots]
        if e.plan
    )
    if not shots:
        raise UserError(f"the task '{task.name}' has no worked plans for the profile '{profile.name}': choose another")
    return (*tokenizer.bos_ids, *tokenizer.encode(f"{shots}Question: {problem.question}\n{_PLAN_START}"))


def solution_head(plan: str) -> str:
    """What has to be written between a plan and its solution: nothing where the plan already ends with PLAN_END."""
    if PLAN_END in plan.rstrip().rpartition("\n")[2]:
        return ""
    return PLAN_END if plan.endswith("\n") or not plan else f"\n{PLAN_END}"


def _refine(profile: Profile, task: Task, problem: Problem, tokenizer: Tokenizer, draft: str) -> tuple[int, ...]:
    """Question and draft as they were, so that an engine has most of them in its prefix cache; then the instruction."""
    written = draft if profile.think_end is None else draft.rpartition(profile.think_end)[2]
    turns = (
        ("user", f"{problem.question}\n\n{task.instruction}"),
        ("assistant", written.strip()),
        ("user", f"{_REFINE} {task.instruction}"),
    )
    return tuple(tokenizer.chat([{"role": role, "content": text} for role, text in turns]))
