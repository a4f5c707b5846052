"""How a policy is asked and what its steps look like: lines with a calculator, programs, or chat paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from data.errors import UserError
from data.records import Problem
from reasoning.cards import card_of
from reasoning.engine.base import Engine, EngineError, Tokenizer
from reasoning.prompts import PLAIN, Prompt
from reasoning.tasks.answers import final_answer
from reasoning.tasks.base import Task
from search.types import Finish

__all__ = ["PROFILES", "Profile", "choose_profile", "get_profile"]

_PROGRAM: Final = (
    "Write it as a short program: one assignment a line, with numbers, names of earlier lines and + - * / only, no "
    "comments. The last line assigns the result to answer."
)
_ANSWER_LINE = re.compile(r"^\s*####(?=\s*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Profile:
    """A policy's manner of solving.

    `step_end` closes a step; `stop` are the texts that end a whole solution sampled in one go. `shots` worked examples
    precede the question unless it goes through the model's chat template. `answer` is the form of a final answer:
    a line `#### 72`, `\\boxed{72}`, the whole text, or what a `program` assigns to `answer`: its steps are statements,
    run as soon as they are written (`reasoning.tools.program`). With `calculator`, wrong `<<48/2=25>>` annotations are
    corrected. Text up to `think_end` is thinking, in which no final answer counts. The token limits are per step and
    per whole answer. `actions` are the prompts it has beside its own (see `reasoning.actions`). `ends` are texts that
    end a solution wherever they come, and are left out of an answer that is the whole text.
    """

    name: str
    chat: bool
    shots: int
    step_end: str
    stop: tuple[str, ...]
    answer: Literal["hashes", "boxed", "whole", "program"]
    calculator: bool
    think_end: str | None
    max_step_tokens: int
    max_answer_tokens: int
    actions: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    def prompt(self, task: Task, problem: Problem, tokenizer: Tokenizer, manner: Prompt = PLAIN) -> tuple[int, ...]:
        """Token ids of the root prompt; `manner` is what is said beside the profile's own."""
        if self.answer == "program":
            return self._program_prompt(task, problem, tokenizer, manner)
        if self.chat:
            turns = [
                turn
                for e in manner.examples or ()
                for turn in (_user(e.question, task.instruction), {"role": "assistant", "content": e.solution})
            ]
            asked = _user(manner.instruction, problem.question, manner.lead, task.instruction)
            return tuple(tokenizer.chat([*turns, asked]))
        examples = task.examples[: self.shots] if manner.examples is None else manner.examples
        shots = "".join(f"Question: {e.question}\nAnswer: {e.solution}\n\n" for e in examples)
        instruction = f"{manner.instruction}\n\n" if manner.instruction else ""
        # No space after "Answer:": the model's next token brings its own.
        lead = f" {manner.lead}\n" if manner.lead else ""
        text = f"{instruction}{shots}Question: {problem.question}\nAnswer:{lead}"
        return (*tokenizer.bos_ids, *tokenizer.encode(text))

    def _program_prompt(self, task: Task, problem: Problem, tokenizer: Tokenizer, manner: Prompt) -> tuple[int, ...]:
        if manner.examples is None:
            shown = [(e.question, e.program) for e in task.examples if e.program][: self.shots]
        else:  # the policy's own, which wrote programs
            shown = [(e.question, e.program or e.solution) for e in manner.examples]
        said = [part for part in (manner.instruction, manner.lead) if part]
        if self.chat:
            turns = [
                turn
                for question, program in shown
                for turn in (_user(question, *said, _PROGRAM), {"role": "assistant", "content": program})
            ]
            return tuple(tokenizer.chat([*turns, _user(problem.question, *said, _PROGRAM)]))
        head = "".join(f"{part}\n\n" for part in said)
        shots = "".join(f"Question: {question}\nAnswer:\n{program}\n\n" for question, program in shown)
        return (*tokenizer.bos_ids, *tokenizer.encode(f"{head}{shots}Question: {problem.question}\nAnswer:\n"))

    def read(self, before: str, text: str, ended: bool) -> tuple[Finish, str | None]:
        """How a whole step ended, and the final answer as written where it has one.

        `before` is the solution's text so far, `text` the step's, `ended` whether the model ended its turn here.
        """
        if self.answer == "hashes":
            if _ANSWER_LINE.search(text) and (answer := final_answer(text)) is not None:
                return Finish.ANSWER, answer
            # In few-shot prompts a blank line, or the next question, is where the solution ends.
            if ended or not text.strip() or text.endswith("\n\n") or text.lstrip().startswith("Question:"):
                return Finish.END, None
            return Finish.STEP, None
        solution = before + text
        if self.answer == "whole":
            cuts = [at for end in self.ends if (at := solution.find(end)) >= 0]
            if cuts:
                return Finish.ANSWER, solution[: min(cuts)]
            return (Finish.ANSWER, solution) if ended else (Finish.STEP, None)
        if self.think_end is not None:
            _, closed, solution = solution.rpartition(self.think_end)
            if not closed:
                return (Finish.END if ended else Finish.STEP), None
        if "\\boxed" in text or ended:
            answer = final_answer(solution)
            if answer is not None:
                return Finish.ANSWER, answer
        return (Finish.END if ended else Finish.STEP), None


