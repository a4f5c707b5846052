"""Generative process rewards: the probability of one judgement token against another after a judgement prompt.

With the policy's own engine this is self-evaluation as in MCTS-DPO (arXiv 2405.00451): P("B") after "(A) incorrect
(B) correct". With a trained model or adapter it is a generative process reward model (such as RLHFlow's "+" and "-"),
which may need no judgement prompt at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from data.errors import UserError
from reasoning.engine.base import Engine, single_token
from reasoning.profiles import Profile
from reasoning.rewards.base import Partial
from reasoning.tasks.base import Task
from search.types import Evaluated, Finish, Step

__all__ = ["SELF_EVALUATION", "GenerativeReward", "Judgement", "judged", "judgement_tokens"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is asked after the solution so far, and the two tokens whose probabilities are compared.

    Position `border` compares them in place of the last step's last token instead, with nothing asked (an empty
    suffix).
    """

    suffix: str
    good: str
    bad: str
    position: Literal["border", "after"] = "after"


# The steps so far stay a prefix of the prompt, so that an engine reads them from its cache.
SELF_EVALUATION = Judgement(
    "\nIs the answer so far correct?\n(A) incorrect\n(B) correct\nThe answer so far is (", good="B", bad="A"
)


def judgement_tokens(engine: Engine, judgement: Judgement, reward: str) -> tuple[int, int]:
    """The ids of the tokens "good" and "bad".

    Raises UserError where one of them is not one token, they are the same, or the engine cannot compare them.
    """
    if not engine.capabilities.token_logprobs:
        raise UserError(
            f"the reward '{reward}' needs log-probabilities of named tokens, which {engine.name} does not report: "
            "use an in-process engine or another reward"
        )
    good, bad = single_token(engine, judgement.good), single_token(engine, judgement.bad)
    if good == bad:
        raise UserError("the two judgement tokens are the same: name two different ones")
    return good, bad


async def judged(engine: Engine, prompt: Sequence[int], tokens: tuple[int, int]) -> Evaluated:
    """P(good) / (P(good) + P(bad)) as the next token after `prompt`."""
    (good, bad), usage = await engine.next_token_logprobs(prompt, tokens)
    return Evaluated(1.0 / (1.0 + math.exp(min(bad - good, 700.0))), usage)


@dataclass
class GenerativeReward:
    """P(good) / (P(good) + P(bad)) as the next token after question, steps and `judgement.suffix`.

    Without a `profile` the judge reads the policy's own prompt, and where it is the policy's own engine, question and
    steps come from the prefix cache; with one, the judge has its own prompt of `task`. `same_ids`: the judge has the
    policy's tokenizer, so the steps' ids are used as they are. Otherwise the steps are encoded one by one and the ids
    joined, never joined as text first. `owned` engines are closed.
    """

    engine: Engine
    judgement: Judgement = SELF_EVALUATION
    name: str = "self-eval"
    same_ids: bool = True
    task: Task | None = None
    profile: Profile | None = None
    owned: bool = False
    most_tokens: int = 1
    _suffix: list[int] = field(init=False, repr=False)
    _tokens: tuple[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._suffix = self.engine.tokenizer.encode(self.judgement.suffix)
        self._tokens = judgement_tokens(self.engine, self.judgement, self.name)

    async def evaluate(self, partial: Partial) -> Evaluated:
        """One next-token request."""
        question: Sequence[int] = partial.prompt
        if self.profile is not None:
            assert self.task is not None
            question = self.profile.prompt(self.task, partial.problem, self.engine.tokenizer)
        prompt = [*question, *(i for s in partial.steps for i in self._ids(s)), *self._suffix]
        if self.judgement.position == "border":
            prompt.pop()
        return await judged(self.engine, prompt, self._tokens)

    async def close(self) -> None:
        """Close the engine if it was opened for this reward."""
        if self.owned:
            await self.engine.close()

    def _ids(self, step: Step) -> Sequence[int]:
        if self.same_ids:
            return step.ids
        tokenizer = self.engine.tokenizer
        ids = tokenizer.encode(step.text)
        # A step's text does not hold the end-of-sequence token, which a judge that is asked nothing was trained to see.
        if not self._suffix and step.finish is Finish.ANSWER and not step.text.endswith("\n"):
            ids += sorted(tokenizer.eos_ids)[:1]
        return ids
