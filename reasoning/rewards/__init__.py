"""Process rewards: how promising a partial solution is, in [0, 1]; one file per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data.errors import UserError
from reasoning.cards import Card, card_of
from reasoning.rewards.layouts import LAYOUTS

if TYPE_CHECKING:
    from reasoning.config import SolveConfig
    from reasoning.policy import Policy
    from reasoning.rewards.base import Reward
    from reasoning.rewards.generative import Judgement

__all__ = ["REWARDS", "check_ids", "choose_reward", "make_reward"]

REWARDS = ("auto", "own-value", "self-eval", "logprob", "generative", "deductive", *LAYOUTS)
_ASKING = ("self-eval", "generative", "deductive")


def choose_reward(name: str, adapter: str | None) -> str:
    """The reward that `--reward` means; `auto` is decided by the card of the policy's adapter.

    `own-value` where the adapter gives a value at each step's border, `generative` where it gives one when it is asked
    after a step, and where it gives none `logprob`, which costs nothing and told right from wrong better than
    `self-eval` where both were measured (docs/models.md).
    """
    if name != "auto":
        return name
    card = card_of(adapter)
    if card is None or card.value is None:
        return "logprob"
    return "own-value" if card.value.position == "border" else "generative"


async def make_reward(config: SolveConfig, policy: Policy) -> Reward:
    """The reward that `--reward` names, opened: one of REWARDS, an entry point, or `module:Class`.

    `self-eval` asks the policy itself; `generative` asks `--reward-policy` with `--reward-adapter` (each the policy's
    own where not given). The judgement tokens and the text before them are those on the judge's card, and
    self-evaluation's where it has none. `deductive` asks the same models a question of its own. The published
    process reward models (`reasoning.rewards.process`) are `--reward-policy` too. A class outside the package is called
    with the policy. Raises UserError or EngineError.
    """
    from reasoning.plugins import load_object, registered
    from reasoning.rewards.generative import GenerativeReward
    from reasoning.rewards.logprob import MeanLogprob
    from reasoning.rewards.own_value import OwnValue

    name = choose_reward(config.reward, config.adapter)
    own = _given(config, "reward_policy", "reward_adapter", "reward_engine")
    if name not in ("generative", "deductive", *LAYOUTS) and own:
        raise UserError(
            f"--{own[0]} goes with --reward generative, deductive or a process reward model, not with '{name}'"
        )
    asking = ("reward_good", "reward_bad") if name in LAYOUTS else ("reward_good", "reward_bad", "reward_suffix")
    if name not in _ASKING and (asked := _given(config, *asking)):
        raise UserError(f"--{asked[0]} goes with --reward {' or '.join(_ASKING)}, not with '{name}'")
    if name in LAYOUTS:
        from reasoning.rewards.process import open_process_reward

        return await open_process_reward(config, policy)
    if name == "logprob":
        if not policy.engine.capabilities.logprobs:
            raise UserError(f"the reward 'logprob' needs log-probabilities, which {policy.engine.name} does not report")
        return MeanLogprob()
    if name == "own-value":
        if policy.value_ids is None:
            raise UserError(
                "the reward 'own-value' needs an --adapter that gives values as it writes (position border on its "
                f"card), on an engine of this machine; {policy.engine.name} gives none: use another reward"
            )
        return OwnValue()
    if name == "generative":
        return await _generative(config, policy, engine_of_its_own=bool(own))
    if name == "deductive":
        return await _deductive(config, policy, engine_of_its_own=bool(own))
    if name == "self-eval":
        return GenerativeReward(policy.engine, _judgement(config, None), name)
    if ":" not in name and name not in registered("stepsolver.rewards"):
        raise UserError(f"unknown reward '{name}': choose one of {', '.join(REWARDS)}, or module:Class")
    factory: Any = load_object(name, "stepsolver.rewards")
    try:
        reward: Reward = factory(policy)
    except TypeError as error:
        raise UserError(f"--reward {name}: {error}") from None
    return reward


def check_ids(reward: Reward, policy: Policy) -> None:
    """Raise UserError where a generative reward would read the policy's ids with another tokenizer."""
    from reasoning.rewards.generative import GenerativeReward

    if not isinstance(reward, GenerativeReward) or not (reward.same_ids or reward.profile is None):
        return
    judge, own = reward.engine.tokenizer.checksum, policy.engine.tokenizer.checksum
    if judge != own:
        raise UserError(
            f"the reward '{reward.name}' reads the policy's token ids, and its model {reward.engine.name} has another "
            f"tokenizer ({judge}, the policy's is {own}): give it same_ids=False, a task and a profile, to read text"
        )


async def _generative(config: SolveConfig, policy: Policy, *, engine_of_its_own: bool) -> Reward:
    from reasoning.engine import open_engine
    from reasoning.profiles import choose_profile
    from reasoning.rewards.generative import GenerativeReward

    name = "generative"
    if not engine_of_its_own:
        return GenerativeReward(policy.engine, _judgement(config, card_of(config.adapter)), name)
    judge, adapter = _judge(config)
    judgement = _judgement(config, card_of(adapter))
    engine = await open_engine(judge, adapter=adapter, backend=config.backend, options=config.reward_engine)
    try:
        profile = choose_profile(judge, adapter, engine)
        same = engine.tokenizer.checksum == policy.engine.tokenizer.checksum
        return GenerativeReward(engine, judgement, name, same, policy.task, profile, owned=True)
    except BaseException:
        await engine.close()
        raise


async def _deductive(config: SolveConfig, policy: Policy, *, engine_of_its_own: bool) -> Reward:
    from reasoning.engine import open_engine
    from reasoning.profiles import choose_profile
    from reasoning.rewards.deductive import VERIFICATION, Deductive

    judgement = _judgement(config, None, VERIFICATION)
    if not engine_of_its_own:
        return Deductive(policy.engine, policy.profile.chat, judgement)
    judge, adapter = _judge(config)
    engine = await open_engine(judge, adapter=adapter, backend=config.backend, options=config.reward_engine)
    try:
        return Deductive(engine, choose_profile(judge, adapter, engine).chat, judgement, owned=True)
    except BaseException:
        await engine.close()
        raise


def _judge(config: SolveConfig) -> tuple[str | None, str | None]:
    """The judging model and its adapter. The policy's adapter fits the policy's model only."""
    adapter = config.reward_adapter or (None if config.reward_policy else config.adapter)
    from reasoning.engine.models import named

    return named(config.reward_policy or config.policy), adapter


def _judgement(config: SolveConfig, card: Card | None, default: Judgement | None = None) -> Judgement:
    """What the judge is asked: as on its card, else `default` (self-evaluation's); what the user says wins."""
    from reasoning.rewards.generative import SELF_EVALUATION, Judgement

    default = default or SELF_EVALUATION
    if card is not None and card.value is not None:
        default = Judgement("", card.value.good, card.value.bad, card.value.position)
    suffix = default.suffix if config.reward_suffix is None else config.reward_suffix
    # Another question is asked after the steps, wherever the adapter gives its value.
    position = default.position if not suffix else "after"
    return Judgement(suffix, config.reward_good or default.good, config.reward_bad or default.bad, position)


def _given(config: SolveConfig, *names: str) -> list[str]:
    """Those of the settings that the user gave, as they are written on the command line."""
    return sorted(name.replace("_", "-") for name in names if getattr(config, name))
