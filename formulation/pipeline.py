"""From a description in words to a model that is solved and checked.

`formulate` reads a text by the rules of `formulation.rules`, or with a language model (`formulation.reader`) beside
them; what was not understood is told as findings and never filled in. The model knows the words that each of its parts
comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from data.errors import UserError
from formulation.differences import differences
from formulation.explain import Explanation, explain
from formulation.findings import findings as checked
from formulation.lines import one_line
from formulation.model import Model
from formulation.report import Block, Entry, Heading, Paragraph, as_text
from formulation.rules import Reading, read
from formulation.sentences import sentence_at, sentences
from formulation.solve import Solution, solve
from formulation.tables import Given, data_of, given_tables, not_given, not_used

if TYPE_CHECKING:
    from formulation.reader import ModelReading, Ranked, Reader

__all__ = ["Formulation", "Note", "formulate"]

_LONGEST: Final = 20_000  # characters of a text
_MOST_RIVALS: Final = 4  # models that are told as JSON
_SURE: Final = 0.5  # a model that is less likely right than this is doubtful
_QUOTED: Final = 90  # characters of the words that a note is about
_OPEN: Final = ("language", "variables", "objective", "nonlinear", "data", "reading", "sentence", "number")
"""Topics of notes that say that something is missing; the others are assumptions, and questions about the model."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader of the model should know: a topic, a sentence, and the characters of the text that it is about."""

    topic: str
    sentence: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Formulation:
    """What became of a text: a model, and notes on what was not understood, assumed, or is worth a question."""

    text: str
    reading: Reading = field(repr=False)
    by_model: ModelReading | None = field(default=None, repr=False)
    tables: tuple[Given, ...] = field(default=(), repr=False)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """What was not understood, then what was assumed."""
        found = [Note(one.topic, one.sentence, (one.start, one.end)) for one in self.reading.findings]
        if self.confidence is not None and self.confidence < _SURE:
            found.append(
                Note("reading", f"the reading is doubtful: it is right with probability {self.confidence:.2f}")
            )
        return tuple(sorted(found, key=lambda one: (one.topic not in _OPEN, one.topic not in _OPEN[:6])))

    @property
    def complete(self) -> bool:
        """Whether every sentence and every number of the text found its place in a model that is likely right."""
        return self.reading.complete and (self.confidence is None or self.confidence >= _SURE)

    @property
    def confidence(self) -> float | None:
        """How likely the model is right, in [0, 1]; None where no language model read the text."""
        return self.alternatives[0].confidence if self.alternatives else None

    @property
    def alternatives(self) -> tuple[Ranked, ...]:
        """The different models that a language model and the rules made of the text, the likeliest first."""
        return self.by_model.models if self.by_model is not None and self.reading.problem is not None else ()

    @cached_property
    def rivals(self) -> tuple[Note, ...]:
        """What the second likeliest model says differently."""
        if len(self.alternatives) < 2:
            return ()
        first, second = self.alternatives[:2]
        return tuple(Note("rival", one) for one in differences(first.found, second.found))

    @cached_property
    def model(self) -> Model:
        """The model. Raises UserError where the text gave none."""
        if self.reading.problem is None:
            raise UserError(self.obstacle)
        return Model(self.reading.problem, data_of(self.reading.problem, self.tables))

    @property
    def obstacle(self) -> str:
        """Why the model must not be solved: it is none, has no objective, or leaves out given tables or curves."""
        if self.reading.problem is None:
            return f"the text gives no model: {self.notes[0].sentence}"
        if self.reading.problem.objective is None:
            return "the text does not say what is sought: add what to minimise or maximise"
        if self.tables and (found := next((one for one in self.notes if one.topic == "data"), None)) is not None:
            return found.sentence
        return next((f"{self._quoted(one)}: {one.sentence}" for one in self.notes if one.topic == "nonlinear"), "")

    def _quoted(self, note: Note) -> str:
        return f"'{one_line(self.text[slice(*(note.span or (0, 0)))])[:_QUOTED]}'"

    def solve(self, **options: Any) -> Solution:
        """Solve the model: see `formulation.solve.solve`. Raises UserError where there is an `obstacle`."""
        if self.obstacle:
            raise UserError(self.obstacle)
        return solve(self.model, **options)

    def explain(self, solution: Solution | None = None) -> Explanation:
        """The model in words and algebra, and the result where one is given."""
        return explain(self.model, solution)

    def questions(self, solution: Solution | None = None, *, time_limit: float = 5.0) -> tuple[Note, ...]:
        """What a careful analyst would ask about the model and its solution."""
        values = solution.values if solution is not None and solution.values else None
        found = checked(self.model, values, solution=solution if values else None, time_limit=time_limit)
        # What the reading did not use has been told by it.
        return tuple(Note(one.topic, one.sentence) for one in found if one.topic != "unused number")

    def plain(self, solution: Solution | None = None, *, time_limit: float = 5.0) -> dict[str, Any]:
        """All of it as JSON values."""
        has_model = self.reading.problem is not None
        told = solution.plain() if solution is not None else {"status": "not solved", "objective": None, "values": {}}
        asked = self.questions(solution, time_limit=time_limit) if has_model else ()
        return {
            "model": self.model.problem.plain() if has_model else None,
            "complete": self.complete,
            "confidence": self.confidence,
            "alternatives": [
                {"model": one.problem.plain(), "confidence": one.confidence, "votes": one.found.share}
                for one in self.alternatives[1:_MOST_RIVALS]
            ],
            "rival": [one.sentence for one in self.rivals],
            **told,
            "findings": [
                {"topic": one.topic, "sentence": one.sentence, "span": list(one.span) if one.span else None}
                for one in (*self.notes, *asked)
            ],
        }

    def blocks(self, solution: Solution | None = None, *, time_limit: float = 5.0) -> list[Block]:
        """All of it for people: the model beside its sentences, the result, and the notes."""
        found: list[Block] = []
        asked: tuple[Note, ...] = ()
        if self.reading.problem is not None:
            found += self.explain(solution).blocks()
            asked = self.questions(solution, time_limit=time_limit)
        missing = [one for one in self.notes if one.topic in _OPEN]
        assumed = [one for one in self.notes if one.topic not in _OPEN]
        if self.confidence is not None:
            told = f"This model is right with probability {self.confidence:.2f}, as far as votes and checks can say."
            found += [Heading("How sure"), Paragraph(told)]
        rivals = f"The next likely model ({self.alternatives[1].confidence:.2f})" if self.rivals else ""
        for title, notes in (
            ("Not understood", missing),
            (rivals, self.rivals),
            ("Assumed", assumed),
            ("To look at", asked),
        ):
            if notes:
                found += [Heading(title), *self._told(notes)]
        return found

    def _told(self, notes: tuple[Note, ...] | list[Note]) -> Iterator[Block]:
        for one in notes:
            quote = self.quote(one)
            yield Entry(one.sentence, quote=quote) if quote else Paragraph(f"- {one.sentence}")

    def quote(self, note: Note) -> str:
        """The sentence that an open note is about, in quotation marks; empty for a note of another kind."""
        if note.span is None or note.topic not in _OPEN:
            return ""
        places = sentences(self.text)
        place = sentence_at(places, note.span[0])
        start, end = places[place] if place is not None else note.span
        said = one_line(self.text[start:end])
        return f'"{said if len(said) <= _QUOTED else said[: _QUOTED - 3] + "..."}"'

    @property
    def report(self) -> str:
        """The model and its notes as text, not solved."""
        return as_text(self.blocks())


