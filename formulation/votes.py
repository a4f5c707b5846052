"""Readings of one text, compared by what they say: whole models, and row by row.

Two readings agree where their rows, written out and scaled, are the same over matched variables. Words, order, the
kinds that say a row, and the tags of equal numbers do not count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from data.errors import DataError, UserError
from formulation.drafts import problem_of
from formulation.metrics import Stated, stated
from formulation.model import Model
from formulation.naming import matched, texts_of
from formulation.quantities import Figure
from formulation.schema import Problem
from formulation.wire import Draft, Line, Term

__all__ = ["Candidate", "Distinct", "Origin", "distinct", "row_vote"]

Origin = Literal["rules", "guided", "model", "vote"]


@dataclass(frozen=True)
class Candidate:
    """One reading of a text.

    `draft` is what was written, None where the compact format cannot say the model. `samples` is how often it was
    written, `logprob` the mean log-probability of its tokens (None: it was not sampled). `complete` says that rules
    found a place for all of the text. `data` are the tables that the problem is read from.
    """

    problem: Problem
    origin: Origin
    draft: Draft | None = None
    samples: int = 1
    logprob: float | None = None
    complete: bool = False
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def model(self) -> Model:
        """The problem with its data; strict words are read as closed ones."""
        return Model(self.problem, self.data, ignore_strict=True)


@dataclass(frozen=True)
class Said:
    """What a candidate says: its goals, and every row with how often it is said, over the common variables."""

    goals: Hashable
    rows: Counter[Hashable]
    statements: tuple[frozenset[tuple[Hashable, int]], ...]  # rows, with how often each is said
    places: tuple[int | None, ...]  # the common variable of each of its own

    @property
    def key(self) -> Hashable:
        """Equal where two candidates say the same."""
        return self.goals, frozenset(self.rows.items())


@dataclass(frozen=True)
class Distinct:
    """Readings that say the same.

    `candidates` begin with the likeliest; `share` is the share of all samples that say this. `support` is the mean
    share of samples that say each of its rows, `weakest` the least, `goal` that of its goal; samples of other readings
    count there too. `agreement` is the mean over samples of how alike they are to it, in [0, 1]: the F1 measure of its
    rows and its goal against theirs (minimum Bayes risk, Kumar and Byrne 2004).
    """

    candidates: tuple[Candidate, ...]
    said: Said
    share: float
    support: float
    weakest: float
    goal: float
    agreement: float

    @property
    def problem(self) -> Problem:
        """The model."""
        return self.candidates[0].problem

    @property
    def model(self) -> Model:
        """The model with its data."""
        return self.candidates[0].model

    def of(self, origin: Origin, *, complete: bool = False) -> bool:
        """Whether one of the readings came from there, and where `complete` is true left nothing of the text over."""
        return any(one.origin == origin and (one.complete or not complete) for one in self.candidates)


_COUNTED: Final = ("model",)
"""Only what was sampled has a vote; everything else is compared with it."""


def distinct(candidates: Sequence[Candidate]) -> tuple[Distinct, ...]:
    """The different models among readings of one text, those with most votes first. What is no model is left out."""
    found = list(_said(candidates))
    total = sum(one.samples for one, _ in found if one.origin in _COUNTED)
    votes: Counter[Hashable] = Counter()
    goals: Counter[Hashable] = Counter()
    groups: dict[Hashable, list[tuple[Candidate, Said]]] = defaultdict(list)
    for one, said in found:
        groups[said.key].append((one, said))
        if one.origin in _COUNTED:
            goals[said.goals] += one.samples
            for row in said.rows:
                votes[row] += one.samples
    counts = {key: sum(one.samples for one, _ in group if one.origin in _COUNTED) for key, group in groups.items()}
    models = []
    for group in groups.values():
        said = group[0][1]
        shares = [votes[row] / total if total else 0.0 for row in said.rows]
        models.append(
            Distinct(
                tuple(sorted((one for one, _ in group), key=_likely, reverse=True)),
                said,
                counts[said.key] / total if total else 0.0,
                sum(shares) / len(shares) if shares else 0.0,
                min(shares, default=0.0),
                goals[said.goals] / total if total else 0.0,
                sum(counts[key] * _alike(said, other[0][1]) for key, other in groups.items()) / total if total else 0.0,
            )
        )
    return tuple(sorted(models, key=lambda one: (one.share, one.support), reverse=True))


def _alike(one: Said, other: Said) -> float:
    """2 |common| / (|one| + |other|) of rows, the goals counted as one more."""
    same = (one.rows & other.rows).total() + (one.goals == other.goals)
    return 2 * same / (one.rows.total() + other.rows.total() + 2)


def _likely(one: Candidate) -> tuple[bool, float]:
    return (one.logprob is not None, one.logprob or 0.0)


def row_vote(
    candidates: Sequence[Candidate], text: str, figures: Sequence[Figure], *, share: float = 0.5
) -> Candidate | None:
    """The model of every statement that more than `share` of the samples make, and of the goal that most have.

    Variables are those that most samples declare. None where no sample is a model.
    """
    found = [
        (one, said)
        for one, said in _said(candidates)
        if one.origin in _COUNTED and one.draft and None not in said.places
    ]
    # Only readings with all the common variables can lend lines to each other.
    width = max((len(said.places) for _, said in found), default=0)
    found = [(one, said) for one, said in found if len(said.places) == width]
    if not found:
        return None
    total = sum(one.samples for one, _ in found)
    lines: dict[Hashable, tuple[float, Line]] = {}
    weights: Counter[Hashable] = Counter()
    domains: list[Counter[str]] = [Counter() for _ in range(width)]
    best = max(found, key=lambda pair: _likely(pair[0]))
    for one, said in found:
        assert one.draft is not None
        for variable, place in zip(one.draft.variables, said.places, strict=True):
            assert place is not None
            domains[place][variable.domain] += one.samples
        goals = [line for line in one.draft.lines if line.kind in ("max", "min")]
        rest = [line for line in one.draft.lines if line.kind not in ("max", "min")]
        keyed: list[tuple[Hashable, Line]] = [
            *((("goal", said.goals), line) for line in goals),
            *zip(said.statements, rest, strict=True),
        ]
        for key in {key for key, _ in keyed}:
            weights[key] += one.samples
        likely = one.logprob if one.logprob is not None else float("-inf")
        for key, line in keyed:
            if key not in lines or likely > lines[key][0]:
                lines[key] = likely, _moved(line, said.places)
    chosen = [key for key in lines if isinstance(key, frozenset) and weights[key] > share * total]
    goal = max((key for key in lines if isinstance(key, tuple)), key=lambda key: weights[key], default=None)
    one, said = best
    assert one.draft is not None
    variables = sorted(zip(said.places, one.draft.variables, strict=True), key=lambda pair: pair[0] or 0)
    draft = Draft(
        tuple(
            replace(variable, domain=domains[place or 0].most_common(1)[0][0])  # type: ignore[arg-type]
            for place, variable in variables
        ),
        (*([lines[goal][1]] if goal is not None else []), *sorted((lines[key][1] for key in chosen), key=_place)),
    )
    try:
        return Candidate(problem_of(draft, text, figures), "vote", draft)
    except DataError:
        return None


def _place(line: Line) -> int:
    """Where a line stands in a draft: by its limit's number."""
    return next((amount.tag for amount in line.amounts if amount.tag), next(line.tags(), 0))


