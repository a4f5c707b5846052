"""Synthetic problems told anew by a language model: what is asked of it, what its text must hold, what is accepted.

The back-translation of OptMATH (generate, criticise, refine), without a model: `conversation` says what to ask next and
is told the answers, `judged` accepts a text only where a reader that shares nothing with the grammar builds an
equivalent model from it, about the variables of the same names. A text comes from a model and is trusted in nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from data.errors import one_line
from data.synthesis.checks import faults
from data.synthesis.names import mentions_of
from data.synthesis.relocation import Refused, numbers_used, relocated

if TYPE_CHECKING:
    from formulation.equivalence import Comparison
    from formulation.model import Model
    from formulation.schema import Problem

__all__ = ["Reader", "Told", "Verdict", "by_rules", "conversation", "criticise", "judged", "listing", "said"]

Reader = Callable[[str], "Model | None"]
"""Reads a text; None where it finds no model. It must share nothing with the grammar of this package."""

_MOST_TEXT: Final = 4000  # characters of a text
_MOST_COMPLAINTS: Final = 10
_MOST_COMPLAINT: Final = 300  # characters of one of a model's complaints
_COPIED: Final = 0.7  # of its runs of five words a text may share with the one it was made from
_RUN: Final = 5
_TIME_LIMIT: Final = 20.0  # seconds to compare two models
_LEAK: Final = re.compile(r"[<>=≤≥≠]+|[{}\[\]\\|*_#`^]+|\b[VN]\d+\b|\bc\d+\b")
_THOUGHT: Final = "</think>"
_FENCE: Final = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_LABEL: Final = re.compile(r"(?:\**(?:new |second )?description\**:\**)", re.IGNORECASE)
_NOTHING: Final = re.compile(r"\W*(?:ok|okay|none|nothing|no complaints?|complete)\b", re.IGNORECASE)
_WHOLE: Final = {"integer": "a whole number", "binary": "yes or no", "continuous": "any amount"}


@dataclass(frozen=True, slots=True)
class Told:
    """How a conversation ended: the last text, what is still to be said against it, and how often it was refined."""

    text: str
    complaints: tuple[str, ...]
    rounds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row with the new text, and why it is no training row (None where it is one).

    The row of a refused text has the spans of its sources where they were found, else a problem without sources.
    """

    row: Mapping[str, Any]
    reason: str | None


# ---- what is asked ---------------------------------------------------------------------------------------------------


def conversation(row: Mapping[str, Any], rounds: int, *, critic: bool) -> Generator[str, str, Told]:
    """Yields requests to a model, is sent its answers, and returns the text that came of it.

    A text is criticised by code, then, with `critic` and where code has no complaint, by the model; what it lacks is
    sent back, `rounds` times at most. A model's complaint refuses nothing: where a refined text is worse, the last one
    that code had no complaint about stands.
    """
    problem = _problem(row)
    text = said((yield _request(row, problem)))
    whole: Told | None = None
    done = 0
    while True:
        complaints = criticise(row, text)
        if not complaints:
            whole = Told(text, (), done)
            if critic and done < rounds:
                complaints = _complaints((yield _critique(problem, text)))
        if not complaints or done == rounds:
            return whole or Told(text, complaints, done)
        done += 1
        text = said((yield _refinement(row, problem, text, complaints)))


def listing(problem: Problem) -> str:
    """A problem of single variables in precise words, a line for each variable, the objective and each statement."""
    from formulation.algebra import goal_lines, statement_lines

    lines = ["To decide:"]
    lines += [f"- {variable.label or name}: {_WHOLE[variable.domain]}" for name, variable in problem.variables.items()]
    if problem.objective is not None:
        lines += ["Objective:", *(f"- {line}" for line in goal_lines(problem.objective, problem, "words"))]
    lines.append("Statements:")
    lines += ["- " + "; ".join(statement_lines(one, problem, "words")) for one in problem.constraints]
    return "\n".join(lines)


