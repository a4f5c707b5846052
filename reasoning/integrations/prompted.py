"""Searches from prompts that somebody else wrote: an evaluation harness asks a question, any strategy answers it.

The prompt is the root of the search as it stands. What is different from solving a task of one's own is that nobody
says what an answer looks like: see `PromptedProfile.read`.
"""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from data.errors import UserError
from data.records import Problem
from reasoning.engine.base import Engine, Tokenizer
from reasoning.profiles import Profile
from reasoning.solver import Solved, Solver
from reasoning.tasks.answers import canonical_number
from reasoning.tasks.base import Example, Task
from reasoning.tasks.gsm8k import EXAMPLES
from search.types import Finish

__all__ = ["AnyText", "Ending", "PromptedProfile", "PromptedSolver", "Repeats", "truncate"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a harness wants a text to end: before the first of the strings `until`, or after `max_tokens` tokens.

    `temperature` is the harness's, for strategies that sample and were given none of their own.
    """

    until: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None


def truncate(text: str, until: Sequence[str]) -> str:
    """`text` up to the first place where any of the strings begins; empty strings are none."""
    return text[: min((place for u in until if u and (place := text.find(u)) >= 0), default=len(text))]


@dataclass(frozen=True, slots=True)
class AnyText:
    """The task of a prompt from outside: it has no data and no judge, and any text is an answer.

    Answers are equal, for a vote, where they are the same number or the same words.
    """

    fast_judge: ClassVar[bool] = True
    name: str = "prompted"
    evaluation_only: bool = True
    default_split: str = "test"
    instruction: str = ""
    examples: tuple[Example, ...] = EXAMPLES

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """It has no problems of its own: raises UserError."""
        raise UserError("the questions come from the harness: name one of its tasks")

    def canonical(self, answer: str) -> str | None:
        """The one number in `answer`, else its words; None where there are none."""
        return canonical_number(answer) or " ".join(answer.split()) or None

    def judge(self, problem: Problem, answer: str) -> bool:
        """The harness judges; here nothing is right."""
        return False


# Zero-argument super() does not survive slots=True, hence `Profile.read(self, ...)`.
@dataclass(frozen=True, slots=True)
class PromptedProfile(Profile):
    """A profile whose prompts come from outside: raw text, or a conversation in `metadata["messages"]`."""

    until: tuple[str, ...] = ()

    @classmethod
    def of(cls, profile: Profile) -> PromptedProfile:
        """The same steps, marks and limits; no prompt of another action, which would put the question another way."""
        return cls(**{f.name: getattr(profile, f.name) for f in fields(profile)} | {"actions": ()})

    def ending(self, ending: Ending, most: int | None) -> PromptedProfile:
        """The profile for texts that end so; `most` is the user's own limit of tokens, where there is one."""
        given = [limit for limit in (ending.max_tokens, most) if limit is not None]
        whole = min(given, default=self.max_answer_tokens)
        return replace(
            self,
            until=ending.until,
            stop=tuple(u for u in ending.until if u) or self.stop,
            max_answer_tokens=whole,
            max_step_tokens=min(self.max_step_tokens, whole),
        )

    def prompt(self, task: Task, problem: Problem, tokenizer: Tokenizer, manner: object = None) -> tuple[int, ...]:
        """Raw text is encoded as it stands, behind what the model expects at the very start.

        A conversation goes through the model's chat template; a profile without one takes its texts as the question.
        """
        messages: Sequence[Mapping[str, str]] | None = problem.metadata.get("messages")
        if messages is None:
            return (*tokenizer.bos_ids, *tokenizer.encode(problem.question))
        if self.chat:
            return tuple(tokenizer.chat([dict(m) for m in messages]))
        return Profile.prompt(self, task, problem, tokenizer)

    def read(self, before: str, text: str, ended: bool) -> tuple[Finish, str | None]:
        """A solution ends with its marked answer (`#### 72`, a box), at one of `until`, or with the model's turn.

        One that ends without a mark has its last line for an answer, so that it can be voted on. A blank line or
        the next question ends nothing here: that is what `until` is for.
        """
        solution = before + text
        kept = truncate(solution, self.until)
        finish, written = Profile.read(self, before, kept[len(before) :], False)
        if finish is Finish.ANSWER:
            return finish, written
        if not ended and len(kept) == len(solution):
            return Finish.STEP, None
        said = kept if self.think_end is None else kept.rpartition(self.think_end)[2]
        lines = said.split("\n") if not said.strip() else said.strip().split("\n")
        return (Finish.ANSWER, lines[-1].strip()) if lines[-1].strip() else (Finish.END, None)


@dataclass(slots=True)
class Repeats:
    """Names for prompts: a prompt that comes again gets another name, and with it other random seeds."""

    seen: Counter[str] = field(default_factory=Counter)

    def name(self, prompt: str) -> str:
        """`HASH/K` for the K-th coming of `prompt`, from 0."""
        key = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.seen[key] += 1
        return f"{key}/{self.seen[key] - 1}"


class PromptedSolver(Solver):
    """Any strategy on prompts from outside, all on one engine. `settings` are those of `reasoning.Solver`, no task."""

    def __init__(self, **settings: Any) -> None:
        if "task" in settings:
            raise UserError("leave out the setting 'task': the harness brings the questions")
        super().__init__(AnyText(), **settings)
        self._variants: dict[Ending, PromptedSolver] = {}

    async def reply(self, problem: Problem, ending: Ending) -> tuple[str, Solved]:
        """The text of the best solution, ended as wished, and the search behind it.

        `problem.question` is the raw prompt. What goes wrong is in `result.failed`. `start` must have been awaited.
        """
        solved = await self._ending(ending).asolve(problem)
        return truncate(solved.text, ending.until), solved

    async def aclose(self) -> None:
        """Close what was opened. May be called twice."""
        self._variants.clear()
        await super().aclose()

    def _ending(self, ending: Ending) -> PromptedSolver:
        """This solver on the same engine and reward, with texts that end so."""
        if ending not in self._variants:
            if self._policy is None:
                raise RuntimeError("the solver is not started")
            profile = self._policy.profile
            assert isinstance(profile, PromptedProfile)
            policy = replace(self._policy, profile=profile.ending(ending, self.config.max_answer_tokens))
            if ending.temperature and policy.temperature and self.config.temperature is None:
                policy = replace(policy, temperature=ending.temperature)
            variant = copy.copy(self)
            variant._policy = policy
            self._variants[ending] = variant
        return self._variants[ending]

    def _profile(self, engine: Engine) -> Profile:
        return PromptedProfile.of(super()._profile(engine))
