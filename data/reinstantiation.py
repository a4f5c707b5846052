"""Real texts told anew: tagged training texts of NL4Opt with other numbers, other names and other directions.

    python -m data.reinstantiation --copies 4 --seed 1 --out out/reinstantiated.jsonl

A copy says what the weak model of its text says (`data.weak`), with the same numbers in the same fields: each number is
written in the form that it had, each mention of a variable has its new name in the same grammatical number, and in a
share of the copies limits and goals are turned round ('at least' to 'at most'). What cannot be changed for certain is
left as it is, and counted. A copy depends on seed, text and copy number alone.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.nl4opt import tagged
from data.renaming import Kept, Names, Structure, names_of, renamed, structure
from data.renumbering import renumbered
from data.rows import RowFile
from data.weak import clusters, entities_of_tagged, weak
from formulation.drafts import draft_of, problem_of
from formulation.expressions import Sense
from formulation.kinds.base import Mention, Statement
from formulation.quantities import numbers_in, quantity
from formulation.reading.words import Text
from formulation.rules import read
from formulation.schema import Problem
from formulation.wire import Draft, Line, write

__all__ = ["Copy", "Seed", "main", "reinstantiated", "seeds"]

VERSION: Final = 1
"""Of what a seed gives: rows of two versions are not mixed in one file."""
_TURNED: Final = 0.4  # the share of copies in which directions change
_EACH: Final = 0.6  # how often a limit is turned round in these
_SCALES: Final = (0.5, 0.7, 0.8, 1.25, 1.5, 2.0)
_DRAWS: Final = 40  # tries for numbers that keep the order of the limits

_LIMITS: Final[Mapping[str, tuple[Sense, str]]] = {
    "at least": (">=", "at most"),
    "at most": ("<=", "at least"),
    "no less than": (">=", "no more than"),
    "no fewer than": (">=", "no more than"),
    "no more than": ("<=", "no less than"),
    "minimum": (">=", "maximum"),
    "maximum": ("<=", "minimum"),
    "or more": (">=", "or less"),
    "or less": ("<=", "or more"),
    "below": ("<=", "above"),
    "above": (">=", "below"),
}
"""Phrases of limits: the sense that each has, and the phrase of the other direction."""
_GOALS: Final = (("max", "profit", "cost"), ("min", "cost", "profit"))
_GOAL: Final = r"(?:the|its|their|his|her|your|total|daily|weekly|monthly|overall)\b ?"
_SELLING: Final = re.compile(
    r"\b(?:sell\w*|sold|sales|earn\w*|revenue|investor?|donat\w+|cheap\w*|costs|profits)\b", re.I
)
_ARTICLE: Final = re.compile(r"(?<![\w.])(an?)(?= [$“\"]?$)", re.IGNORECASE)
_VOWEL: Final = re.compile(
    r"(?!one\b|once\b|uni|us[ae]|eu|SUV)(?:[aeiou]|hour|heir|honest|8|1[18](?:\b|\d{3}\b|,)|x-)|(?-i:SUV|[FHLMNRSX][A-Z])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Seed:
    """A tagged text with its weak model and the model's draft; `names` is None where the text keeps its names, `kept`
    says why."""

    index: int
    problem: Problem
    draft: Draft
    names: Structure | None
    kept: str = ""


@dataclass(frozen=True)
class Copy:
    """A text told anew, and what was done: `turned` senses, whether it is `renamed`, how many numbers changed."""

    problem: Problem
    draft: Draft
    renamed: bool
    turned: int
    numbers: int


@dataclass
class _Change:
    """Characters [start, end) of the old text that become `new`."""

    start: int
    end: int
    new: str


@dataclass
class _Edits:
    changes: list[_Change] = field(default_factory=list)

    def add(self, start: int, end: int, new: str) -> None:
        self.changes.append(_Change(start, end, new))
        self.changes.sort(key=lambda one: (one.start, one.end))

    def meets(self, start: int, end: int) -> bool:
        return any(one.start < end and start < one.end for one in self.changes)

    def text(self, old: str) -> str:
        """The new text. Raises Kept where changes overlap."""
        parts, at = [], 0
        for one in self.changes:
            if one.start < at:
                raise Kept("two changes meet")
            parts += [old[at : one.start], one.new]
            at = one.end
        return "".join([*parts, old[at:]])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters of the old text stand in the new one. Raises Kept where a change goes over their edge."""
        if any(one.start < edge < one.end for one in self.changes for edge in (start, end)):
            raise Kept("a part of the model ends within a name")
        first = start + sum(len(one.new) - one.end + one.start for one in self.changes if one.end <= start)
        # What is put in behind a span, such as the times behind three, is no part of it.
        within = [one for one in self.changes if start <= one.start < end]
        return first, first + end - start + sum(len(one.new) - one.end + one.start for one in within)