def _request(row: Mapping[str, Any], problem: Problem) -> str:
    numbers = ", ".join(_as_told(row, problem))
    return (
        f"This is an optimisation problem.\n\n{listing(problem)}\n\nThis is a description of it in words.\n\n"
        f"{row['text']}\n\nWrite another description of the same problem, as a person would tell it: one paragraph of "
        "plain sentences in your own words, in another order where that reads well. Keep the names of what is decided. "
        "Say every statement, and say once what is to be maximized or minimized. Every number of this list must occur, "
        f"each as often as it is listed, and no other number: {numbers}. Use no symbols, formulas, lists or headings, "
        "give no solution, and write the description alone."
    )


def _critique(problem: Problem, text: str) -> str:
    return (
        f"This is an optimisation problem.\n\n{listing(problem)}\n\nThis is a description of it.\n\n{text}\n\n"
        "Which statements does the description leave out, or say otherwise than the problem? Write one short line for "
        "each of them, and nothing else. Where it says everything, write OK."
    )


def _refinement(row: Mapping[str, Any], problem: Problem, text: str, complaints: Sequence[str]) -> str:
    wrong = "\n".join(f"- {one}" for one in complaints)
    return (
        f"{_request(row, problem)}\n\nThis was a first attempt.\n\n{text or '(nothing)'}\n\nIt has faults.\n\n{wrong}"
        "\n\nWrite it again without these faults, the description alone."
    )


def said(answer: str) -> str:
    """The description in a model's answer, on one line: without its thoughts, a fence, a title and a preamble."""
    text = answer.rpartition(_THOUGHT)[2]
    if fenced := _FENCE.search(text):
        text = fenced[1]
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    while len(parts) > 1 and (parts[0].endswith(":") or _LABEL.fullmatch(parts[0])):
        parts = parts[1:]
    text = " ".join(" ".join(parts).split())
    text = "".join(character for character in text if character.isprintable())
    if title := _LABEL.match(text):
        text = text[title.end() :].strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == '"' else text


def _complaints(answer: str) -> tuple[str, ...]:
    """What a model says against a text, a line each; none where it says that nothing is wrong."""
    lines = [line.strip(" \t-*•") for line in answer.rpartition(_THOUGHT)[2].splitlines()]
    found = [" ".join(line.split())[:_MOST_COMPLAINT] for line in lines if line]
    return () if not found or _NOTHING.match(found[0]) else tuple(found[:_MOST_COMPLAINTS])


# ---- what a text must hold -------------------------------------------------------------------------------------------


def criticise(row: Mapping[str, Any], text: str) -> tuple[str, ...]:
    """What code alone finds wrong with a text for the problem of a row, in sentences that a writer can act on.

    A number counts by its value, so 'half' may become '50%'. Numbers that the row's own text holds without need may
    occur again, and the word 'one', which often counts nothing.
    """
    if not text:
        return ("There is no description.",)
    if len(text) > _MOST_TEXT:
        return (f"It is far too long: write at most {_MOST_TEXT // 2} characters.",)
    problem = _problem(row)
    found = [] if text[-1] in ".?!" else ["It stops in the middle of a sentence."]
    found += _names_missing(problem, text)
    found += _numbers_wrong(row, problem, text)
    leaks = sorted({piece for piece in _LEAK.findall(text) if piece not in row["text"]})
    if leaks:
        found.append(f"It has symbols, which must be said in words: {' '.join(leaks[:_MOST_COMPLAINTS])}")
    if not found and _copied(text, row["text"]) > _COPIED:
        found.append("It repeats the description that was given: use other words and another order.")
    return tuple(found[:_MOST_COMPLAINTS])


def _names_missing(problem: Problem, text: str) -> list[str]:
    named = mentions_of(_labels(problem), text)
    return [f"It does not name '{label}'." for name, label in _labels(problem).items() if not named[name]]


