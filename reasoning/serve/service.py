"""One engine that all requests share, the searches that run on it, and the line of those that wait."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from data.errors import UserError, one_line
from data.records import Problem
from reasoning.adapters import shipped
from reasoning.engine import open_engine
from reasoning.engine.base import Engine, EngineError, PromptTooLong
from reasoning.engine.models import named
from reasoning.plugins import registered
from reasoning.profiles import Profile, choose_profile, get_profile
from reasoning.rewards.base import Reward
from reasoning.serve.errors import ApiError
from reasoning.serve.events import Watch
from reasoning.serve.metrics import Metrics
from reasoning.serve.presets import Preset, policy_name, presets
from reasoning.serve.schemas import MAX_SAMPLES, Message
from reasoning.serve.settings import ServeConfig
from reasoning.solver import Solved, Solver
from reasoning.tasks import ENTRY_POINTS, TASKS, get_task
from reasoning.tasks.base import Task
from reasoning.tasks.chat import Chat
from search.driver import Tell
from search.methods import METHODS, method_params, parameters
from search.tree import Tree
from search.types import State

__all__ = ["Ask", "Job", "Search", "Service"]

# No tokenizer packs more characters of real text into a token; a text beyond is refused before it is encoded.
_MOST_CHARACTERS: Final = 32
_BREADTH: Final = ("n", "width", "expand", "root_expand", "rollout.n", "rollout.width", "rollout.expand")
_LONGEST_WAIT: Final = 60.0  # seconds that Retry-After may say


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants: a conversation or a text, and how it is to be searched.

    `changes` are fields of `reasoning.config.SolveConfig` that replace the preset's. `max_tokens` bounds one solution,
    `stop` are texts that end it.
    """

    model: str
    messages: Sequence[Message] = ()
    text: str = ""
    task: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A request that has been checked: ready to be searched. Without a `task` it is free text."""

    solver: Solver
    problem: Problem
    root: State
    task: str | None
    method: str
    longest: int | None


class Search:
    """A search that waits, runs or has ended."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.watch = Watch()
        self.task: asyncio.Task[Solved] | None = None

    async def wait(self, seconds: float | None = None) -> bool:
        """Whether the search has ended, after at most so many seconds."""
        assert self.task is not None
        await asyncio.wait({self.task}, timeout=seconds)
        return self.task.done()

    def result(self) -> Solved:
        """What it came to. Raises ApiError where it failed or the server stopped it."""
        assert self.task is not None
        if self.task.cancelled():
            raise _shutting_down()
        try:
            solved = self.task.result()
        except PromptTooLong as error:
            raise _too_long(one_line(error)) from None
        except (UserError, EngineError) as error:
            raise ApiError(502, one_line(error), code="engine_error") from None
        if solved.result.failed is not None:
            raise ApiError(502, f"the search failed: {solved.result.failed}", code="search_failed")
        return solved

    def cancel(self) -> None:
        """Begin to end it."""
        assert self.task is not None
        self.task.cancel()

    async def stop(self) -> None:
        """Cancel what is left of it, and wait until the engine is free of it."""
        assert self.task is not None
        self.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Service:
    """Answers for one engine: which models there are, what a request may ask, and when its search runs.

    An engine that is passed in is not closed.
    """

    def __init__(self, config: ServeConfig, metrics: Metrics, engine: Engine | None = None) -> None:
        self.config = config
        self.metrics = metrics
        self.policy = policy_name(config.policy)
        self.presets = presets(config)
        self.created = int(time.time())
        self._tasks = self._named_tasks()
        self._engine = engine
        self._owns_engine = engine is None
        self._adapter: str | None = config.adapter
        if config.adapter is None and engine is None and (default := shipped(named(config.policy), "gsm8k")):
            self._adapter = str(default)
        self._profile: Profile | None = None
        self._judges: dict[str, Solver] = {}
        self._slots = asyncio.Semaphore(config.max_running)
        self._searches: set[Search] = set()
        self._running = 0
        self._usual = 1.0  # seconds a search takes, a moving mean
        self._stopping = False
        self._starting = asyncio.Lock()

    # ---- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the engine and the models of recipes' rewards, also after `close`. Calling it twice does nothing.

        Raises UserError or EngineError.
        """
        async with self._starting:
            if self._profile is not None:
                return
            config = self.config
            try:
                if self._engine is None:
                    self._engine = await open_engine(
                        config.policy, adapter=self._adapter, backend=config.backend, options=config.engine
                    )
                for preset in self.presets.values():
                    if preset.has_judge:
                        self._judges[preset.name] = await self._open_judge(preset)
                self._profile = self._manner(None)
                self._stopping = False
            except BaseException:
                await self._close_models()
                raise

    @property
    def ready(self) -> bool:
        """Whether it takes searches."""
        return self._profile is not None and not self._stopping

    async def drain(self, seconds: float) -> None:
        """Take no more searches, let those that run or wait end within so many seconds, and cancel the rest."""
        self._stopping = True
        tasks = [search.task for search in self._searches if search.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel every search and close what was opened. May be called twice."""
        await self.drain(0)
        await self._close_models()

    async def _close_models(self) -> None:
        self._profile = None
        judges, self._judges = self._judges, {}
        for judge in judges.values():
            await judge.aclose()
        if self._owns_engine and self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.close()

    # ---- what there is ---------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[str]:
        """The tasks that a request may name."""
        return list(self._tasks)

    def model(self, name: str) -> Preset:
        """The preset that a model name means. Raises ApiError (404)."""
        policy, _, preset = name.partition("/")
        if policy != self.policy or preset not in self.presets:
            raise ApiError(404, f"there is no model {name!r}: see /v1/models", "model", "model_not_found")
        return self.presets[preset]

    # ---- one request -----------------------------------------------------------------------------------------------

    async def prepare(self, ask: Ask) -> Job:
        """Check a request. Raises ApiError that says what to change."""
        if self._stopping:
            raise _shutting_down()
        await self.start()
        preset = self.model(ask.model)
        name = ask.task or preset.task
        changes = dict(ask.changes)
        changes.setdefault("seed", preset.settings.get("seed", secrets.randbelow(1 << 31)))
        settings = preset.changed(changes)
        method = str(settings.pop("method"))
        if method not in METHODS and method not in (preset.method, *registered("stepsolver.methods")):
            raise ApiError(
                400, f"there is no method {method!r}: choose one of {', '.join(METHODS)}", "stepsolver.method"
            )
        settings["max_tokens_per_problem"] = self._budget(settings.get("max_tokens_per_problem"), ask)
        if ask.max_tokens is not None:
            settings["max_answer_tokens"] = ask.max_tokens
        try:
            if name is None:
                return await self._free(ask, preset, method, settings)
            return await self._for_task(ask, preset, name, method, settings)
        except PromptTooLong as error:
            raise _too_long(one_line(error)) from None
        except (UserError, EngineError) as error:
            raise ApiError(400, one_line(error), "stepsolver") from None

    def submit(self, job: Job) -> Search:
        """Run the job, or let it wait for its turn. Raises ApiError: 429 where too many wait, 503 at the end."""
        if self._stopping:
            raise _shutting_down()
        if len(self._searches) >= self.config.max_running + self.config.max_queued:
            raise ApiError(
                429,
                f"{self.config.max_running} searches run and {self.config.max_queued} wait: try again later",
                code="queue_full",
                headers={"Retry-After": str(self._wait())},
            )
        search = Search(job)
        self._searches.add(search)
        search.task = asyncio.create_task(self._run(search))
        # Not in `_run`: a task that is cancelled before its first turn never gets there.
        search.task.add_done_callback(lambda task: self._ended(search, task))
        self._count()
        return search

    # ---- searching -------------------------------------------------------------------------------------------------

    async def _run(self, search: Search) -> Solved:
        job = search.job

        def told(tree: Tree, tell: Tell) -> None:
            search.watch.told(tree, tell)
            self.metrics.told(tell)

        async with self._slots:
            self._running += 1
            self._count()
            begun = time.perf_counter()
            try:
                return await job.solver.search(job.problem, job.root, longest=job.longest, on_tell=told)
            finally:
                self._running -= 1
                self._usual += 0.1 * (time.perf_counter() - begun - self._usual)
                await job.solver.aclose()

    def _ended(self, search: Search, task: asyncio.Task[Solved]) -> None:
        self._searches.discard(search)
        self._count()
        if task.cancelled():
            outcome = "cancelled"
        elif task.exception() is not None or task.result().result.failed is not None:
            outcome = "failed"
        else:
            outcome = "unanswered" if task.result().answer is None else "answered"
        self.metrics.searches.labels(outcome).inc()

    def _count(self) -> None:
        self.metrics.running.set(self._running)
        self.metrics.queued.set(max(0, len(self._searches) - self._running))

    def _wait(self) -> int:
        """Seconds after which there is probably room: until one more search has ended."""
        return math.ceil(min(_LONGEST_WAIT, max(1.0, self._usual / self.config.max_running)))

    # ---- checking --------------------------------------------------------------------------------------------------

    def _budget(self, wanted: int | None, ask: Ask) -> int:
        most = self.config.max_tokens_per_request
        asked = ask.changes.get("max_tokens_per_problem")
        if asked is not None and asked > most:
            raise ApiError(
                400, f"this server generates at most {most} tokens a request", "stepsolver.max_tokens_per_problem"
            )
        if ask.max_tokens is not None and ask.max_tokens > most:
            raise ApiError(400, f"this server generates at most {most} tokens a request", "max_tokens")
        return min(most, wanted or most)

    async def _free(self, ask: Ask, preset: Preset, method: str, settings: dict[str, Any]) -> Job:
        """Free text: paragraphs are steps, the text is the answer, and the best-scored one wins."""
        assert self._engine is not None
        if ask.messages and ask.messages[-1].role != "user":
            raise ApiError(400, "the last message must be the user's", "messages")
        prompt = self._conversation(ask.messages) if ask.messages else self._plain(ask.text)
        known = {} if method == "greedy" else self._parameters(method)
        if "vote" in known and "vote" not in {**settings, **settings.get("param", {})}:
            settings["vote"] = "best"
        profile = replace(get_profile("paragraphs"), chat=bool(ask.messages), ends=ask.stop)
        job = await self._job(ask, preset, Chat(), None, method, settings | {"profile": profile}, prompt)
        if getattr(job.solver.method, "opening", "solve") != "solve":
            raise ApiError(400, f"the method '{method}' needs stepsolver.task", "stepsolver.task")
        return job

    async def _for_task(self, ask: Ask, preset: Preset, name: str, method: str, settings: dict[str, Any]) -> Job:
        """A task's question, asked in the policy's own manner."""
        assert self._profile is not None
        task = self._tasks.get(name)
        if task is None:
            known = ", ".join(self._tasks)
            raise ApiError(400, f"there is no task {name!r} here: choose one of {known}", "stepsolver.task")
        if len(ask.messages) > 1 or any(m.role != "user" for m in ask.messages):
            raise ApiError(400, f"with the task '{name}' send one message, the user's: it is the question", "messages")
        if ask.stop:
            raise ApiError(400, f"the task '{name}' says where a solution ends: leave out stop", "stop")
        question = ask.messages[0].text if ask.messages else ask.text
        self._check_length(question)
        settings.setdefault("profile", self._manner(task).name)
        return await self._job(ask, preset, task, name, method, settings, None, question)

    async def _job(
        self,
        ask: Ask,
        preset: Preset,
        task: Task,
        name: str | None,
        method: str,
        settings: dict[str, Any],
        prompt: tuple[int, ...] | None,
        question: str = "",
    ) -> Job:
        assert self._engine is not None
        if ask.n > 1 and method == "greedy":
            raise ApiError(400, "greedy gives one answer: leave out n, or choose another model", "n")
        reward: str | Reward = settings.pop("reward", "auto")
        if preset.has_judge:
            if name != preset.task:
                raise ApiError(
                    400, f"the reward of {ask.model} is made for its own task: leave out task", "stepsolver.task"
                )
            judge = self._judges[preset.name].reward
            reward = judge if judge is not None else reward
            settings = {key: value for key, value in settings.items() if not key.startswith("reward_")}
        solver = Solver(task, method, self._engine, reward, adapter=self._adapter, **settings)
        self._check_breadth(solver)
        problem = Problem("question", question)
        await solver.start()
        return Job(solver, problem, solver.root(problem, prompt), name, method, ask.max_tokens)

    def _check_breadth(self, solver: Solver) -> None:
        """Numbers that are each allowed may still multiply into more requests at a time than memory holds."""
        given = _whole(solver)
        for key, value in given.items():
            if value > MAX_SAMPLES:
                raise ApiError(400, f"{key} is {value}: at most {MAX_SAMPLES} are possible", f"stepsolver.{key}")
        if math.prod(given.get(key, 1) for key in _BREADTH) > MAX_SAMPLES:
            wide = " and ".join(key for key in _BREADTH if given.get(key, 1) > 1)
            raise ApiError(400, f"{wide} make more than {MAX_SAMPLES} samples together: lower them", "stepsolver")

    def _check_length(self, text: str) -> None:
        assert self._engine is not None
        most = _MOST_CHARACTERS * self._engine.max_context
        if len(text) > most:
            raise _too_long(
                f"the prompt has {len(text)} characters, and the model's context {self._engine.max_context} tokens"
            )

    def _conversation(self, messages: Sequence[Message]) -> tuple[int, ...]:
        assert self._engine is not None
        self._check_length("".join(message.text for message in messages))
        turns = [{"role": message.role, "content": message.text} for message in messages]
        try:
            return tuple(self._engine.tokenizer.chat(turns))
        except EngineError as error:
            raise ApiError(400, f"{one_line(error)}; or name stepsolver.task", "messages") from None
        except Exception as error:  # a template is the model's own program, and may refuse in any way
            raise ApiError(
                400, f"the model's chat template refuses the messages: {one_line(error)}", "messages"
            ) from None

    def _plain(self, text: str) -> tuple[int, ...]:
        assert self._engine is not None
        self._check_length(text)
        tokenizer = self._engine.tokenizer
        ids = (*tokenizer.bos_ids, *tokenizer.encode(text))
        if not ids:
            raise ApiError(400, "the prompt is empty", "prompt")
        return ids

    def _parameters(self, method: str) -> dict[str, Any]:
        return parameters(method) if method in METHODS else {}

    def _named_tasks(self) -> dict[str, Task]:
        """By name only: what a request may name must not reach files and modules."""
        of_recipes = (preset.task for preset in self.presets.values() if preset.task is not None)
        names = (*TASKS, *sorted(registered(ENTRY_POINTS)), *self.config.tasks, *of_recipes)
        return {name: get_task(name) for name in dict.fromkeys(names)}

    def _manner(self, task: Task | None) -> Profile:
        """The policy's own manner for a task."""
        assert self._engine is not None
        return choose_profile(named(self.config.policy), self._adapter, self._engine, task)

    async def _open_judge(self, preset: Preset) -> Solver:
        """A solver whose reward all requests of this preset share."""
        settings = dict(preset.settings)
        task: Task = Chat() if preset.task is None else self._tasks[preset.task]
        assert self._engine is not None
        if preset.task is None:
            settings["profile"] = get_profile("paragraphs")
        elif "profile" not in settings:
            settings["profile"] = self._manner(task)
        judge = Solver(task, policy=self._engine, adapter=self._adapter, **settings)
        await judge.start()
        return judge


def _whole(solver: Solver) -> dict[str, int]:
    return {key: value for key, value in method_params(solver.method).items() if type(value) is int}


def _too_long(message: str) -> ApiError:
    return ApiError(400, message, "messages", "context_length_exceeded")


def _shutting_down() -> ApiError:
    return ApiError(503, "the server is stopping: ask again", code="shutting_down", headers={"Retry-After": "5"})
