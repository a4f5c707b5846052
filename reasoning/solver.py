"""Solve problems from a program: `Solver(task="gsm8k", method="mcts").solve("...")`, sync and async.

A solver owns one engine (and, where it is another, the reward's), opened on first use and closed with it.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import UserError, one_line
from data.records import Problem
from data.synchronous import Synchronous
from reasoning.adapters import label, shipped
from reasoning.clock import EngineClock
from reasoning.config import METHOD_FIELDS, SolveConfig
from reasoning.engine import open_engine
from reasoning.engine.base import Engine, EngineError, PromptTooLong
from reasoning.engine.flops import asked, flops, size_of
from reasoning.engine.models import named
from reasoning.grading import Grader
from reasoning.methods import load_method
from reasoning.policy import Policy, value_ids
from reasoning.profiles import Profile, choose_profile, get_profile
from reasoning.prompts import PromptSet, read_prompts
from reasoning.rewards import check_ids, choose_reward, make_reward
from reasoning.rewards.base import Reward
from reasoning.runs import ProblemResult, Run
from reasoning.tasks import get_task
from reasoning.tasks.base import Task
from reasoning.worker import PolicyWorker
from search.algorithm import Algorithm
from search.codec import outcome_to_json, request_to_json
from search.driver import Tell, drive, drive_many
from search.methods import method_params
from search.tree import Tree
from search.types import Answer, State

__all__ = ["Solved", "Solver", "best_node", "completed"]

# What has no bearing on a result, and what is described in other words.
_NOT_DESCRIBED = frozenset({"limit", "offset", "concurrency", "data_dir", "param", "prompts", *METHOD_FIELDS})


@dataclass(frozen=True)
class Solved:
    """One problem's search: the result as it is stored, the tree, the log the tree is the fold of, and its answers."""

    result: ProblemResult
    tree: Tree
    log: Sequence[Tell]
    answers: Sequence[Answer] = ()

    @property
    def answer(self) -> str | None:
        """The best answer in canonical form, None where there is none."""
        return self.result.answer

    @property
    def text(self) -> str:
        """The best solution's text."""
        return self.result.text


