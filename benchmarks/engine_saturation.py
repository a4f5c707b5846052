"""python -m benchmarks.engine_saturation: how much of the engine's throughput each method keeps.

Every request of a method's search over the same questions is recorded (prompt ids, tokens generated, reward or not)
and then sent again to the same vLLM engine directly, without any search: the same prompts in the same order, each
forced to the same number of tokens, with the same cap on requests in flight. Both start with an empty prefix cache.
The saturation is the method's computed tokens (policy and reward, prompt - cached + completion) per second over the
bare engine's.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.common import print_table, write_result
from benchmarks.methods import METHODS, one_engine, solver_of
from reasoning.cli import key_value
from reasoning.engine.base import Completion, Engine, Sampling, Usage
from reasoning.engine.vllm_engine import VllmEngine


@dataclass
class Recorder:
    """An engine that passes everything on and remembers the shape of the work."""

    engine: Engine
    work: list[tuple[tuple[int, ...], int, tuple[int, ...] | None]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Pass on, and note prompt and length."""
        slot = self._begin(prompt_ids, None)
        completion = await self.engine.complete(prompt_ids, sampling)
        self._end(slot, len(completion.ids))
        return completion

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Pass on, and note the prompt."""
        slot = self._begin(prompt_ids, tuple(token_ids))
        result = await self.engine.next_token_logprobs(prompt_ids, token_ids)
        self._end(slot, 1)
        return result

    def _begin(self, prompt_ids: Sequence[int], token_ids: tuple[int, ...] | None) -> int:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.work.append((tuple(prompt_ids), 0, token_ids))
        return len(self.work) - 1

    def _end(self, slot: int, tokens: int) -> None:
        self.in_flight -= 1
        prompt, _, token_ids = self.work[slot]
        self.work[slot] = (prompt, tokens, token_ids)


async def bare(engine: VllmEngine, recorder: Recorder, temperature: float) -> tuple[float, Usage]:
    """Seconds and tokens of the recorded work on vLLM itself."""
    from vllm import SamplingParams
    from vllm.inputs import tokens_input
    from vllm.sampling_params import RequestOutputKind

    llm = engine._llm
    gate = asyncio.Semaphore(recorder.most_in_flight)
    usage = Usage()

    async def one(number: int, prompt: tuple[int, ...], tokens: int, token_ids: tuple[int, ...] | None) -> None:
        nonlocal usage
        params = SamplingParams(
            max_tokens=tokens,
            min_tokens=tokens,
            ignore_eos=True,
            temperature=0.0 if token_ids else temperature,
            seed=number,
            logprobs=None if token_ids else 0,
            logprob_token_ids=list(token_ids) if token_ids else None,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async with gate:
            async for output in llm.generate(tokens_input(list(prompt)), params, f"bare-{number}"):
                cached = output.num_cached_tokens or 0
                usage += Usage(len(prompt), cached, len(output.outputs[0].token_ids))

    begun = time.perf_counter()
    await asyncio.gather(*(one(i, *work) for i, work in enumerate(recorder.work)))
    return time.perf_counter() - begun, usage


async def measure(name: str, engine: VllmEngine, limit: int, seed: int) -> dict[str, Any]:
    """One method, then its own work on the bare engine."""
    recorder = Recorder(engine)
    solver = solver_of(name, recorder, limit=limit, seed=seed)
    problems = solver.load()
    await solver.start()
    await engine._llm.reset_prefix_cache()
    begun = time.perf_counter()
    results = await solver.arun(problems)
    seconds = time.perf_counter() - begun
    await solver.aclose()
    prompt = sum(r.prompt_tokens for r in results)
    cached = sum(r.cached_tokens or 0 for r in results)
    computed = sum(r.computed_tokens or 0 for r in results)
    completion = sum(r.completion_tokens for r in results)
    await engine._llm.reset_prefix_cache()
    bare_seconds, usage = await bare(engine, recorder, 0.0 if name == "greedy" else 0.7)
    bare_computed = usage.computed or 0
    return {
        "method": name,
        "requests": len(recorder.work),
        "in flight": recorder.most_in_flight,
        "computed": computed,
        "completion/computed": round(completion / computed, 3),
        "policy hit rate": round(cached / prompt, 3),
        "seconds": round(seconds, 1),
        "computed/s": round(computed / seconds, 1),
        "bare computed": bare_computed,
        "bare seconds": round(bare_seconds, 1),
        "bare computed/s": round(bare_computed / bare_seconds, 1),
        "bare hit rate": round((usage.cached or 0) / usage.prompt, 3),
        "saturation": round(computed / seconds / (bare_computed / bare_seconds), 3),
    }


async def run(args: argparse.Namespace) -> None:
    """Every method on one engine."""
    rows = []
    options = dict(key_value("--engine", option) for option in args.engine)
    async with one_engine(args.policy, args.adapter, options) as engine:
        if not isinstance(engine, VllmEngine):
            raise SystemExit("error: this benchmark measures the in-process vLLM engine: install vLLM")
        # The first requests of a fresh engine are slow (allocations); they belong to no method.
        warm_up = solver_of("greedy", engine, limit=8, seed=99)
        await warm_up.arun()
        for name in args.methods:
            rows.append(await measure(name, engine, args.limit, args.seed))
            print(f"{name}: saturation {rows[-1]['saturation']}", flush=True)
            settings = {m: METHODS[m] for m in args.methods[: len(rows)]}
            write_result("engine_saturation", rows, questions=args.limit, settings=settings)
    print()
    print_table(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.engine_saturation")
    parser.add_argument("--limit", type=int, default=64, help="GSM8K test questions")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--policy", help="as for reasoning.solve")
    parser.add_argument("--adapter")
    parser.add_argument("--engine", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(run(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
