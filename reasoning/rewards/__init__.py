"""Process rewards: how promising a partial solution is, in [0, 1]; one file per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data.errors import UserError

if TYPE_CHECKING:
    from reasoning.config import SolveConfig
    from reasoning.policy import Policy
    from reasoning.rewards.base import Reward

__all__ = ["REWARDS", "make_reward"]

REWARDS = ("self-eval", "logprob", "generative")


async def make_reward(config: SolveConfig, policy: Policy) -> Reward:
    """The reward that `--reward` names, opened: one of REWARDS, an entry point, or `module:Class`.

    `self-eval` asks the policy itself; `generative` asks `--reward-policy` with `--reward-adapter` (each the policy's
    own where not given). The judgement tokens and the text before them default to self-evaluation's. A class outside
    the package is called with the policy. Raises UserError or EngineError.
    """
    from reasoning.engine import open_engine
    from reasoning.plugins import load_object, registered
    from reasoning.profiles import choose_profile
    from reasoning.rewards.generative import SELF_EVALUATION, GenerativeReward, Judgement
    from reasoning.rewards.logprob import MeanLogprob

    name = config.reward
    own = {k: v for k in ("reward_policy", "reward_adapter", "reward_engine") if (v := getattr(config, k))}
    if name != "generative" and own:
        raise UserError(f"--{min(own).replace('_', '-')} goes with --reward generative, not with '{name}'")
    if name == "logprob":
        if not policy.engine.capabilities.logprobs:
            raise UserError(f"the reward 'logprob' needs log-probabilities, which {policy.engine.name} does not report")
        return MeanLogprob()
    if name in ("self-eval", "generative"):
        default = SELF_EVALUATION
        judgement = Judgement(
            suffix=default.suffix if config.reward_suffix is None else config.reward_suffix,
            good=config.reward_good or default.good,
            bad=config.reward_bad or default.bad,
        )
        if not own:
            return GenerativeReward(policy.engine, judgement, name)
        judge = config.reward_policy or config.policy
        engine = await open_engine(
            judge, adapter=config.reward_adapter, backend=config.backend, options=config.reward_engine
        )
        try:
            profile = choose_profile(judge, config.reward_adapter, engine)
            return GenerativeReward(engine, judgement, name, False, policy.task, profile, owned=True)
        except BaseException:
            await engine.close()
            raise
    if ":" not in name and name not in registered("stepsolver.rewards"):
        raise UserError(f"unknown reward '{name}': choose one of {', '.join(REWARDS)}, or module:Class")
    factory: Any = load_object(name, "stepsolver.rewards")
    try:
        reward: Reward = factory(policy)
    except TypeError as error:
        raise UserError(f"--reward {name}: {error}") from None
    return reward