class Solver(Synchronous):
    """A task, a policy, a method and a reward, ready to solve.

    Each of the four is a name as on the command line, or an object of one's own: a `reasoning.tasks.base.Task`, a
    `reasoning.engine.base.Engine`, a `search.algorithm.Algorithm`, a `reasoning.rewards.base.Reward` (an object passed
    in is not closed). Without a policy it is the default model, which is fetched at once where it is not here (see
    `reasoning.models.default_model`). `settings` are the fields of `reasoning.config.SolveConfig`. Where no adapter is
    named, a model takes the one shipped for it (see `reasoning.adapters.shipped`); next to an engine of one's own,
    `adapter` says which adapter that engine was opened with; `profile` may be a `reasoning.profiles.Profile` too. Use
    it as a context manager, sync or async; the sync methods run their own event loop and must not be called inside
    another.

    Raises UserError for what the user can mend, EngineError where a model does not start.
    """

    def __init__(
        self,
        task: str | Task = "gsm8k",
        method: str | Algorithm | None = None,
        policy: str | Engine | None = None,
        reward: str | Reward = "auto",
        **settings: Any,
    ) -> None:
        parts = {"task": task, "method": method, "policy": policy, "reward": reward}
        profile = settings.get("profile", "auto")
        self._own_profile = profile if isinstance(profile, Profile) else None
        if self._own_profile is not None:
            settings["profile"] = self._own_profile.name
        own: dict[str, Any] = {k: v for k, v in parts.items() if v is not None and not isinstance(v, str)}
        config = SolveConfig.of({**{k: v for k, v in parts.items() if k not in own}, **settings})
        self.task: Task = (
            own["task"]
            if "task" in own
            else get_task(config.task, question_column=config.question_column, answer_column=config.answer_column)
        )
        if "policy" not in own:
            config = config.model_copy(update={"policy": named(config.policy)})
        if config.adapter is None and "policy" not in own and (default := shipped(config.policy, _name(self.task))):
            config = config.model_copy(update={"adapter": str(default)})
        self.config = config.model_copy(update={"reward": choose_reward(config.reward, config.adapter)})
        self.method: Algorithm = (
            own["method"] if "method" in own else load_method(self.config.method, self.config.method_params)
        )
        self._engine: Engine | None = own.get("policy")
        self._owns_engine = "policy" not in own
        self._reward: Reward | None = own.get("reward")
        self._owns_reward = "reward" not in own
        if self.config.profile != "auto" and self._own_profile is None:
            get_profile(self.config.profile)
        self._prompts: PromptSet | None = None
        if self.config.prompts is not None:
            self._prompts = read_prompts(Path(self.config.prompts))
            self._prompts.check_task(_name(self.task))
        self._names = {k: _name(own[k]) if k in own else getattr(self.config, k) for k in parts}
        self._policy: Policy | None = None
        self._grader: Grader | None = None
        self._clock = self._reward_clock = EngineClock()

    # ---- async -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the engine and the reward. Called on first use; calling it twice does nothing."""
        if self._policy is not None:
            return
        config = self.config
        try:
            if self._engine is None:
                self._engine = await open_engine(
                    config.policy, adapter=config.adapter, backend=config.backend, options=config.engine
                )
            if getattr(self.method, "needs_logprobs", False) and not self._engine.capabilities.logprobs:
                raise UserError(
                    f"the method '{self._names['method']}' needs log-probabilities for its prior, which "
                    f"{self._engine.name} does not report: use another method, or a vLLM server"
                )
            profile = self._profile(self._engine)
            greedy = self._names["method"] == "greedy"
            temperature = config.temperature if config.temperature is not None else 0.0 if greedy else 0.7
            own_value = value_ids(self._engine, config.adapter)
            policy = Policy(self._engine, self.task, profile, temperature, config.top_p, own_value)
            policy.opening = getattr(self.method, "opening", "solve")
            policy.prompt(Problem("check", ""))  # a profile that the model cannot take is refused here, once
            if self._prompts is not None:
                if policy.opening != "solve":
                    raise UserError(
                        f"--prompts are ways to ask for a solution; this method starts with '{policy.opening}'"
                    )
                told = self.describe()
                self._prompts.check_policy(told["policy"], told["adapter"], profile.name, self._engine.tokenizer)
                policy.prompts = self._prompts.prompts
            if self.method.needs_reward and self._reward is None:
                self._reward = await make_reward(config, policy)
            if self._reward is not None:
                check_ids(self._reward, policy)
            same = asked(self._reward) in (None, self._engine)
            self._reward_clock = self._clock if same else EngineClock()
            self._grader = Grader(self.task)
            self._policy = policy
        except BaseException:
            await self.aclose()
            raise

    async def asolve(self, problem: str | Problem) -> Solved:
        """Search one problem. What goes wrong with it is in `result.failed`."""
        await self.start()
        if isinstance(problem, str):
            problem = Problem("question", problem)
        return await self._search(0, problem)

    def root(self, problem: Problem, prompt: Sequence[int] | None = None) -> State:
        """Where the search of a problem starts: its prompt, or the token ids given for it. The solver is started.

        Raises PromptTooLong.
        """
        assert self._policy is not None
        manners = self._policy.prompts
        first, *others = (self._policy.prompt(problem, m) for m in manners) if prompt is None else (tuple(prompt),)
        context = self._policy.engine.max_context
        if (longest := max(len(ids) for ids in (first, *others))) >= context:
            raise PromptTooLong(f"the prompt has {longest} tokens and the model's context {context}")
        return State(problem.id, first, self.config.seed, tuple(others))

    async def search(
        self,
        problem: Problem,
        root: State,
        *,
        longest: int | None = None,
        on_tell: Callable[[Tree, Tell], None] | None = None,
    ) -> Solved:
        """`asolve` from a root of one's own.

        `longest` is the most tokens that one solution may have over all its steps, and `on_tell` is called as
        `search.driver.drive` calls it.
        """
        await self.start()
        return await self._search_from(root, self._blank(0, problem), problem, longest, on_tell)

    async def stream(self, problems: Iterable[Problem]) -> AsyncIterator[Solved]:
        """Search many problems together, `concurrency` at a time; results come as they finish."""
        await self.start()
        jobs = enumerate(problems)
        async for solved in drive_many(jobs, lambda job: self._search(*job), concurrency=self.config.concurrency):
            yield solved

    def load(self) -> Sequence[Problem]:
        """The task's problems as configured (split, offset, limit). Needs no engine."""
        config = self.config
        return self.task.load(
            config.split or self.task.default_split,
            data_dir=Path(config.data_dir) if config.data_dir else None,
            limit=config.limit,
            offset=config.offset,
        )

    async def arun(
        self,
        problems: Sequence[Problem] | None = None,
        *,
        run: Run | None = None,
        on_solved: Callable[[Solved], None] | None = None,
    ) -> list[ProblemResult]:
        """Search the task's problems (or the given ones) and return the results in order.

        With a `run` (see `reasoning.runs.open_run`) each result is stored the moment it is there, and problems that
        the run has already finished are not searched again; the returned list then holds the whole run.
        """
        problems = self.load() if problems is None else problems
        done = run.done() if run else set()
        todo = [(self.config.offset + i, p) for i, p in enumerate(problems) if p.id not in done]
        await self.start()
        if run:
            run.check_tokenizer(self.engine.tokenizer.checksum)
        results: list[ProblemResult] = []
        async for solved in drive_many(todo, lambda job: self._search(*job), concurrency=self.config.concurrency):
            if run:
                run.record(solved.result, (tell_to_json(t) for t in solved.log))
            results.append(solved.result)
            if on_solved:
                on_solved(solved)
        return list(run.view().results) if run else sorted(results, key=lambda r: r.index)

    async def aclose(self) -> None:
        """Close what this solver opened. May be called twice."""
        grader, self._grader = self._grader, None
        if grader:
            await grader.close()
        if self._owns_reward and self._reward is not None:
            await self._reward.close()
            self._reward = None
        if self._owns_engine and self._engine is not None:
            await self._engine.close()
            self._engine = None
        self._policy = None

    # ---- sync ------------------------------------------------------------------------------------------------------

    def solve(self, problem: str | Problem) -> Solved:
        """`asolve`, for programs without an event loop."""
        return self._run_sync(self.asolve(problem))

    def run(self, problems: Sequence[Problem] | None = None, **kwargs: Any) -> list[ProblemResult]:
        """`arun`, for programs without an event loop."""
        return self._run_sync(self.arun(problems, **kwargs))

    # ---- what is recorded ------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """The configuration as JSON values, every default filled in: what makes the results of two runs comparable."""
        # A secret is not kept with a run.
        options = {
            name: {k: v for k, v in getattr(self.config, name).items() if k != "api_key"}
            for name in ("engine", "reward_engine")
        }
        settings = self.config.model_dump(exclude=set(_NOT_DESCRIBED))
        return {
            **settings,
            **self._names,
            **options,
            "adapter": label(self.config.adapter),
            "split": self.config.split or self.task.default_split,
            "reward": self._names["reward"] if self.method.needs_reward else None,
            "params": {} if self._names["method"] == "greedy" else method_params(self.method),
            "version": version(),
            **({"prompts": self._prompts.digest} if self._prompts else {}),
        }

    @property
    def reward(self) -> Reward | None:
        """The open reward, None where the method asks for none."""
        return self._reward

    @property
    def engine(self) -> Engine:
        """The open engine."""
        if self._engine is None:
            raise RuntimeError("the solver is not started")
        return self._engine

    # ---- one problem -----------------------------------------------------------------------------------------------

    async def _search(self, index: int, problem: Problem) -> Solved:
        """One problem from prompt to grade. Whatever goes wrong with it is its own failure, not the run's."""
        result = self._blank(index, problem)
        try:
            return await self._search_from(self.root(problem), result, problem)
        except Exception as error:
            expected = isinstance(error, UserError | EngineError)
            reason = one_line(error) if expected else f"{type(error).__name__}: {one_line(error)}"
            return Solved(dataclasses.replace(result, failed=reason), Tree(State(problem.id)), ())

    def _blank(self, index: int, problem: Problem) -> ProblemResult:
        return ProblemResult(
            problem.id,
            index,
            problem.question,
            problem.answer,
            seed=self.config.seed,
            reward_prompt_tokens=0,
            reward_cached_tokens=0,
            flops=0.0,
            engine_seconds=0.0,
            tokenizer=self.engine.tokenizer.checksum,
        )

    async def _search_from(
        self,
        root: State,
        result: ProblemResult,
        problem: Problem,
        longest: int | None = None,
        on_tell: Callable[[Tree, Tell], None] | None = None,
    ) -> Solved:
        assert self._policy is not None
        assert self._grader is not None
        begun = time.perf_counter()
        worker = PolicyWorker(problem, self._policy, self._reward, self._clock, self._reward_clock, longest)
        budget = self.config.max_tokens_per_problem
        tree, log = await drive(self.method, root, worker, budget=budget, on_tell=on_tell)
        answers = self.method.answers(tree)
        errors = {k: v for k, v in tree.failures.items() if k not in ("budget", "cancelled")}
        correct: bool | None = None
        extra: dict[str, Any] = {}
        if answers and problem.answer is not None:
            grade = await self._grader.judge(problem, answers[0].answer)
            correct = grade.correct
            if grade.error:
                extra["grading"] = grade.error
        elif problem.answer is not None:
            correct = False
        failed_reason = max(errors, key=lambda k: errors[k]) if errors and not answers else None
        policy, reward = tree.policy_usage, tree.reward_usage
        computed = None if policy.computed is None or reward.computed is None else policy.computed + reward.computed
        sizes = {"policy": size_of(self._policy), "reward": size_of(self._reward)}
        operations = [flops(sizes["policy"], policy), flops(sizes["reward"], reward)]
        extra["sizes"] = {k: [size.body, size.head, size.attention] for k, size in sizes.items() if size}
        best = best_node(tree, answers[0].nodes if answers else ())
        if self._prompts is not None:
            extra |= _by_prompt(tree, best, [prompt.name for prompt in self._prompts.prompts])
        result = dataclasses.replace(
            result,
            prompt_ids=root.prompt,
            answer=answers[0].answer if answers else None,
            correct=None if failed_reason else correct,
            failed=failed_reason,
            prompt_tokens=policy.prompt,
            cached_tokens=policy.cached,
            completion_tokens=policy.completion,
            reward_tokens=reward.computed,
            computed_tokens=computed,
            reward_prompt_tokens=reward.prompt,
            reward_cached_tokens=reward.cached,
            flops=None if None in operations else math.fsum(filter(None, operations)),
            engine_seconds=round(policy.seconds + reward.seconds, 6),
            seconds=round(time.perf_counter() - begun, 4),
            nodes=len(tree.nodes),
            requests_failed=sum(errors.values()),
            answers=tuple({"answer": a.answer, "score": a.score, "votes": a.votes} for a in answers),
            text=tree.text(best),
            extra=extra,
        )
        return Solved(result, tree, log, answers)

    def _profile(self, engine: Engine) -> Profile:
        config = self.config
        if self._own_profile is not None:
            profile = self._own_profile
        elif config.profile == "auto":
            profile = choose_profile(self._names["policy"], config.adapter, engine, self.task)
        else:
            profile = get_profile(config.profile)
        limits = {
            name: getattr(config, name)
            for name in ("max_step_tokens", "max_answer_tokens")
            if getattr(config, name) is not None
        }
        return dataclasses.replace(profile, **limits)


