"""Questions to the person who wrote a text: what it leaves open, and what was assumed of its variables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TextIO

from formulation.expressions import constant
from formulation.kinds.base import Mention
from formulation.lines import one_line
from formulation.pipeline import Formulation, Note
from formulation.schema import Domain, Variable

__all__ = ["interview"]

_MOST: Final = 10  # questions
_ASKED: Final = ("variables", "objective", "sentence", "number")
"""Topics of notes that another sentence may settle."""


class _Ended(Exception):
    """There are no more answers, or enough questions."""


def interview(found: Formulation, again: Callable[[str], Formulation], answers: TextIO, to: TextIO) -> Formulation:
    """Ask about what is open, one line an answer, and return what the text and the answers give.

    A sentence given in answer to an open note is put behind the text, which is read `again`; an empty line leaves the
    note. Then each assumed domain is asked for. The end of `answers` ends the questions, of which there are at most 10.
    """
    interviewer = _Interviewer(found, answers, to)
    with contextlib.suppress(_Ended):
        interviewer.notes(again)
        interviewer.domains()
    return interviewer.found


class _Interviewer:
    """Questions counted and put; `found` is what is known so far."""

    def __init__(self, found: Formulation, answers: TextIO, to: TextIO) -> None:
        self.found = found
        self.answers = answers
        self.to = to
        self.asked = 0

    def ask(self, question: str) -> str:
        """The answer to a question, a line without what a terminal would obey. Raises _Ended."""
        if self.asked == _MOST:
            raise _Ended
        self.asked += 1
        print(question, end=" ", file=self.to, flush=True)
        line = self.answers.readline()
        if not line.endswith("\n"):  # the end, behind which no newline was typed
            print(file=self.to)
        if not line:
            raise _Ended
        return one_line(line)

    def notes(self, again: Callable[[str], Formulation]) -> None:
        """Ask about every open note once, those of longer texts too."""
        put: set[tuple[str, str]] = set()
        while (note := next((one for one in self.found.notes if _is_new(one, self.found, put)), None)) is not None:
            put.add(_key(note, self.found))
            print(*filter(None, (self.found.quote(note), note.sentence)), sep="\n", file=self.to)
            said = self.ask("Say it in another sentence (empty: leave it):")
            if said:
                self.found = again(_with_sentence(self.found.text, said))

    def domains(self) -> None:
        """Ask for the domain of every variable where it is assumed."""
        for name, variable in _assumed(self.found):
            self.found = _decided(self.found, name, self._domain(name, variable))

    def _domain(self, name: str, variable: Variable) -> Domain:
        """The domain that is answered; an empty line keeps the assumed one."""
        yes: Domain = "binary" if variable.domain == "binary" else "integer"
        no: Domain = "integer" if variable.domain == "binary" else "continuous"
        what = "a yes-or-no decision" if variable.domain == "binary" else "counted in whole units"
        choice = "[Y/n]" if variable.domain == yes else "[y/N]"
        while True:
            said = self.ask(f"Is '{name}' {what}? {choice}").strip().lower()
            if said in ("", "y", "yes", "n", "no"):
                return variable.domain if not said else yes if said[0] == "y" else no


def _key(note: Note, found: Formulation) -> tuple[str, str]:
    """What makes a note the same in a longer text. A text as a whole has no words of its own."""
    start, end = note.span or (0, 0)
    return note.topic, "" if note.topic in ("variables", "objective") else f"{start} {found.text[start:end]}"


def _is_new(note: Note, found: Formulation, put: set[tuple[str, str]]) -> bool:
    return note.topic in _ASKED and _key(note, found) not in put


def _with_sentence(text: str, said: str) -> str:
    """A text with one more sentence."""
    before, said = text.rstrip(), said.strip()
    before += "" if before.endswith((".", "!", "?")) else "."
    return f"{before} {said}{'' if said.endswith(('.', '!', '?')) else '.'}"


def _assumed(found: Formulation) -> list[tuple[str, Variable]]:
    """The variables whose domain the text does not say."""
    variables = found.reading.problem.variables if found.reading.problem is not None else {}
    told = {one.sentence for one in found.reading.findings if one.topic == "assumption"}
    return [(name, one) for name, one in variables.items() if _assumption(name, one) in told]


def _assumption(name: str, variable: Variable) -> str:
    return f"'{name}' is taken to be {variable.domain}"


def _decided(found: Formulation, name: str, domain: Domain) -> Formulation:
    """The same with the domain of a variable that the user has said."""
    reading = found.reading
    assert reading.problem is not None
    variable = reading.problem.variables[name]
    changed: dict[str, object] = {
        "domain": domain,
        "sources": {**variable.sources, "domain": Mention(origin="user")},
    }
    if variable.domain == "integer" and domain == "continuous" and variable.minimum is None:
        changed["minimum"] = constant(1)  # what counted as used stays as it was
    variables = {**reading.problem.variables, name: variable.model_copy(update=changed)}
    findings = tuple(
        one for one in reading.findings if one.topic != "assumption" or one.sentence != _assumption(name, variable)
    )
    problem = reading.problem.model_copy(update={"variables": variables})
    return replace(found, reading=replace(reading, problem=problem, findings=findings))