def _moved(line: Line, to: Sequence[int | None]) -> Line:
    """The line over other variables: variable i becomes to[i - 1] + 1."""

    def place(variable: int) -> int:
        found = to[variable - 1]
        assert found is not None
        return found + 1

    def side(terms: Sequence[Term]) -> tuple[Term, ...]:
        return tuple(sorted((replace(t, variable=place(t.variable)) for t in terms), key=lambda t: t.variable))

    return replace(
        line,
        sides=tuple(map(side, line.sides)),
        decisions=tuple(replace(d, variable=place(d.variable)) for d in line.decisions),
        rows=tuple(_moved(row, to) for row in line.rows),
    )


def _said(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Said]]:
    """Every candidate that is a model, and what it says over the variables of the most common one."""
    models = [(one, one.model) for one in candidates]
    labels: Counter[tuple[str, ...]] = Counter()
    for one, _ in models:
        labels[tuple(one.problem.variables)] += one.samples
    if not labels:
        return
    common = labels.most_common(1)[0][0]
    texts = next(texts_of(model) for one, model in models if tuple(one.problem.variables) == common)
    for one, model in models:
        places = matched(list(texts_of(model).values()), list(texts.values()))
        own = list(one.problem.variables)
        names = {name: f"?{name}" if place is None else str(place) for name, place in zip(own, places, strict=True)}
        try:
            goals, statements = stated(model, names)
        except (UserError, DataError):
            continue
        each = [_flat(statement) for statement in statements]
        rows = sum(each, Counter[Hashable]())
        yield one, Said(goals, rows, tuple(frozenset(rows.items()) for rows in each), tuple(places))


def _flat(statement: Stated) -> Counter[Hashable]:
    """The rows of a statement; those with two sides count as two."""
    found: Counter[Hashable] = Counter()
    assert isinstance(statement.says, frozenset)
    for what, times in statement.says:
        for part in what if isinstance(what, frozenset) else (what,):
            found[part] += times
    return found