def completed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration (see `Solver.describe`), settings and parameters that came later at their defaults.

    What a run without them did is what their defaults do.
    """
    config = dict(stored)
    if "method" not in config:
        return config
    config = SolveConfig().model_dump(exclude=set(_NOT_DESCRIBED)) | config
    if config["policy"] in (None, "embedded"):  # of versions that had this one model
        config["policy"] = "smollm2-135m"
    params = config.get("params")
    if params:  # a greedy search has none
        with suppress(UserError):  # a method or parameter that is no more
            config["params"] = method_params(load_method(config["method"], params)) | params
    return config


def version() -> str:
    """The installed version of stepsolver, or of the checkout it runs from."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("stepsolver")
    except PackageNotFoundError:
        return "0.0.0+checkout"


def tell_to_json(tell: Tell) -> dict[str, Any]:
    """A log entry as the run store keeps it."""
    return {"seq": tell.seq, "request": request_to_json(tell.request), "outcome": outcome_to_json(tell.outcome)}


def best_node(tree: Tree, nodes: Sequence[int]) -> int:
    """The end of an answer's best-scored solution, or of the deepest one where there is no answer."""
    if nodes:
        return max(nodes, key=lambda i: (tree.nodes[i].value or 0.0, tree.nodes[i].samples, -i))
    return max((n.id for n in tree.nodes), key=lambda i: (tree.nodes[i].depth, -i))


def _by_prompt(tree: Tree, best: int, names: Sequence[str]) -> dict[str, Any]:
    """What is kept of a search from several prompts.

    `prompts` has for each one, by name, the answers that its solutions gave and how many samples gave each; `prompt` is
    that of the best solution, and `other_prompts` are the ids of all but the first, which replaying the log needs.
    """
    answers: dict[str, dict[str, int]] = {name: {} for name in names}
    for node in tree.answered():
        assert node.step is not None
        given = answers[names[tree.prompt_number(node.id)]]
        answer = node.step.answer or ""
        given[answer] = given.get(answer, 0) + node.samples
    others = [list(prompt) for prompt in tree.root.others]
    return {"prompts": answers, "prompt": names[tree.prompt_number(best)], "other_prompts": others}


def _name(thing: object) -> str:
    name = getattr(thing, "name", None)
    return name if isinstance(name, str) else f"{type(thing).__module__}:{type(thing).__qualname__}"
