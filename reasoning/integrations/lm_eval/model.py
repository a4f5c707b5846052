"""The model `stepsolver` of lm-evaluation-harness: a strategy that answers, an engine that scores."""

from __future__ import annotations

import asyncio
import logging
import math
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from data.errors import UserError
from data.records import Problem
from reasoning.engine.base import Sampling
from reasoning.integrations.prompted import Ending, PromptedSolver, Repeats
from reasoning.runs import ProblemResult
from reasoning.runs.totals import totals
from search.driver import drive_many
from search.types import Usage

__all__ = ["StepsolverLM", "close_all"]

T = TypeVar("T")

_LOG_HALF: Final = math.log(0.5)
_ENGINE_OPTION: Final = "engine."

logger = logging.getLogger(__name__)

_OPEN: weakref.WeakSet[StepsolverLM] = weakref.WeakSet()


def close_all() -> None:
    """Close every model that is open."""
    for model in list(_OPEN):
        model.close()


@register_model("stepsolver")
class StepsolverLM(TemplateLM):  # type: ignore[misc]
    """Any strategy as a model: `--model_args method=beam,policy=embedded,beam_width=3,engine.max_num_seqs=32`.

    The arguments are the settings of `reasoning.Solver`, but for `task`; `engine.KEY=VALUE` is an engine option. All
    requests of a call are searched together on one engine, `concurrency` at a time; the harness's batch size and
    device mean nothing here and are ignored. The engine is opened with the object: UserError and EngineError say in
    one line what to change.
    """

    def __init__(
        self,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        device: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        options = {k: str(settings.pop(k)) for k in list(settings) if k.startswith(_ENGINE_OPTION)}
        if options:
            settings["engine"] = {k.removeprefix(_ENGINE_OPTION): v for k, v in options.items()}
        if settings.get("adapter", "") is None:  # the harness reads the word none so
            settings["adapter"] = "none"
        self._solver = PromptedSolver(**settings)
        self._runner = asyncio.Runner()
        self._results: list[ProblemResult] = []
        self._scored = Usage()
        try:
            self._runner.run(self._solver.start())
        except BaseException:
            self._runner.close()
            raise
        _OPEN.add(self)

    def close(self) -> None:
        """Close the engine, which the harness does not. May be called twice."""
        if self in _OPEN:
            _OPEN.discard(self)
            self._runner.run(self._solver.aclose())
            self._runner.close()

    # ---- texts -----------------------------------------------------------------------------------------------------

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """One search per request: the context is the root prompt as it stands, `until` ends the text.

        `max_gen_toks` limits a whole solution. A `temperature` counts with `do_sample: true` only, and a `temperature`
        among the model's arguments wins. A search that fails gives an empty text and a warning; UserError where all
        do.
        """
        repeats, failures = Repeats(), list[str]()
        jobs = [
            (request, Problem(repeats.name(request.args[0]), request.args[0]), _ending(request.args[1]))
            for request in requests
        ]

        async def one(job: tuple[Instance, Problem, Ending]) -> str:
            request, problem, ending = job
            text, solved = await self._solver.reply(problem, ending)
            self._results.append(solved.result)
            if solved.result.failed:
                failures.append(solved.result.failed)
                logger.warning("%s: %s", problem.id, solved.result.failed)
            else:
                self.cache_hook.add_partial("generate_until", request.args, text)
            return text

        texts = self._together(jobs, one, disable_tqdm)
        if failures and len(failures) == len(texts):
            raise UserError(f"all {len(texts)} searches failed: {failures[0]}")
        return texts

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Refused: a context is a raw prompt and is never put into a template."""
        raise UserError("stepsolver takes the harness's contexts as raw prompts: leave out --apply_chat_template")

    # ---- log-likelihoods -------------------------------------------------------------------------------------------

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        """Sum of the continuation's log-probabilities, and whether greedy sampling would have given it.

        As in the harness's own models, a context that is too long loses its beginning.
        """
        self._need_scores()
        engine = self._solver.engine
        bos = list(engine.tokenizer.bos_ids)

        async def one(job: tuple[Any, list[int], list[int]]) -> tuple[float, bool]:
            pair, context, continuation = job
            prompt = context if context[: len(bos)] == bos else bos + context
            # One token of the window is left to the engine, which samples when it scores.
            result = await self._score(prompt[-max(1, engine.max_context - 1 - len(continuation)) :], continuation)
            if pair is not None:
                self.cache_hook.add_partial("loglikelihood", pair, result)
            return result

        return self._together(requests, one, disable_tqdm)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, in the harness's windows of the model's context."""
        self._need_scores()
        most = self._solver.engine.max_context - 2  # the prefix token, and the one that the engine samples

        async def one(request: Instance) -> float:
            (text,) = request.args
            windows = get_rolling_token_windows(self.tok_encode(text), self.prefix_token_id, most, context_len=1)
            total = 0.0
            for context, continuation in map(make_disjoint_window, windows):
                logprobs, usage = await self._solver.engine.score(context, continuation)
                self._scored += usage
                total += math.fsum(logprobs)
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
            return total

        return self._together(requests, one, disable_tqdm)

    async def _score(self, prompt: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
        if not continuation:
            return 0.0, True
        engine = self._solver.engine
        logprobs, usage = await engine.score(prompt, continuation)
        self._scored += usage
        # A token with more than half of the probability is the likeliest one; below that only the engine knows.
        greedy = all(logprob > _LOG_HALF for logprob in logprobs)
        if not greedy:
            completion = await engine.complete(prompt, Sampling(len(continuation), logprobs=False))
            self._scored += completion.usage
            greedy = completion.ids == tuple(continuation)
        return math.fsum(logprobs), greedy

    def _need_scores(self) -> None:
        engine = self._solver.engine
        if not engine.capabilities.score:
            raise UserError(
                f"log-likelihoods need an engine that scores given text, and {engine.name} does not: "
                "choose a task with output_type generate_until, or a model on this machine"
            )

    # ---- what the harness asks of a model --------------------------------------------------------------------------

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return min(self._solver.engine.tokenizer.eos_ids)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that has no context."""
        bos = self._solver.engine.tokenizer.bos_ids
        return bos[0] if bos else self.eot_token_id

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids of `string`, without special tokens."""
        return self._solver.engine.tokenizer.encode(string)

    def get_model_info(self) -> dict[str, Any]:
        """For the results: the strategy with every default filled in, and what it cost."""
        sums = totals(self._results)
        return {
            "strategy": self._solver.describe(),
            "searches": sums.problems,
            "searches_failed": sums.failed,
            "prompt_tokens": sums.prompt_tokens,
            "cached_tokens": sums.cached_tokens,
            "completion_tokens": sums.completion_tokens,
            "reward_tokens": sums.reward_tokens,
            "computed_tokens": sums.computed_tokens,
            "score_tokens": self._scored.computed,
        }

    def _together(self, jobs: Sequence[Any], one: Callable[[Any], Awaitable[T]], quiet: bool) -> list[T]:
        """Results of all jobs in order, `concurrency` jobs at a time."""
        results: dict[int, T] = {}

        async def numbered(job: tuple[int, Any]) -> tuple[int, T]:
            return job[0], await one(job[1])

        async def everything() -> None:
            with tqdm(total=len(jobs), disable=quiet, desc="stepsolver") as bar:
                async for index, result in drive_many(
                    enumerate(jobs), numbered, concurrency=self._solver.config.concurrency
                ):
                    results[index] = result
                    bar.update()

        self._runner.run(everything())
        return [results[i] for i in range(len(jobs))]


def _ending(arguments: Mapping[str, Any]) -> Ending:
    """The harness's generation arguments, under any of their names."""
    normal = normalize_gen_kwargs(dict(arguments), default_max_gen_toks=0)
    temperature = normal.get("temperature") if normal.get("do_sample") else None
    return Ending(tuple(normal["until"]), normal["max_gen_toks"] or None, temperature)