# ---- texts to begin with ---------------------------------------------------------------------------------------------


def seeds(directory: Path | None = None) -> list[Seed]:
    """The training texts that have a weak model which the compact format can say. Raises DataError without the data."""
    found = []
    for index, row in enumerate(tagged(directory=directory)):
        given = entities_of_tagged(row)
        problem, groups = weak(given), clusters(given)
        if problem is None or groups is None:
            continue
        try:
            draft = draft_of(problem, numbers_in(given.text))
        except DataError:
            continue
        try:
            found.append(Seed(index, problem, draft, structure(Text(given.text), groups)))
        except Kept as why:
            found.append(Seed(index, problem, draft, None, str(why)))
    return found


def donors(given: Sequence[Seed]) -> list[Names]:
    """The names of all texts whose names are certain."""
    found = (names_of(one.names) for one in given if one.names is not None)
    return [names for names in found if names is not None]


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _statements(problem: Problem) -> list[Statement]:
    return [*([problem.objective] if problem.objective is not None else []), *problem.constraints]


def _fields(statement: Statement) -> Iterator[tuple[str, tuple[int, int]]]:
    """Places of the numbers that a statement uses."""
    for name, mention in statement.sources.items():
        if name not in ("", "sense") and mention.span is not None:
            yield name, mention.span


def _numbers(seed: Seed, rng: random.Random) -> dict[tuple[int, int], str]:
    """New words for the numbers that the statements use, limits of variables and sums in the order that they had."""
    text = seed.problem.text or ""
    spans = sorted({span for statement in _statements(seed.problem) for _, span in _fields(statement)})
    figures = {(one.start, one.end) for one in numbers_in(text)}
    limits = [
        span
        for statement in seed.problem.constraints
        if statement.kind in ("bound", "sum_bound")
        for name, span in _fields(statement)
    ]
    found: dict[tuple[int, int], str] = {}
    for _ in range(_DRAWS):
        scale = rng.choice(_SCALES)
        same: dict[str, str | None] = {}
        found = {}
        for start, end in spans:
            written = text[start:end]
            if (start, end) not in figures:
                continue
            new = renumbered(written, scale, rng)
            if rng.random() < _EACH:
                new = same.setdefault(written, new)
            if new is not None:
                found[start, end] = new
        if _in_order([(quantity(text[a:b]).value, quantity(found.get((a, b), text[a:b])).value) for a, b in limits]):
            return found
    return found


def _in_order(pairs: Sequence[tuple[Fraction, Fraction]]) -> bool:
    """Whether values (old, new) compare as they did."""
    return all((a < b) == (x < y) for a, x in pairs for b, y in pairs)


# ---- directions ------------------------------------------------------------------------------------------------------


def _turned(seed: Seed, rng: random.Random, edits: _Edits) -> Draft:
    """The draft with some limits turned round, and maybe the goal, whose words go to `edits`."""
    lines = list(seed.draft.lines)
    first = len(lines) - len(seed.problem.constraints)
    for i in range(first, len(lines)):
        place = _phrase(seed, i, first)
        if place is not None and rng.random() < _EACH:
            old = (seed.problem.text or "")[slice(*place)]
            sense, new = _LIMITS[old.lower()]
            lines[i] = replace(lines[i], sense=">=" if sense == "<=" else "<=")
            edits.add(*place, new.capitalize() if old[0].isupper() else new)
    goal = _goal(seed, edits) if rng.random() < _EACH else None
    return Draft(seed.draft.variables, tuple([replace(lines[0], kind=goal), *lines[1:]] if goal else lines))


