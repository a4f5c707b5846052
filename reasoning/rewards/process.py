"""Trained process reward models: the probability that a step is right, as the model itself was trained to say it.

`--reward` names the family (see `reasoning.rewards.layouts`), `--reward-policy` its checkpoint or server. A head over
tokens is computed by transformers on this machine or by a server's `/pooling`; a model that says its judgement as its
next token is asked through an engine like any policy, and so reads the steps before from a prefix cache.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from data.errors import UserError
from reasoning.cards import card_of
from reasoning.engine.base import Engine
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.profiles import Profile, get_profile
from reasoning.rewards.base import Partial
from reasoning.rewards.layouts import (
    LAYOUTS,
    Layout,
    Marked,
    check,
    judgement_ids,
    lay_out,
    step_ends,
    whole_cut,
)
from reasoning.tasks.base import Task
from search.types import Evaluated, Finish, Step, Usage

if TYPE_CHECKING:
    from reasoning.config import SolveConfig
    from reasoning.engine.token_classifier import Head
    from reasoning.policy import Policy

__all__ = ["PROCESS_REWARDS", "NextToken", "ProcessReward", "Scorer", "open_process_reward", "published", "trained"]

PROCESS_REWARDS = tuple(LAYOUTS)
_HEADS: Final[dict[str, Head]] = {
    "qwen-prm": "score-mlp",
    "skywork-prm": "value-head",
    "token-classification": "token-classification",
}


class Scorer(Protocol):
    """A model that judges at tokens."""

    @property
    def name(self) -> str:
        """The model, as a user would name it."""
        ...

    async def score(self, ids: Sequence[int], positions: Sequence[int]) -> tuple[list[float], Usage]:
        """The probability, in [0, 1], of "good" after each of `positions` of `ids`, and the cost."""
        ...

    async def close(self) -> None:
        """Free what it holds."""
        ...


Reader = Callable[[Partial], Marked]


@dataclass
class ProcessReward:
    """The last step's score, by a model that reads question and steps as `read` lays them out.

    `most_tokens` is 1 where the judgement is a token, else 0.
    """

    name: str
    scorer: Scorer
    read: Reader
    most_tokens: int = 0

    async def evaluate(self, partial: Partial) -> Evaluated:
        """One text through the model. Raises ValueError where the step is empty or its score is no number."""
        marked = self.read(partial)
        (score,), usage = await self.scorer.score(marked.ids, marked.positions[-1:])
        if not math.isfinite(score):
            raise ValueError(
                f"the reward '{self.name}' gives no number for a step ({score}): load its model in another dtype, such "
                "as --reward-engine dtype=float32, or get another copy of it"
            )
        return Evaluated(score, usage)

    async def close(self) -> None:
        """Close the model."""
        await self.scorer.close()


@dataclass(frozen=True)
class NextToken:
    """A language model as a scorer: P(good) / (P(good) + P(bad)) of two tokens, one request for each position."""

    engine: Engine
    tokens: tuple[int, int]

    @property
    def name(self) -> str:
        """The engine's model."""
        return self.engine.name

    async def score(self, ids: Sequence[int], positions: Sequence[int]) -> tuple[list[float], Usage]:
        """As of any scorer; every position costs one completion token."""
        scores, total = list[float](), Usage()
        for position in positions:
            (good, bad), usage = await self.engine.next_token_logprobs(ids[: position + 1], self.tokens)
            scores.append(1.0 / (1.0 + math.exp(min(bad - good, 700.0))))
            total += usage
        return scores, total

    async def close(self) -> None:
        """Close the engine."""
        await self.engine.close()


# ---- how a partial solution is read ----------------------------------------------------------------------------------


def published(layout: Layout, tokenizer: HFTokenizer) -> Reader:
    """Steps as a published layout wants them. Blank steps before the last one are left out, and so is a plan."""

    def read(partial: Partial) -> Marked:
        *before, last = _solution(partial)
        texts = [step.text for step in before if step.text.strip()]
        return lay_out(layout, tokenizer, partial.problem.question, [*texts, last.text])

    return read