def formulate(text: str, *, reader: Reader | None = None, data: Mapping[str, Any] | None = None) -> Formulation:
    """Read a description of an optimisation problem, by rules or, with a `reader`, by a language model and the rules.

    `data` are the tables that the text speaks of, by name a CSV or XLSX file, a DataFrame or a list of records; a
    reader that writes JSON documents reads from them. Any text gives a `Formulation`; what it lacks is in its notes.
    Raises UserError for an empty or a far too long text, and UserError or DataError for a table that cannot be read.
    """
    if not text.strip():
        raise UserError("the text is empty: describe what is decided, what is sought and what must hold")
    if len(text) > _LONGEST:
        raise UserError(f"the text has {len(text):,} characters: describe the problem in at most {_LONGEST:,}")
    tables = given_tables(data)
    found = reader.read(text, tables=tables) if reader is not None else None
    reading = found.as_reading() if found is not None else read(text)
    lacking = (*not_given(text, tables), *not_used(text, reading.problem, tables, _why_unused(found)))
    if lacking:
        reading = replace(reading, findings=(*reading.findings, *lacking))
    return Formulation(text, reading, found, tables)


def _why_unused(found: ModelReading | None) -> str:
    """Why a given table has no part in a model, where that is known."""
    if found is None:
        return "rules read no tables: name a large chat model with --policy and --format json (reader= in Python)"
    if not found.reads_tables:
        return "the compact format has no tables: choose --format json"
    sampled = any(one.found.of("model") for one in found.models)
    return found.refused[0] if found.refused and not sampled else ""
