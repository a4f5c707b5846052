"""Problems searched by Ray actors: each has a solver with its own engine, and its own part of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.records import Problem
from data.scale import Lost, Scale
from data.scale.on_ray import on_ray
from reasoning.runs import ProblemResult, Run, open_run, runs_root
from reasoning.solver import Solver, completed, tell_to_json

__all__ = ["PartOf", "Searching", "gpus_needed", "search_scaled"]

_SIDES = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
"""Engine options whose product is the GPUs that one vLLM engine takes."""


@dataclass(frozen=True, slots=True)
class PartOf:
    """The run that workers write their parts of: its name, what may differ, whether other machines share its folder,
    and where that is."""

    name: str
    exempt: frozenset[str]
    distant: bool
    root: Path = field(default_factory=lambda: runs_root().absolute())


class Searching:
    """What one worker does (a `data.scale.on_ray.Work`): search problems, and record each the moment it is done."""

    def __init__(self, settings: Mapping[str, Any], part_of: PartOf | None) -> None:
        """`settings` are those of `reasoning.config.SolveConfig`."""
        self._solver = Solver(**settings)
        self._part_of = part_of
        self._run: Run | None = None

    async def start(self) -> None:
        """Open the engine, and then the part, so that one that does not start leaves nothing behind."""
        await self._solver.start()
        if (of := self._part_of) is not None:
            config = self._solver.describe()
            self._run = open_run(
                of.name,
                config,
                resume=True,
                root=of.root,
                exempt=of.exempt,
                complete=completed,
                wal=not of.distant,
            )

    async def do(self, job: tuple[int, Problem], /) -> ProblemResult:
        """Search one problem of an index. What goes wrong with it is in the result's `failed`."""
        index, problem = job
        solved = await self._solver.asolve(problem)
        result = dataclasses.replace(solved.result, index=index)
        if self._run is not None:
            self._run.record(result, (tell_to_json(t) for t in solved.log))
        return result

    async def aclose(self) -> None:
        """Close the part, which goes where it is empty, and the engine."""
        if self._run is not None:
            self._run.discard()
        await self._solver.aclose()


async def search_scaled(
    settings: Mapping[str, Any],
    problems: Sequence[tuple[int, Problem]],
    scale: Scale,
    *,
    run: Run | None = None,
    exempt: Collection[str] = frozenset(),
) -> AsyncGenerator[ProblemResult, None]:
    """The results of problems with their indices, as they finish; each worker searches `concurrency` at a time.

    `run` is this process's part, where what was given up is recorded; the workers write parts of their own. Raises
    UserError and EngineError as a solver does, and UserError where Ray cannot do what is asked for.
    """
    part_of = PartOf(run.name, frozenset(exempt), scale.address is not None) if run else None
    make = partial(Searching, dict(settings), part_of)
    found = on_ray(problems, make, scale, ahead=settings["concurrency"], gpus=gpus_needed(settings))
    async with aclosing(found):
        async for (index, problem), result in found:
            if isinstance(result, Lost):
                result = _given_up(index, problem, settings["seed"], result.reason)
                if run is not None:
                    run.record(result)
            yield result


def _given_up(index: int, problem: Problem, seed: int, reason: str) -> ProblemResult:
    """The result of a problem whose workers were lost. What they spent on it is not known."""
    return ProblemResult(
        problem.id,
        index,
        problem.question,
        problem.answer,
        failed=reason,
        seed=seed,
        cached_tokens=None,
        reward_tokens=None,
        computed_tokens=None,
    )


def gpus_needed(settings: Mapping[str, Any]) -> float:
    """GPUs that one engine of these settings takes where there are any; 0 for a server's policy and the toy."""
    from reasoning.engine.models import resolve

    if resolve(settings.get("policy"), settings.get("adapter")).kind in ("server", "toy"):
        return 0.0
    needed = 1
    for side in _SIDES:
        text = settings.get("engine", {}).get(side, "1")
        if not text.isdecimal() or int(text) < 1:
            raise UserError(f"--engine {side}={text}: give a whole number of at least 1")
        needed *= int(text)
    return float(needed)