def trained(task: Task, profile: Profile, tokenizer: HFTokenizer, *, same_ids: bool) -> Reader:
    """Steps as `reasoning.train.prm` trains a token classifier: a profile's prompt, judged at each step's last token.

    `same_ids`: the classifier has the policy's tokenizer, so the steps' own ids are used.
    """

    def read(partial: Partial) -> Marked:
        steps = _solution(partial)
        prompt = profile.prompt(task, partial.problem, tokenizer)
        if same_ids:
            return step_ends(prompt, [step.ids for step in steps])
        ids = whole_cut(tokenizer, [step.text for step in steps])
        # A step's text does not hold the end-of-sequence token, after which a last step is judged in training.
        if steps[-1].finish is Finish.ANSWER and not steps[-1].text.endswith("\n"):
            ids[-1] = [*ids[-1], *sorted(tokenizer.eos_ids)[:1]]
        return step_ends(prompt, ids)

    return read


def _solution(partial: Partial) -> tuple[Step, ...]:
    """The steps without a plan before them; the plan's own where it is what is judged."""
    if partial.steps[-1].action == "plan":
        return partial.steps
    return tuple(step for step in partial.steps if step.action != "plan")


# ---- opening ---------------------------------------------------------------------------------------------------------


async def open_process_reward(config: SolveConfig, policy: Policy) -> ProcessReward:
    """The process reward model that `--reward` and `--reward-policy` name. Raises UserError or EngineError."""
    layout = LAYOUTS[config.reward]
    if config.reward_suffix is not None:
        if layout.name != "token-classification":
            raise UserError(f"--reward-suffix does not go with --reward {layout.name}, which has its own separator")
        layout = dataclasses.replace(layout, mark=config.reward_suffix)
    if config.reward_policy is None and not (layout.name == "token-classification" and config.reward_adapter):
        known = f", such as {layout.checkpoint}" if layout.checkpoint else ""
        raise UserError(
            f"--reward {layout.name} needs its model: --reward-policy with a folder, a name on the hub{known}, or "
            "NAME@http://host:port/v1"
        )
    if layout.judged is not None:
        return await _judging(config, layout)
    return await _headed(config, layout, policy)


async def _judging(config: SolveConfig, layout: Layout) -> ProcessReward:
    """A model whose judgement is its next token."""
    from reasoning.engine import open_engine

    engine = await open_engine(
        config.reward_policy, adapter=config.reward_adapter, backend=config.backend, options=config.reward_engine
    )
    try:
        if not engine.capabilities.token_logprobs:
            raise UserError(
                f"the reward '{layout.name}' needs log-probabilities of named tokens, which {engine.name} does not "
                "report: serve it with vLLM, or name its folder"
            )
        tokenizer = engine.tokenizer
        if not isinstance(tokenizer, HFTokenizer):
            raise UserError(f"{engine.name} is no model for --reward {layout.name}: name its checkpoint")
        check(layout, tokenizer, engine.name)
        scorer = NextToken(engine, judgement_ids(layout, tokenizer))
        return ProcessReward(layout.name, scorer, published(layout, tokenizer), most_tokens=1)
    except BaseException:
        await engine.close()
        raise


async def _headed(config: SolveConfig, layout: Layout, policy: Policy) -> ProcessReward:
    """A model with a head over tokens, on this machine or served."""
    from reasoning.engine import models

    # A classifier's adapter belongs to the policy's model unless another is named.
    model = models.resolve(config.reward_policy or config.policy, config.reward_adapter)
    if model.kind == "toy":
        raise UserError(f"the toy policy is no model for --reward {layout.name}: name a checkpoint")
    if model.kind == "server":
        from reasoning.engine.pooling import open_pooling

        assert model.url is not None
        served = await open_pooling(model.name, model.url, options=config.reward_engine)
        try:
            check(layout, served.tokenizer, served.name)
        except BaseException:
            await served.close()
            raise
        return ProcessReward(layout.name, served, published(layout, served.tokenizer))
    from reasoning.engine.token_classifier import open_token_classifier

    folder = await asyncio.to_thread(models.folder, model)
    local = await asyncio.to_thread(
        open_token_classifier,
        folder,
        _HEADS[layout.name],
        name=model.name,
        adapter=model.adapter,
        options=config.reward_engine,
    )
    try:
        card = card_of(config.reward_adapter)
        if card is not None and card.profile is not None and config.reward_suffix is None:
            same = local.tokenizer.checksum == policy.engine.tokenizer.checksum
            read = trained(policy.task, get_profile(card.profile), local.tokenizer, same_ids=same)
        else:
            check(layout, local.tokenizer, local.name)
            read = published(layout, local.tokenizer)
        return ProcessReward(layout.name, local, read)
    except BaseException:
        await local.close()
        raise