def _numbers_wrong(row: Mapping[str, Any], problem: Problem, text: str) -> list[str]:
    from formulation.quantities import numbers_in, quantity

    needed = Counter(quantity(row["text"][slice(*span)]).value for span in numbers_used(problem))
    spare = Counter(quantity(one["text"]).value for one in row["distractors"])
    figures = numbers_in(text)
    there = Counter(figure.value for figure in figures)
    idle = sum(text[figure.start : figure.end].lower() == "one" for figure in figures)
    spare[Fraction(1)] = max(spare[Fraction(1)], idle)
    words = {quantity(word).value: word for word in _as_told(row, problem)}
    found = []
    for value, count in needed.items():
        if there[value] < count:
            times = "is missing" if not there[value] else f"occurs {_times(there[value])} and is needed {_times(count)}"
            found.append(f"The number {words[value]} {times}.")
    for figure in figures:
        if there[figure.value] > needed[figure.value] + spare[figure.value]:
            there[figure.value] = 0  # told once
            shown = text[figure.start : figure.end]
            often = (
                f"must occur {_times(needed[figure.value])} only" if needed[figure.value] else "is not of the problem"
            )
            found.append(f"The number {shown} {often}.")
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _as_told(row: Mapping[str, Any], problem: Problem) -> list[str]:
    """The numbers that are needed, as the row's own text writes them, in its order."""
    return [row["text"][slice(*span)] for span in sorted(numbers_used(problem))]


def _copied(text: str, other: str) -> float:
    """The share of a text's runs of five words that another one has too."""

    def runs(given: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", given.lower())
        return {tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)}

    own = runs(text)
    return len(own & runs(other)) / len(own) if own else 0.0


# ---- what is accepted ------------------------------------------------------------------------------------------------


def by_rules(text: str) -> Model | None:
    """The reader that needs no model."""
    from formulation.rules import read

    return read(text).model()


def judged(row: Mapping[str, Any], told: Told, reader: Reader = by_rules) -> Verdict:
    """The new row of a text, accepted or not.

    Accepted is a text without complaints in which every source of the problem is found again, and from which `reader`
    builds an equivalent model: not one with an equal optimum, and with each variable's name for that variable.
    """
    fresh = {
        **row,
        "id": f"{row['id']}/rewritten",
        "text": told.text,
        "problem": {**_without_sources(row["problem"]), "text": told.text},
        "distractors": [],
        "templates": [],
        "forms": {},
        "texts": 1 + told.rounds,
    }
    if told.complaints:
        return Verdict(fresh, f"text: {' '.join(told.complaints)}")
    try:
        problem, distractors = relocated(row, told.text)
    except Refused as why:
        return Verdict(fresh, f"sources: {why}")
    fresh |= {"problem": problem, "distractors": distractors}
    if wrong := faults(fresh):
        return Verdict(fresh, f"sources: {wrong[0]}")
    try:
        reason = _read_otherwise(row, told.text, reader)
    # A reader may be anyone's, and the text anything: what it raises is its reading's failure.
    except Exception as error:
        reason = f"the reader failed: {type(error).__name__}: {one_line(error)}"
    return Verdict(fresh, reason)


def _read_otherwise(row: Mapping[str, Any], text: str, reader: Reader) -> str | None:
    from formulation.equivalence import compare
    from formulation.model import load

    model = reader(text)
    if model is None:
        return "the reader found no variables"
    meant = load(row["problem"])
    found = compare(meant, model, time_limit=_TIME_LIMIT)
    if found.verdict != "EQUIVALENT":
        return f"{found.verdict.lower()}: {found.reason}"
    return _names_swapped(meant, model, found)


def _names_swapped(meant: Model, model: Model, found: Comparison) -> str | None:
    """Why an equivalent model is about other variables: 'desks' in the place of 'chairs'."""
    from formulation.naming import matched, texts_of

    ours, theirs = texts_of(meant), texts_of(model)
    partners = matched(list(ours.values()), list(theirs.values()))
    names = list(theirs)
    for (name, texts), partner in zip(ours.items(), partners, strict=True):
        to = found.mapping.get((name, ()))
        if to is not None and partner is not None and to[0] != names[partner]:
            return f"swapped: what the problem says of '{texts[-1]}' the text says of '{theirs[to[0]][-1]}'"
    return None


def _labels(problem: Problem) -> dict[str, str]:
    return {name: variable.label or name.replace("_", " ") for name, variable in problem.variables.items()}


def _problem(row: Mapping[str, Any]) -> Problem:
    from formulation.schema import read_problem

    return read_problem(row["problem"])


def _without_sources(problem: Mapping[str, Any]) -> dict[str, Any]:
    def bare(part: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in part.items() if key != "sources"}

    return {
        **problem,
        "variables": {name: bare(one) for name, one in problem["variables"].items()},
        "objective": bare(problem["objective"]),
        "constraints": [bare(one) for one in problem["constraints"]],
    }
