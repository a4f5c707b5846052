"""Inspect: any strategy as a model, `stepsolver/METHOD`, and GSM8K from the data directory as a task.

`inspect eval stepsolver/gsm8k --model stepsolver/beam -M policy=embedded -M beam_width=3`. Inspect finds both by the
package's entry point; where the package is not installed, import this module first.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from inspect_ai import Task, task
from inspect_ai._util.registry import registry_add, registry_info
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageTool,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate
from inspect_ai.tool import ToolChoice, ToolInfo

from data.errors import UserError
from data.records import Problem
from reasoning.integrations.prompted import Ending, PromptedSolver, Repeats
from reasoning.solver import Solved
from reasoning.tasks.answers import final_answer
from reasoning.tasks.gsm8k import Gsm8k

__all__ = ["StepsolverAPI", "gsm8k", "number"]

T = TypeVar("T")

_ENGINE_OPTION: Final = "engine."


class _Home:
    """An event loop in a thread of its own: Inspect begins a loop per evaluation, an engine lives on one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="stepsolver", daemon=True).start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work there, for a caller on another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


@modelapi(name="stepsolver")
class StepsolverAPI(ModelAPI):  # type: ignore[misc]
    """The model `stepsolver/METHOD`; model arguments (`-M`) are the settings of `reasoning.Solver`, but for `task`.

    `engine.KEY=VALUE` is an engine option. A conversation goes through the policy's chat template; a policy without
    one is asked the messages' texts as one question, after the worked examples of its profile. Inspect's `max_tokens`
    and `stop_seqs` end a solution; its `temperature` counts where the strategy samples and was given none of its own,
    and its `seed` where the model was given none. All samples and evaluations share one engine, which opens with the
    first; `async with get_model(...)` closes it.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's signature
        **settings: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        options = {k: str(settings.pop(k)) for k in list(settings) if k.startswith(_ENGINE_OPTION)}
        if options:
            settings["engine"] = {k.removeprefix(_ENGINE_OPTION): v for k, v in options.items()}
        if config.seed is not None:
            settings.setdefault("seed", config.seed)
        self._solver = PromptedSolver(method=model_name, **settings)
        self._repeats = Repeats()
        self._home = _Home()
        self._opening: asyncio.Task[None] | None = None  # on the home loop

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One search. RuntimeError where it fails, UserError where the conversation has tools in it."""
        if tools or any(isinstance(m, ChatMessageTool) for m in input):
            raise UserError("stepsolver calls no tools: evaluate it on tasks without them")
        messages = [{"role": m.role, "content": m.text} for m in input]
        question = "\n\n".join(m["content"] for m in messages if m["content"])
        problem = Problem(self._repeats.name(json.dumps(messages)), question, metadata={"messages": messages})
        ending = Ending(tuple(config.stop_seqs or ()), config.max_tokens, config.temperature)
        text, solved = await self._home.run(self._reply(problem, ending))
        if solved.result.failed:
            raise RuntimeError(solved.result.failed)
        return _output(self.model_name, text, solved)

    async def aclose(self) -> None:
        """Close the engine; the next question opens it again."""
        await self._home.run(self._close())

    def max_connections(self) -> int:
        """As many questions at a time as the solver searches together."""
        return self._solver.config.concurrency

    async def _reply(self, problem: Problem, ending: Ending) -> tuple[str, Solved]:
        if self._opening is None:
            self._opening = asyncio.create_task(self._solver.start())
        # Shielded: the sample that came first may be cancelled while others wait for the engine too.
        await asyncio.shield(self._opening)
        return await self._solver.reply(problem, ending)

    async def _close(self) -> None:
        self._opening = None
        await self._solver.aclose()


def _output(model: str, text: str, solved: Solved) -> ModelOutput:
    result = solved.result
    output = ModelOutput.from_content(model, text, "stop" if result.answer is not None else "unknown")
    cached = result.cached_tokens or 0
    output.usage = ModelUsage(
        input_tokens=result.prompt_tokens - cached,
        input_tokens_cache_read=result.cached_tokens,
        output_tokens=result.completion_tokens,
        total_tokens=result.prompt_tokens + result.completion_tokens,
    )
    output.metadata = {
        "answer": result.answer,
        "answers": [dict(a) for a in result.answers],
        "nodes": result.nodes,
        "reward_tokens": result.reward_tokens,
        "computed_tokens": result.computed_tokens,
    }
    return output


@task  # type: ignore[untyped-decorator]
def gsm8k(data_dir: str | None = None) -> Task:
    """GSM8K's test questions from the data directory, judged as `reasoning.solve gsm8k` judges them."""
    problems = Gsm8k().load("test", data_dir=Path(data_dir) if data_dir else None, limit=None, offset=0)
    samples = [Sample(input=p.question, target=p.answer or "", id=p.id) for p in problems]
    return Task(dataset=MemoryDataset(samples, name="gsm8k"), solver=generate(), scorer=number())


# Inspect puts the import name of a package before its tasks, and nothing where the package is installed to be edited:
# `stepsolver/gsm8k`, whose first half is the entry point that Inspect looks for, is the name in both.
registry_add(gsm8k, registry_info(gsm8k).model_copy(update={"name": "stepsolver/gsm8k"}))


@scorer(metrics=[accuracy(), stderr()])  # type: ignore[untyped-decorator]
def number() -> Scorer:
    """Whether the marked answer (`#### 72`, a box), or else the last line, is the target's number."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        written = final_answer(text) or (text.strip().splitlines() or [""])[-1]
        found = Gsm8k().canonical(written)
        right = found is not None and found == Gsm8k().canonical(target.text)
        return Score(value=CORRECT if right else INCORRECT, answer=found or "", explanation=text)

    return score
