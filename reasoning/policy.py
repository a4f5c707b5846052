"""The policy: a state in, a sampled step (or a whole answer, split into steps) out.

Token ids are never re-encoded: a request's prompt is the tree's ids plus what was sampled since, and a completion is
cut into steps at token borders only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from data.records import Problem
from reasoning.actions import PLAN_END, action_prompt
from reasoning.cards import card_of
from reasoning.engine.base import Completion, Engine, Sampling, single_token
from reasoning.profiles import Profile
from reasoning.prompts import PLAIN, Prompt
from reasoning.tasks.base import Task
from reasoning.tools.calculator import Annotation, check
from reasoning.tools.program import ProgramError, run_line, run_program, spell, state_key
from search.types import Expanded, Finish, Segment, Step, Usage

__all__ = ["Policy", "value_ids"]

_FENCE = "```"
MAX_CORRECTIONS = 16  # calculator corrections within one request; a model that needs more is going in circles


def value_ids(engine: Engine, adapter: str | None) -> tuple[int, int] | None:
    """The tokens "good" and "bad" of a policy with this `--adapter`, None where it gives no value as it writes.

    That takes a card that says `border` and an engine that can watch tokens. Raises UserError where the card is
    malformed or names tokens that are none.
    """
    card = card_of(adapter)
    if card is None or card.value is None or card.value.position != "border" or not engine.capabilities.watch:
        return None
    return single_token(engine, card.value.good), single_token(engine, card.value.bad)


@dataclass
class Policy:
    """Samples steps of `task` from `engine` in the manner of `profile`.

    `temperature` 0 is greedy. `value_ids` are the tokens "good" and "bad" of a policy that is trained to give its own
    value while it writes: every whole step then carries σ(z_good − z_bad), read from the logits that sampled its last
    token, at no cost. The engine must be able to watch tokens. `prompts` are the ways in which a question is put: a
    search's first samples take them in turn. `opening` is the action whose prompt a search starts from.
    """

    engine: Engine
    task: Task
    profile: Profile
    temperature: float = 0.7
    top_p: float = 1.0
    value_ids: tuple[int, int] | None = None
    prompts: tuple[Prompt, ...] = (PLAIN,)
    opening: str = "solve"
    _texts: dict[int, str] = field(default_factory=dict, repr=False)

    def prompt(self, problem: Problem, manner: Prompt = PLAIN) -> tuple[int, ...]:
        """Token ids of the root prompt; `manner` is one of `prompts`. Raises UserError for an `opening` it lacks."""
        if self.opening != "solve":
            return self.action_prompt(problem, self.opening)
        return self.profile.prompt(self.task, problem, self.engine.tokenizer, manner)

    def action_prompt(self, problem: Problem, action: str, draft: str = "") -> tuple[int, ...]:
        """Token ids of the root prompt of another action than to solve (see `reasoning.actions`)."""
        return action_prompt(self.profile, self.task, problem, self.engine.tokenizer, action, draft)

    def most_tokens(self, unit: Literal["step", "answer"]) -> int:
        """The most completion tokens one sample may take."""
        return self.profile.max_step_tokens if unit == "step" else self.profile.max_answer_tokens

    def grammar(self, problem: Problem, before: str, unit: Literal["step", "answer"]) -> str:
        """The grammar of what follows `before`, where the task has one and the engine can follow it; else empty."""
        of_task = getattr(self.task, "grammar", None)
        return of_task(problem, before, unit) if of_task and self.engine.capabilities.grammar else ""

    async def sample(
        self,
        prefix: Sequence[int],
        before: str,
        unit: Literal["step", "answer"],
        seed: int,
        max_tokens: int,
        grammar: str = "",
        head: str = "",
    ) -> Expanded:
        """Continue a partial solution.

        `prefix` are all ids up to here, `before` the solution's text so far, `grammar` as `Policy.grammar` gives it. At
        most `max_tokens` tokens are generated, discarded ones included; a step this limit falls into ends as CUT. A
        `head` is written for the model: the first step begins with it, as tool tokens.
        """
        stop = (*(self.profile.stop if unit == "answer" else (self.profile.step_end,)), *self.profile.ends)
        steps: list[Step] = []
        # Of the step under way: its tokens up to and with the last correction.
        kept = [Segment(tuple(self.engine.tokenizer.encode(head)), None, "tool")] if head else []
        usage = Usage()
        watch = self.value_ids or ()
        for corrections in range(MAX_CORRECTIONS + 1):
            left = max_tokens - usage.completion
            if left <= 0:
                return Expanded((*steps, self._step(kept, self._decode(kept), Finish.CUT)), usage)
            completion = await self.engine.complete(
                (*prefix, *(i for s in steps for i in s.ids), *(i for s in kept for i in s.ids)),
                Sampling(
                    left,
                    self.temperature,
                    self.top_p,
                    (seed + 7919 * corrections) % 2**31,
                    stop,
                    watch=watch,
                    grammar=grammar,
                ),
            )
            usage += completion.usage
            pieces = self._split(completion)
            end = 0  # of the tokens of `completion` that the pieces so far hold
            corrected = False
            for position, piece in enumerate(pieces):
                segments = [*kept, piece]
                end += len(piece.ids)
                text = self._decode(segments)
                wrong = self._wrong_calculation(text)
                if wrong is not None and wrong.correct is not None:
                    kept = self._splice(segments, text, wrong, wrong.correct)
                    corrected = True
                    break
                so_far = before + "".join(s.text for s in steps)
                ending = completion.finish if position == len(pieces) - 1 else "stop"
                step = self._read(so_far, segments, text, ending, wrong)
                # A step whose last token is the calculator's has no logits of its own there.
                if piece.ids and completion.watched is not None and step.finish not in (Finish.CUT, Finish.INVALID):
                    step = replace(step, value=_value(*completion.watched[end - 1]))
                steps.append(step)
                kept = []
                if steps[-1].finish is not Finish.STEP:
                    return Expanded(tuple(steps), usage)
            if not corrected:
                return Expanded(tuple(steps), usage)
        note = f"more than {MAX_CORRECTIONS} wrong calculations"
        return Expanded((*steps, self._step(kept, self._decode(kept), Finish.INVALID, note=note)), usage)

    # ---- planning --------------------------------------------------------------------------------------------------

    async def plan(self, prefix: Sequence[int], seed: int, max_tokens: int) -> Expanded:
        """Continue a plan by one step, a line. `prefix` is the prompt of the action "plan" with the plan so far.

        The step that completes the plan ends as END: it holds PLAN_END, or nothing but white space, or the model
        stopped in it. Then its end-of-sequence token is left out, since the solution goes on from there.
        """
        completion = await self.engine.complete(
            prefix, Sampling(max_tokens, self.temperature, self.top_p, seed, ("\n", PLAN_END))
        )
        text, length = completion.text, len(completion.ids)
        if completion.finish == "eos" or PLAN_END in text or (not text.strip() and "\n" in text):
            finish = Finish.END
            length -= bool(length) and completion.ids[-1] in self.engine.tokenizer.eos_ids
        else:
            finish = Finish.STEP if "\n" in text else Finish.CUT
        return Expanded((Step((_segment(completion, 0, length),), text, finish, action="plan"),), completion.usage)

    # ---- reading steps ---------------------------------------------------------------------------------------------

    def _split(self, completion: Completion) -> list[Segment]:
        """The completion cut after every token that closes a step; at least one piece."""
        pieces: list[Segment] = []
        start, text = 0, ""
        for position, token in enumerate(completion.ids):
            text += self._text(token)
            if self.profile.step_end in text:
                pieces.append(_segment(completion, start, position + 1))
                start, text = position + 1, ""
        if start < len(completion.ids) or not pieces:
            pieces.append(_segment(completion, start, len(completion.ids)))
        return pieces

    def _read(
        self, before: str, segments: Sequence[Segment], text: str, ending: str, malformed: Annotation | None
    ) -> Step:
        """The step that these tokens are; `ending` is how the completion ended at their end."""
        if ending == "length" and self.profile.step_end not in text:
            return self._step(segments, text, Finish.CUT)
        if malformed is not None:
            return self._step(segments, text, Finish.INVALID, note=malformed.error)
        if self.profile.answer == "program":
            return self._run(before, segments, text, ending == "eos")
        finish, written = self.profile.read(before, text, ending == "eos")
        if finish is not Finish.ANSWER:
            return self._step(segments, text, finish)
        answer = self.task.canonical(written or "")
        if answer is None:
            return self._step(segments, text, Finish.END, note="the final answer is not of the task's kind")
        return self._step(segments, text, Finish.ANSWER, answer=answer)

    def _run(self, before: str, segments: Sequence[Segment], text: str, ended: bool) -> Step:
        """The step that a program's next line is, by running it after the lines `before`.

        A line that fails is INVALID, with the reason as its note. Two lines that leave the same variables have the
        same meaning. A program that ends without an `answer` answers what its last line assigned, as in program-aided
        language models (arXiv 2211.10435).
        """
        line = text.strip()
        if line.startswith(_FENCE) and not before.strip() and not ended:  # a chat model's program begins
            return self._step(segments, text, Finish.STEP)
        over = not line or line.startswith(("Question:", _FENCE))
        try:
            lines = (old for old in before.split("\n") if not old.lstrip().startswith(_FENCE))
            variables = run_program("\n".join(lines))
            if not over:
                variables = run_line(line, variables)
        except ProgramError as error:
            return self._step(segments, text, Finish.INVALID, note=str(error))
        over = over or ended or text.endswith("\n\n")
        if not variables:
            return self._step(segments, text, Finish.END if over else Finish.STEP)
        if "answer" not in variables:
            if not over:
                return self._step(segments, text, Finish.STEP, meaning=state_key(variables))
            variables["answer"] = next(reversed(variables.values()))
        meaning = state_key(variables)
        answer = self.task.canonical(spell(variables["answer"]))
        if answer is None:
            note = "the final answer is not of the task's kind"
            return self._step(segments, text, Finish.END, note=note, meaning=meaning)
        return self._step(segments, text, Finish.ANSWER, answer=answer, meaning=meaning)

    # ---- the calculator --------------------------------------------------------------------------------------------

    def _wrong_calculation(self, text: str) -> Annotation | None:
        if not self.profile.calculator:
            return None
        return next((a for a in check(text) if not a.ok), None)

    def _splice(self, segments: Sequence[Segment], text: str, wrong: Annotation, value: str) -> list[Segment]:
        """The step's tokens up to a wrong value, then the right one as tool tokens, its closing brackets included."""
        kept = self._cut(segments, text[: wrong.start])
        # The last token border may lie before the value: `=-` is one token for some tokenizers.
        tool = text[len(self._decode(kept)) : wrong.start] + value + ">>"
        return [*kept, Segment(tuple(self.engine.tokenizer.encode(tool)), None, "tool")]

    def _cut(self, segments: Sequence[Segment], text: str) -> list[Segment]:
        """The longest run of leading tokens whose text is a prefix of `text`."""
        flat = [(s, i) for s in segments for i in range(len(s.ids))]
        count = len(flat)
        ids = [s.ids[i] for s, i in flat]
        while count and not text.startswith(self.engine.tokenizer.decode(ids[:count])):
            count -= 1
        kept: list[Segment] = []
        for s in segments:
            if count > 0:
                kept.append(Segment(s.ids[:count], None if s.logprobs is None else s.logprobs[:count], s.source))
            count -= len(s.ids)
        return kept

    def _decode(self, segments: Sequence[Segment]) -> str:
        return self.engine.tokenizer.decode([i for s in segments for i in s.ids])

    def _text(self, token: int) -> str:
        if token not in self._texts:
            self._texts[token] = self.engine.tokenizer.decode([token])
        return self._texts[token]

    def _step(
        self,
        segments: Sequence[Segment],
        text: str,
        finish: Finish,
        *,
        answer: str | None = None,
        note: str | None = None,
        meaning: str | None = None,
    ) -> Step:
        merged: list[Segment] = []
        for s in segments:
            if merged and s.source == merged[-1].source and (s.logprobs is None) == (merged[-1].logprobs is None):
                a = merged.pop()
                joined = None if a.logprobs is None or s.logprobs is None else a.logprobs + s.logprobs
                s = Segment(a.ids + s.ids, joined, s.source)
            merged.append(s)
        return Step(tuple(merged), text, finish, answer, note, meaning=meaning)


def _value(good: float, bad: float) -> float:
    """σ(z_good − z_bad), which log-probabilities give as well as logits; six decimals, like the log-probabilities."""
    return round(1.0 / (1.0 + math.exp(min(bad - good, 700.0))), 6)


def _segment(completion: Completion, start: int, end: int) -> Segment:
    if completion.logprobs is None:
        return Segment(completion.ids[start:end])
    # Six decimals are all that bfloat16 and float32 carry, and a third less to store.
    return Segment(completion.ids[start:end], tuple(round(x, 6) for x in completion.logprobs[start:end]))
