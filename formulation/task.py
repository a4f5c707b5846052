"""Text to model as tasks of `reasoning`, for its trainers and its searches; one task for each of the two formats.

`formulation.task:Drafts`: the question is a text with tagged numbers, a step is a line of the compact format of
`formulation.wire`, and the answer is all of them. `formulation.task:Documents`: the question is the text, the answer a
JSON document of `formulation.documents`. Splits are NL4Opt's: dev and test with their declared models, and train, whose
models are the weak ones of `data.weak`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from data.errors import DataError, UserError
from data.nl4opt import declared
from data.records import Problem as Question
from formulation.documents import document_grammar, document_in, document_prompt, problem_of_document
from formulation.drafts import problem_of, tagged, tags_in
from formulation.metrics import canonical_of_example, canonical_of_model, tally
from formulation.model import Model
from formulation.quantities import numbers_in
from formulation.schema import Problem, read_problem
from formulation.tables import Given, listed
from formulation.votes import Candidate, distinct
from formulation.wire import declared_in, grammar, parse, write

__all__ = ["Documents", "Drafts"]


class Drafts:
    """NL4Opt's texts, and models in the compact format as answers."""

    name = "formulation.task:Drafts"
    evaluation_only = False
    default_split = "dev"
    instruction = "Write the model in the compact format, a line for each variable, the objective and each constraint."
    examples: tuple[Any, ...] = ()
    profile = "draft"

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Question]:
        """Problems of a split (train, dev or test) with their models. Raises DataError or UserError."""
        return _load(self, split, data_dir)[offset:][:limit]

    def question(self, text: str) -> str:
        """What is put to a model: the text with its numbers tagged."""
        return tagged(text, numbers_in(text))

    def problem(self, answer: str, text: str) -> Problem:
        """The problem that an answer says. Raises DataError."""
        figures = numbers_in(text)
        return problem_of(parse(answer, len(figures)), text, figures)

    def grammar(self, problem: Question, before: str, unit: Literal["step", "answer"]) -> str:
        """What may follow the lines `before`: numbers are those of the text, variables those declared."""
        written = before.splitlines()
        declared = [words for line in written if (words := declared_in(line)) is not None]
        return grammar(
            tags_in(problem.question),
            declared=declared,
            lines=len(written) - len(declared),
            unit="line" if unit == "step" else "draft",
        )

    def canonical(self, answer: str) -> str | None:
        """The lines in one order, or None where they are no draft. Words of variables and orders of terms count."""
        try:
            return "".join(sorted(write(parse(answer, _ANY)).splitlines(keepends=True)))
        except DataError:
            return None

    def judge(self, problem: Question, answer: str) -> bool:
        """Whether the model is the declared one, row by row."""
        return _right(self, problem, answer)


class Documents:
    """NL4Opt's texts, and models as JSON documents; `tables` are given beside a text."""

    name = "formulation.task:Documents"
    evaluation_only = False
    default_split = "dev"
    instruction = property(lambda self: document_prompt(tables=bool(self.tables)))
    examples: tuple[Any, ...] = ()
    profile = "document"

    def __init__(self, tables: Sequence[Given] = ()) -> None:
        self.tables = tuple(tables)

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Question]:
        """Problems of a split (train, dev or test) with their models. Raises DataError or UserError."""
        return _load(self, split, data_dir)[offset:][:limit]

    def question(self, text: str) -> str:
        """What is put to a model: the text, and the tables that are given with it."""
        return f"{text}\n\n{listed(self.tables)}" if self.tables else text

    def problem(self, answer: str, text: str) -> Problem:
        """The problem that an answer says. Raises DataError."""
        return problem_of_document(answer, text, self.tables)

    def grammar(self, problem: Question, before: str, unit: Literal["step", "answer"]) -> str:
        """The JSON schema as a grammar, where a document begins; a document is one step."""
        return "" if before else document_grammar()

    def canonical(self, answer: str) -> str | None:
        """The document with its keys in order, or None where there is none."""
        try:
            return json.dumps(document_in(answer), sort_keys=True)
        except DataError:
            return None

    def judge(self, problem: Question, answer: str) -> bool:
        """Whether the model is the declared one, row by row."""
        return _right(self, problem, answer)


def _load(task: Drafts | Documents, split: str, data_dir: Path | None) -> list[Question]:
    if split == "train":
        from data.weak import weak_models  # which imports this package

        known: list[tuple[str, dict[str, Any]]] = [
            (one.text or "", {"problem": one.plain()}) for one in weak_models(directory=data_dir)
        ]
    elif split in ("dev", "test"):
        examples = declared(cast("Literal['dev', 'test']", split), directory=data_dir)
        known = [(one.document, {"example": one}) for one in examples]
    else:
        raise UserError(f"no split '{split}': choose train, dev or test")
    return [
        Question(f"nl4opt/{split}/{number}", task.question(text), answer="", metadata={"text": text, **about})
        for number, (text, about) in enumerate(known)
    ]


def _right(task: Drafts | Documents, problem: Question, answer: str) -> bool:
    about = problem.metadata
    try:
        found = task.problem(answer, about["text"])
        if "problem" in about:
            gold = read_problem(about["problem"])
            return len(distinct([Candidate(found, "model"), Candidate(gold, "rules")])) == 1
        ours = canonical_of_model(Model(found, ignore_strict=True), about["example"], "text")
        theirs = canonical_of_example(about["example"])
        return tally(ours, theirs).right
    except (DataError, UserError):
        return False


_ANY = 9999
"""More numbers than any text has tags."""