PROFILES: Final = {
    p.name: p
    for p in (
        Profile("lines", False, 4, "\n", ("\n\n", "\nQuestion:"), "hashes", True, None, 80, 320, ("plan",)),
        Profile("program", False, 8, "\n", ("\n\n", "\nQuestion:"), "program", False, None, 80, 320),
        Profile("program-zero-shot", False, 0, "\n", ("\n\n", "\nQuestion:"), "program", False, None, 80, 320),
        Profile("program-chat", True, 8, "\n", ("\n\n", "\n```"), "program", False, None, 80, 320),
        Profile("lines-zero-shot", False, 0, "\n", ("\n\n", "\nQuestion:"), "hashes", True, None, 80, 320),
        Profile("draft", False, 0, "\n", (), "whole", False, None, 120, 640),
        Profile("document", True, 0, "</document>", (), "whole", False, None, 4096, 4096),
        Profile("paragraphs", True, 0, "\n\n", (), "whole", False, None, 512, 2048),
        Profile("chat", True, 0, "\n\n", (), "boxed", False, None, 512, 2048, ("plan", "refine")),
        Profile("think", True, 0, "\n\n", (), "boxed", False, "</think>", 1024, 16384, ("refine",)),
    )
}


# The models of the catalogue that are asked for programs, and how (measured: docs/models.md).
_CODERS: Final = frozenset({"qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"})


def _user(*parts: str) -> dict[str, str]:
    """A user's turn in a conversation; empty parts are left out."""
    return {"role": "user", "content": "\n\n".join(part for part in parts if part)}


def get_profile(name: str) -> Profile:
    """The named profile, or a UserError that lists them."""
    if name not in PROFILES:
        raise UserError(f"unknown profile '{name}': choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def choose_profile(policy: str | None, adapter: str | None, engine: Engine, task: Task | None = None) -> Profile:
    """The profile of a policy for which none was named.

    An adapter may carry its own, on its card. A model of the catalogue takes the one that measured best on held-out
    questions (docs/models.md): SmolLM2 is too small for its chat template and does better after worked examples, the
    larger ones write programs where a task's answers are numbers. Other models use their chat template where they have
    one.
    """
    card = card_of(adapter)
    if card is not None and card.profile is not None:
        try:
            return get_profile(card.profile)
        except UserError as error:
            raise UserError(f"the card of the adapter {adapter}: {error}") from None
    if policy in ("toy", "smollm2-135m"):
        return PROFILES["lines"]
    if policy in _CODERS and getattr(task, "arithmetic", False):
        return PROFILES["program-chat"]
    try:
        engine.tokenizer.chat([{"role": "user", "content": ""}])
    except EngineError:
        return PROFILES["lines"]
    return PROFILES["chat"]
