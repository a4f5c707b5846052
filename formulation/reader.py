"""Reading texts with a language model: drafts by search, compared, doubted, and ranked.

    with Reader() as reader: reading = reader.read(text)

The model writes the compact format of `formulation.wire` under a grammar made for the text, so that every draft names
only numbers that stand in the text. Nothing of it is trusted: a draft is a candidate, and what is returned is every
different model with how likely it is right.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from data.errors import DataError, UserError
from data.records import Problem as Question
from data.synchronous import Synchronous
from formulation.doubts import lines_in_doubt
from formulation.drafts import draft_of
from formulation.guided import readings as guided_readings
from formulation.phased import Phased
from formulation.quantities import Figure, numbers_in
from formulation.ranker import Ranker, features, shipped
from formulation.rules import Reading as RulesReading
from formulation.rules import leftovers
from formulation.rules import read as read_by_rules
from formulation.schema import Problem
from formulation.tables import Given, data_of
from formulation.task import Documents, Drafts
from formulation.votes import Candidate, Distinct, Origin, distinct, row_vote
from formulation.wire import parse
from search.best_of_n import BestOfN
from search.driver import drive
from search.types import Failed, State, Usage

if TYPE_CHECKING:
    from reasoning.engine.base import Engine
    from reasoning.policy import Policy
    from search.algorithm import Algorithm
    from search.tree import Tree

__all__ = ["FORMATS", "METHODS", "SAMPLES", "TEMPERATURE", "Format", "Method", "ModelReading", "Ranked", "Reader"]

Format = Literal["auto", "lines", "json"]
Method = Literal["one-step", "vote", "phased", "search"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SAMPLES: Final = 8
TEMPERATURE: Final = 0.5
"""How many drafts of a text are written, and how, unless something else is asked for."""
_ROOM: Final = 64  # tokens that must be left for an answer


@dataclass(frozen=True)
class Ranked:
    """One of the different models of a text, and how likely it is right, in [0, 1].

    `features` is what that rests on where it was ranked (see `formulation.ranker`).
    """

    found: Distinct
    confidence: float
    features: tuple[float, ...] = ()

    @property
    def problem(self) -> Problem:
        """The model."""
        return self.found.problem


@dataclass(frozen=True)
class ModelReading:
    """What a model made of a text: `models` are different from each other, the likeliest first.

    `rules` is the reading by rules of the same text; `usage` and `seconds` are what it cost, `samples` how many drafts
    were written and `failed` how many of them are no model: `refused` says why, the most frequent reason first. With
    `reads_tables` the model was told the tables that were given.
    """

    text: str
    models: tuple[Ranked, ...]
    rules: RulesReading = field(repr=False)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    samples: int = 0
    failed: int = 0
    refused: tuple[str, ...] = ()
    reads_tables: bool = False

    @property
    def problem(self) -> Problem | None:
        """The likeliest model, None where there is none."""
        return self.models[0].problem if self.models else None

    def as_reading(self) -> RulesReading:
        """The likeliest model with what it leaves open, as a reading by rules would say it.

        What the rules find unsuitable in a text (another language, what is not linear) stands, whatever a model wrote.
        """
        problem = self.problem
        if problem is None or any(one.topic == "language" for one in self.rules.findings):
            return self.rules
        curved = [one for one in self.rules.findings if one.topic == "nonlinear"]
        sizes = {len(members.items) for members in self.models[0].found.model.bound.sets.values()}
        return leftovers(problem, self.text, curved, counted=sizes)


class Reader(Synchronous):
    """A language model that reads texts.

    `policy`, `adapter`, `backend` and `engine` are those of `reasoning.engine.open_engine`; without a policy it is
    `smollm2-135m`, which takes its shipped adapter for this where none is named. An open engine may be passed as
    `policy`; it is not closed.

    Methods: "one-step" writes one draft greedily; "vote" writes `samples` drafts at `temperature` and takes the model
    that most of them say; "phased" decides variables, goal and statements one after the other by votes; "search" does
    the same, reads doubtful lines again, adds the readings by rules, on their own and under the variables of the drafts
    (`formulation.guided`), and ranks all of them (`formulation.ranker`).

    `format` "lines" asks for the compact format, which a model must be trained for, "json" for a JSON document of
    `formulation.documents`, which large chat models write; a document is one step, so that its phases are one vote.

    Raises UserError for what the user can mend, and the engine's error where a model does not start.
    """

    def __init__(
        self,
        policy: str | Engine | None = None,
        *,
        adapter: str | None = None,
        method: Method = "search",
        format: Format = "auto",
        samples: int = SAMPLES,
        temperature: float = TEMPERATURE,
        seed: int = 0,
        backend: str = "auto",
        engine: Mapping[str, str] | None = None,
        ranker: Ranker | None = None,
    ) -> None:
        if method not in METHODS:
            raise UserError(f"no method {method!r}: choose one of {', '.join(METHODS)}")
        if format not in FORMATS:
            raise UserError(f"no format {format!r}: choose one of {', '.join(FORMATS)}")
        if samples < 1:
            raise UserError(f"samples must be at least 1, not {samples}")
        if not 0 <= temperature <= 2:
            raise UserError(f"temperature must be from 0 to 2, not {temperature}")
        self.method: Method = method
        self.samples = 1 if method == "one-step" else samples
        self.temperature = 0.0 if method == "one-step" else temperature
        self.seed = seed
        self.format: Format = format
        self._spec = policy
        self._adapter = adapter
        self._backend = backend
        self._options = dict(engine or {})
        self._ranker = ranker
        self._engine: Engine | None = None
        self._policy: Policy | None = None

    async def start(self) -> None:
        """Open the model. Called on first use; calling it twice does nothing."""
        if self._policy is not None:
            return
        from reasoning.adapters import shipped as shipped_adapter
        from reasoning.engine import open_engine
        from reasoning.engine.models import named
        from reasoning.models import CATALOGUE
        from reasoning.policy import Policy
        from reasoning.profiles import get_profile

        task = self._task()
        if self._spec is None or isinstance(self._spec, str):
            # The one model that was trained to write the compact format.
            spec = "smollm2-135m" if self._spec in (None, "", "embedded") else named(self._spec)
            adapter = self._adapter
            if adapter is None and (found := shipped_adapter(spec, task.name)) is not None:
                adapter = str(found)
            if adapter is None and isinstance(task, Drafts) and spec in CATALOGUE:
                raise UserError(
                    f"{spec} needs an adapter that writes the compact format: name one with --adapter "
                    "(docs/learning.md says how one is trained), or ask for --format json"
                )
            self._engine = await open_engine(spec, adapter=adapter, backend=self._backend, options=self._options)
            engine = self._engine
        else:
            engine = self._spec
        self._policy = Policy(engine, task, get_profile(task.profile), self.temperature)

    def _task(self) -> Drafts | Documents:
        """The task of the format: the compact one for models that are trained to write it."""
        if self.format != "auto":
            return Drafts() if self.format == "lines" else Documents()
        from reasoning.cards import card_of

        card = card_of(self._adapter)
        trained = (
            not isinstance(self._spec, str)
            or self._spec in ("", "embedded", "smollm2-135m", "toy")
            or (card is not None and card.profile == Drafts.profile)
        )
        return Drafts() if trained else Documents()

    async def aclose(self) -> None:
        """Close what was opened. May be called twice."""
        engine, self._engine, self._policy = self._engine, None, None
        if engine is not None:
            await engine.close()

    def read(self, text: str, name: str = "text", *, tables: Sequence[Given] = ()) -> ModelReading:
        """`aread`, for programs without an event loop."""
        return self._run_sync(self.aread(text, name, tables=tables))

    async def aread(self, text: str, name: str = "text", *, tables: Sequence[Given] = ()) -> ModelReading:
        """The models of a text. `name` and the seed fix the samples. Raises UserError for a text that is too long, and
        EngineError where no request for a draft was answered.

        `tables` are told to a model that writes JSON documents, which may read from them; the compact format has none.
        """
        from reasoning.engine.base import EngineError
        from reasoning.worker import PolicyWorker

        await self.start()
        assert self._policy is not None
        begun = time.perf_counter()
        figures = numbers_in(text)
        task, policy = self._policy.task, self._policy
        assert isinstance(task, Drafts | Documents)
        if tables and isinstance(task, Documents):
            task = Documents(tables)
            policy = replace(policy, task=task)
        question = Question(name, task.question(text))
        prompt = policy.prompt(question)
        context = policy.engine.max_context
        if len(prompt) + _ROOM > context:
            raise UserError(
                f"the text takes {len(prompt)} tokens and the model reads {context}: shorten it, or name a larger model"
            )
        tree, log = await drive(
            self._algorithm(task, text, figures), State(name, prompt, self.seed), PolicyWorker(question, policy)
        )
        broken = [told.outcome.reason for told in log if isinstance(told.outcome, Failed)]
        if len(broken) == len(log) > 0:
            raise EngineError(f"the model wrote no draft: {broken[0]}")
        refused: Counter[str] = Counter()
        drafts = list(_candidates(tree, task, text, figures, refused))
        finished = sum(node.samples for node in tree.answered())
        rules = read_by_rules(text)
        return ModelReading(
            text,
            tuple(self._ranked(drafts, text, figures, rules)),
            rules,
            tree.policy_usage,
            time.perf_counter() - begun,
            finished,
            finished - sum(one.samples for one in drafts),
            tuple(reason for reason, _ in refused.most_common()),
            isinstance(task, Documents),
        )

    def _algorithm(self, task: Drafts | Documents, text: str, figures: Sequence[Figure]) -> Algorithm:
        match self.method:
            case "phased" if isinstance(task, Drafts):
                return Phased(self.samples)
            case "search" if isinstance(task, Drafts):
                return Phased(self.samples, lambda written: lines_in_doubt(text, figures, written))
        return BestOfN(self.samples)

    def _ranked(
        self, drafts: Sequence[Candidate], text: str, figures: Sequence[Figure], rules: RulesReading
    ) -> Iterator[Ranked]:
        """The different models, the likeliest first."""
        if self.method in ("one-step", "vote"):
            yield from (Ranked(one, one.share) for one in distinct(drafts))
            return
        voted = row_vote(drafts, text, figures)
        if self.method == "phased":
            models = distinct([*drafts, *([voted] if voted is not None else [])])
            # The model that is most alike to all samples: no whole draft need have a majority.
            order = sorted(models, key=lambda one: -one.agreement)
            yield from (Ranked(one, one.agreement) for one in order)
            return
        read = [*_by_rules(rules, "rules", figures)]
        for one in guided_readings(drafts, text, figures):
            read += _by_rules(one, "guided", figures)
        models = distinct([*drafts, *([voted] if voted is not None else []), *read])
        ranker = self._ranker or shipped()
        scored = zip(models, features(models, figures), strict=True)
        yield from sorted(
            (Ranked(one, ranker.confidence(given), given) for one, given in scored), key=lambda one: -one.confidence
        )


def _by_rules(rules: RulesReading, origin: Origin, figures: Sequence[Figure]) -> Iterator[Candidate]:
    """A reading by rules as a candidate."""
    if rules.problem is None or rules.problem.objective is None:
        return
    try:
        draft = draft_of(rules.problem, figures)
    except DataError:
        draft = None
    yield Candidate(rules.problem, origin, draft, complete=rules.complete)


def _candidates(
    tree: Tree, task: Drafts | Documents, text: str, figures: Sequence[Figure], refused: Counter[str]
) -> Iterator[Candidate]:
    """Every draft of a tree that is a problem, equal ones once; why others are none is counted in `refused`."""
    for node in tree.answered():
        try:
            written = tree.text(node.id)
            problem = task.problem(written, text)
            draft = parse(written, len(figures)) if isinstance(task, Drafts) else None
            data = data_of(problem, task.tables) if isinstance(task, Documents) else {}
        except DataError as error:
            refused[str(error)] += node.samples
            continue
        segments = [segment for one in tree.path(node.id) if one.step is not None for segment in one.step.segments]
        known = [segment.logprobs for segment in segments if segment.logprobs is not None]
        logprobs = [x for one in known for x in one]
        mean = math.fsum(logprobs) / len(logprobs) if logprobs and len(known) == len(segments) else None
        yield Candidate(problem, "model", draft, node.samples, mean, data=data)
