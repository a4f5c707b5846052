"""What a stored run would have answered at every budget: its logs folded, its answers judged, its cost added up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from data.errors import UserError
from data.metrics import Scored
from data.records import Problem
from reasoning.engine.flops import ModelSize, flops
from reasoning.grading import Grader
from reasoning.methods import load_method
from reasoning.runs.store import ProblemResult, RunView
from reasoning.tasks import get_task
from reasoning.tasks.base import Task
from search.algorithm import Algorithm
from search.anytime import moments
from search.best_of_n import BestOfN
from search.codec import outcome_from_json, request_from_json
from search.driver import ReplayError, Tell, replay
from search.tree import Tree
from search.types import Evaluate, Expand, Finish, State, Usage

__all__ = ["COSTS", "Point", "Samples", "Trace", "curves", "samples", "searches", "steps", "traces"]

# What a budget may be counted in, and how: of the policy's and the reward's usage and the two models' sizes.
Sizes = tuple[ModelSize | None, ModelSize | None]
COSTS: Final[Mapping[str, Callable[[Usage, Usage, Sizes], float | None]]] = {
    "completion tokens": lambda policy, reward, _: policy.completion,
    "computed tokens": lambda policy, reward, _: _plus(policy.computed, reward.computed),
    "FLOPs": lambda policy, reward, sizes: _plus(flops(sizes[0], policy), flops(sizes[1], reward)),
    "engine seconds": lambda policy, reward, _: policy.seconds + reward.seconds,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """One question's search from nothing to its end, moment by moment.

    `right` is 1 where the answer at that moment is right, `covered` where any of its answers is (what a perfect choice
    among them would make of it). `costs` are cumulative, never falling, by each of COSTS that is known.
    """

    problem: str
    right: tuple[float, ...]
    covered: tuple[float, ...]
    costs: Mapping[str, tuple[float, ...]]

    def at(self, cost: str, budget: float) -> int:
        """The last moment that costs at most `budget`."""
        return bisect_right(self.costs[cost], budget) - 1


@dataclass(frozen=True, slots=True)
class Point:
    """All questions cut at the same `ceiling`: what they cost together then, and how many of them were right."""

    ceiling: float
    spent: float
    right: int


@dataclass(frozen=True, slots=True)
class Samples:
    """One question's independent whole solutions, for any number of which the cost is known in expectation.

    `own` is what generating one sample costs on average, `scoring` what its rewards cost. `prompt` is the cost of the
    prompt tokens that came from no cache: the most that any one sample paid, and the sum over all.
    """

    problem: str
    samples: tuple[Scored, ...]
    own: Mapping[str, float]
    scoring: Mapping[str, float]
    prompt: Mapping[str, tuple[float, float]]

    def cost(self, cost: str, n: int, *, scored: bool) -> float:
        """The expected cost of `n` of the samples, `scored` or not.

        Exact in what is generated. Where the samples share a cached prompt somebody pays for it once, where nothing
        was cached everybody does; both ends are exact, in between this is the larger bound.
        """
        first, whole = self.prompt[cost]
        prompt = max(first, whole * n / len(self.samples)) if n else 0.0
        return n * (self.own[cost] + (self.scoring[cost] if scored else 0.0)) + prompt


async def traces(view: RunView, task: Task, problems: Collection[Problem]) -> list[Trace]:
    """The traces of those of the problems that the run holds and that have a reference answer, in their order.

    A search that failed has its cost and no right answer. Raises UserError where a log is not its method's.
    """
    found = []
    async with Grader(task) as grader:
        for problem, result, (method, root, log), sizes in searches(view, problems):
            try:
                folded = moments(method, root, log)
            except ReplayError as error:
                raise UserError(f"the search of {problem.id!r} in run {view.name!r} does not replay: {error}") from None
            right = await _verdicts(grader, problem, {a for m in folded for a in m.answers})
            costs = {name: [cost(m.policy, m.reward, sizes) for m in folded] for name, cost in COSTS.items()}
            good = result.failed is None
            found.append(
                Trace(
                    problem.id,
                    tuple(float(good and right[m.answers[0]]) if m.answers else 0.0 for m in folded),
                    tuple(float(good and any(right[a] for a in m.answers)) for m in folded),
                    {name: tuple(paid) for name, paid in costs.items() if _known(paid)},
                )
            )
    return found


def steps(traces: Sequence[Trace], cost: str, count: int = 10) -> list[Point]:
    """The run at up to `count` ceilings, which share out its moments evenly; the last one cuts nothing."""
    paid = sorted({paid for trace in traces for paid in trace.costs[cost] if paid > 0})
    chosen = sorted({paid[(len(paid) - 1) * i // count] for i in range(1, count + 1)} if paid else ())
    found = []
    for ceiling in chosen:
        at = [trace.at(cost, ceiling) for trace in traces]
        spent = math.fsum(trace.costs[cost][i] for trace, i in zip(traces, at, strict=True))
        found.append(Point(ceiling, spent, sum(trace.right[i] == 1 for trace, i in zip(traces, at, strict=True))))
    return found


async def curves(view: RunView, data_dir: Path | None = None) -> tuple[int, dict[str, list[Point]]]:
    """How many problems of a run can be judged, and `steps` of them for every cost that is known of all.

    The references are those of the run's task, whose data lies in `data_dir`. Raises UserError where they or the logs
    cannot be read, or where there is nothing to judge.
    """
    config = view.config
    columns = {k: config[k] for k in ("question_column", "answer_column") if k in config}
    task = get_task(config["task"], **columns)
    last = max((r.index for r in view.results), default=0)
    problems = task.load(config["split"], data_dir=data_dir, limit=last + 1, offset=0)
    found = await traces(view, task, problems)
    if not found:
        raise UserError(f"run {view.name!r} has no problem with a reference answer: there is nothing to judge")
    return len(found), {cost: steps(found, cost) for cost in COSTS if all(cost in trace.costs for trace in found)}


async def samples(view: RunView, task: Task, problems: Collection[Problem]) -> list[Samples]:
    """The same for a run of whole solutions (best-of-n), whose order says nothing. Raises UserError for any other."""
    found = []
    async with Grader(task) as grader:
        for problem, _, (method, root, log), sizes in searches(view, problems):
            if not isinstance(method, BestOfN):
                raise UserError(f"run {view.name!r} is no best-of-n: its samples are not independent of each other")
            tree = replay(method, root, log)
            drawn = [t.outcome.usage for t in log if isinstance(t.request, Expand)]
            judged = [t.outcome.usage for t in log if isinstance(t.request, Evaluate)]
            if not drawn:
                continue
            right = await _verdicts(grader, problem, {a.answer for a in method.answers(tree)})
            scored = _scored(tree, method, right)
            # A request that failed left no node: a sample without an answer.
            scored += [Scored(None, 0.0, False)] * (len(drawn) - len(scored))
            own, scoring, prompt = {}, {}, {}
            for name, cost in COSTS.items():
                whole = [cost(u, Usage(), sizes) for u in drawn]
                sent = [cost(Usage(u.prompt, u.cached), Usage(), sizes) for u in drawn]
                reward = [cost(Usage(), u, sizes) for u in judged]
                if not (_known(whole) and _known(sent) and _known(reward)):
                    continue
                prompt[name] = (max(sent), math.fsum(sent))
                own[name] = (math.fsum(whole) - prompt[name][1]) / len(drawn)
                scoring[name] = math.fsum(reward) / len(drawn)
            found.append(Samples(problem.id, tuple(scored), own, scoring, prompt))
    return found


def searches(
    view: RunView, problems: Collection[Problem]
) -> Iterator[tuple[Problem, ProblemResult, tuple[Algorithm, State, list[Tell]], Sizes]]:
    """The problems that have a result and a reference answer, each with what `replay` takes and the models' sizes."""
    results = {r.problem: r for r in view.results}
    for problem in problems:
        result = results.get(problem.id)
        if result is None or problem.answer is None:
            continue
        stored = result.extra.get("sizes", {})
        policy, reward = (ModelSize(*stored[k]) if k in stored else None for k in ("policy", "reward"))
        method = load_method(view.config["method"], view.config.get("params", {}))
        tells = view.tells(problem.id)
        log = [Tell(t["seq"], request_from_json(t["request"]), outcome_from_json(t["outcome"])) for t in tells]
        yield problem, result, (method, result.root, log), (policy, reward)


async def _verdicts(grader: Grader, problem: Problem, answers: Collection[str]) -> dict[str, bool]:
    return {answer: (await grader.judge(problem, answer)).correct for answer in sorted(answers)}


def _scored(tree: Tree, method: BestOfN, right: Mapping[str, bool]) -> list[Scored]:
    """Every sample; those that share all their steps count as often as they were drawn."""
    found = []
    for node in tree.nodes[1:]:
        answer = node.step.answer if node.step is not None and node.finish is Finish.ANSWER else None
        score = tree.score(node.id, method.aggregate) or 0.0
        found += [Scored(answer, score, answer is not None and right[answer])] * node.samples
    return found


def _plus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _known(values: list[float | None]) -> TypeGuard[list[float]]:
    return None not in values