def _phrase(seed: Seed, at: int, first: int) -> tuple[int, int] | None:
    """The words that say the direction of statement `at`, where these can be turned round for certain."""
    text, statement, line = seed.problem.text or "", seed.problem.constraints[at - first], seed.draft.lines[at]
    cue, whole = statement.sources.get("sense"), statement.sources.get("")
    numbers = [span for name, span in _fields(statement) if name in ("limit", "share", "factor", "amount")]
    if cue is None or cue.span is None or whole is None or whole.span is None or len(numbers) != 1:
        return None
    start, end = cue.span
    words = text[start:end].lower()
    others = [one for one in seed.problem.constraints if one is not statement]
    if words not in _LIMITS or _LIMITS[words][0] != line.sense:
        return None
    if any(
        one.sources.get("sense") == cue or _left(seed.draft, at) == _left(seed.draft, first + i)
        for i, one in enumerate(seed.problem.constraints)
        if one is not statement
    ):
        return None
    if len(re.findall(rf"\b{words}\b", text[slice(*whole.span)], re.IGNORECASE)) != 1:
        return None
    between = sorted((start, numbers[0][0]))
    used = {span for one in others for _, span in _fields(one)}
    if start > numbers[0][0] or any(between[0] < a < between[1] for a, _ in used):
        return None
    return start, end


def _left(draft: Draft, at: int) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """What a line limits."""
    line: Line = draft.lines[at]
    return line.kind, tuple(tuple(term.variable for term in side) for side in line.sides)


def _goal(seed: Seed, edits: _Edits) -> str | None:
    """The other goal, where every mention of what it counts can be exchanged."""
    text, kind = seed.problem.text or "", seed.draft.lines[0].kind
    for goal, old, new in _GOALS:
        places = [m.start() for m in re.finditer(rf"\b{old}\b", text, re.IGNORECASE)]
        cue = re.search(rf"\b{goal}imi[sz]e (?:{_GOAL}){{0,2}}{old}\b", text, re.IGNORECASE)
        if goal != kind or cue is None or _SELLING.search(text) or re.search(rf"\b{new}", text, re.IGNORECASE):
            continue
        if all(at == cue.end() - len(old) or re.match(rf"{old} (?:per|for each)\b", text[at:], re.I) for at in places):
            for at in places:
                edits.add(at, at + len(old), new.capitalize() if text[at].isupper() else new)
            other = "min" if goal == "max" else "max"
            start = cue.start()
            edits.add(start, start + 3, other.capitalize() if text[start].isupper() else other)
            return other
    return None


# ---- copies ----------------------------------------------------------------------------------------------------------


def reinstantiated(seed: Seed, names: Sequence[Names], rng: random.Random) -> Copy:
    """The text of a seed with other numbers, names and directions. Raises Kept with the reason where it cannot be."""
    text = seed.problem.text or ""
    edits = _Edits()
    draft = _turned(seed, rng, edits) if rng.random() < _TURNED else seed.draft
    turned = sum(a != b for a, b in zip(draft.lines, seed.draft.lines, strict=True))
    given: list[tuple[int, int, str]] = []
    if seed.names is not None:
        try:
            given = renamed(seed.names, names, rng)
        except Kept:
            given = []
    if any(edits.meets(start, end) for start, end, _ in given):
        given = []
    for change in given:
        edits.add(*change)
    numbers = _numbers(seed, rng)
    for (start, end), new in numbers.items():
        edits.add(start, end, new)
        if text[start:end].lower() in ("twice", "thrice"):
            edits.add(end, end, " times")
    for start, end, new in _articles(text, edits.changes):
        edits.add(start, end, new)
    told = edits.text(text)
    if told == text:
        raise Kept("nothing changes")
    return Copy(_told(seed, draft, edits, told), draft, bool(given), turned, len(numbers))


def _articles(text: str, changes: Sequence[_Change]) -> list[tuple[int, int, str]]:
    """What becomes of a and an before changed words."""
    found = []
    for one in changes:
        match = _ARTICLE.search(text[: one.start]) if one.new and one.end > one.start else None
        if match is not None:
            new = match[1][0] + ("n" if _VOWEL.match(one.new) else "")
            if new != match[1]:
                found.append((*match.span(1), new))
    return found


