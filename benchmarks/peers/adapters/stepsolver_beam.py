"""stepsolver, and the two baselines: the same beam search over the same requests, driven in three ways.

Modes: `together` is stepsolver as it is; `one-by-one` searches one question at a time; `lockstep` sends one depth's
steps of all questions, waits for the last, sends their rewards, waits for the last, and so on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.peers.adapters.common import Job, Server, main
from data.records import Problem
from reasoning.engine.base import Engine
from reasoning.profiles import Profile
from reasoning.solver import Solver
from reasoning.worker import PolicyWorker
from search.driver import drive, drive_many
from search.tree import Tree
from search.types import Outcome, Request, State


class Plain(Solver):
    """Without the calculator, which no other system has: the work is then the same."""

    def _profile(self, engine: Engine) -> Profile:
        return replace(super()._profile(engine), calculator=False)

    def worker(self, problem: Problem) -> tuple[State, PolicyWorker]:
        """What a search of the question starts from."""
        assert self._policy is not None
        return State(problem.id, self._policy.prompt(problem)), PolicyWorker(problem, self._policy, self._reward)


async def together(solver: Plain, problems: Sequence[Problem], concurrency: int) -> list[Tree]:
    """Every request goes out the moment it exists, `concurrency` questions at a time."""

    async def one(problem: Problem) -> tuple[str, Tree]:
        root, worker = solver.worker(problem)
        tree, _ = await drive(solver.method, root, worker)
        return problem.id, tree

    trees = dict([found async for found in drive_many(problems, one, concurrency=concurrency)])
    return [trees[problem.id] for problem in problems]


async def lockstep(solver: Plain, problems: Sequence[Problem]) -> list[Tree]:
    """A batch of requests over all questions, and nothing new before the slowest of it is back."""
    roots = [solver.worker(problem) for problem in problems]
    trees = [solver.method.start(root) for root, _ in roots]
    batch: list[tuple[int, Request]] = [(i, r) for i, tree in enumerate(trees) for r in solver.method.ask(tree)]

    async def perform(index: int, request: Request) -> Outcome:
        worker = roots[index][1]
        return await worker.perform(trees[index], request, worker.most_tokens(trees[index], request))

    while batch:
        outcomes = await asyncio.gather(*(perform(i, request) for i, request in batch))
        told, batch = batch, []
        for (i, request), outcome in zip(told, outcomes, strict=True):
            solver.method.tell(trees[i], request, outcome)
            batch += [(i, r) for r in solver.method.ask(trees[i])]
    return trees


def best(solver: Plain, tree: Tree) -> str:
    """The text of the best answer's solution; empty where there is none."""
    answers = solver.method.answers(tree)
    if not answers:
        return ""
    return tree.text(max(answers[0].nodes, key=lambda i: (tree.nodes[i].value or 0.0, -i)))


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """The job in one of the modes."""
    problems = [Problem(str(i), question) for i, question in enumerate(job.questions)]

    async def everything() -> list[str]:
        async with Plain(
            method="beam",
            policy=f"{job.model}@{job.url}",
            engine={"tokenizer": job.tokenizer, "max_in_flight": "256"},
            profile="lines-zero-shot",
            beam_width=job.width,
            expand=job.expand,
            max_depth=job.depth,
            max_step_tokens=job.step_tokens,
            temperature=job.temperature,
            reward="self-eval",
        ) as solver:
            if mode == "lockstep":
                trees = await lockstep(solver, problems)
            else:
                trees = await together(solver, problems, 1 if mode == "one-by-one" else len(problems))
            return [best(solver, tree) for tree in trees]

    return asyncio.run(everything())


if __name__ == "__main__":
    from transformers import AutoTokenizer  # noqa: F401 -- an import, which is timed for no system

    main(solve)