def _told(seed: Seed, draft: Draft, edits: _Edits, told: str) -> Problem:
    """The problem that the draft says of the new text, its parts at the places that they have there. Raises Kept."""
    old = seed.problem
    text = old.text or ""
    before, after = numbers_in(text), numbers_in(told)
    spans = [edits.span(one.start, one.end) for one in before]
    if spans != [(one.start, one.end) for one in after]:
        raise Kept("a number would be read otherwise")

    def moved(mention: Mention) -> Mention:
        if mention.span is None:
            return mention
        start, end = edits.span(*mention.span)
        return mention.model_copy(update={"span": (start, end), "text": told[start:end]})

    variables = [{key: moved(one) for key, one in variable.sources.items()} for variable in old.variables.values()]
    declared = tuple(
        replace(one, words=sources[""].text or one.words)
        for one, sources in zip(draft.variables, variables, strict=True)
    )
    try:
        new = problem_of(replace(draft, variables=declared), told, after)
    except DataError:
        raise Kept("the new names are no names") from None
    other = dict(zip(old.variables, new.variables, strict=True))

    def sources(statement: Statement) -> dict[str, Mention]:
        return {
            re.sub(r"\['(\w+)'\]", lambda m: f"['{other[m[1]]}']", key): moved(one)
            for key, one in statement.sources.items()
        }

    goal = new.objective
    return new.model_copy(
        update={
            "variables": {
                name: one.model_copy(update={"sources": found})
                for (name, one), found in zip(new.variables.items(), variables, strict=True)
            },
            "objective": goal.model_copy(update={"sources": sources(old.objective)})
            if goal and old.objective
            else goal,
            "constraints": tuple(
                one.model_copy(update={"id": was.id, "sources": sources(was)})
                for one, was in zip(new.constraints, old.constraints, strict=True)
            ),
        }
    )


# ---- command ---------------------------------------------------------------------------------------------------------


def _reads(copy: Copy) -> bool:
    """Whether the rules read the same lines in the text of a copy."""
    problem = read(copy.problem.text or "").problem
    try:
        found = draft_of(problem, numbers_in(copy.problem.text or "")) if problem is not None else None
    except DataError:
        return False
    return found is not None and set(write(found).splitlines()) == set(
        write(draft_of(copy.problem, numbers_in(copy.problem.text or ""))).splitlines()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the rows, and say what was refused and how many of them the rules read as meant."""
    parser = Parser(prog="python -m data.reinstantiation", description="Tagged training texts of NL4Opt told anew.")
    parser.add_argument("--copies", type=int, default=4, help="copies of each text (default: 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="file to write; continued where it exists")
    parser.add_argument("--show", type=int, default=0, help="print so many of the rows")
    given = parser.parse_args(arguments)
    if given.copies < 1 or given.show < 0:
        raise UserError("--copies must be at least 1 and --show not below 0")
    texts = seeds()
    names = donors(texts)
    counts: Counter[str] = Counter()
    kept: Counter[str] = Counter(one.kept for one in texts if one.kept)
    shown = 0
    with RowFile(given.out, {"command": "reinstantiation", "version": VERSION, "seed": given.seed}) as file:
        for seed in texts:
            for number in range(given.copies):
                name = f"{given.seed}/{seed.index}/{number}"
                if name in file.done:
                    continue
                try:
                    copy = reinstantiated(seed, names, random.Random(name))
                except Kept as why:
                    counts[f"refused: {why}"] += 1
                    file.add(name, [])
                    continue
                row = {"id": name, "problem": copy.problem.plain(), "text": copy.problem.text, "from": seed.index}
                file.add(name, [row])
                counts.update(
                    {"rows": 1, "renamed": copy.renamed, "turned": copy.turned > 0, "read by rules": _reads(copy)}
                )
                if shown < given.show:
                    shown += 1
                    print(f"{json.dumps(seed.problem.text)}\n{json.dumps(row['text'])}\n{write(copy.draft)}")
    print(f"{len(texts)} texts, {counts['rows']} rows in {given.out}")
    for reason, count in counts.most_common():
        print(f"  {count} {reason}")
    for reason, count in kept.most_common():
        print(f"  {count} texts keep their names: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
