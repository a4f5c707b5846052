"""Text to model as a task of `reasoning`: `--task formulation.task:Drafts`, for its trainers and its searches.

The question is a text with tagged numbers, a step is a line of the compact format of `formulation.wire`, and the answer
is all of them. Splits are NL4Opt's; `train` has no reference models and is read from files of rows instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from data.errors import DataError, UserError
from data.nl4opt import declared
from data.records import Problem
from formulation.drafts import problem_of, tagged, tags_in
from formulation.metrics import canonical_of_example, canonical_of_model
from formulation.model import Model
from formulation.quantities import numbers_in
from formulation.wire import grammar, parse, write

__all__ = ["Drafts"]


class Drafts:
    """NL4Opt's texts, and models as answers."""

    name = "formulation.task:Drafts"
    evaluation_only = False
    default_split = "dev"
    instruction = "Write the model in the compact format, a line for each variable, the objective and each constraint."
    examples: tuple[Any, ...] = ()

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of a split, dev or test, with their declared models. Raises DataError or UserError."""
        if split not in ("dev", "test"):
            raise UserError(
                f"no split '{split}' has models: choose dev or test (training rows are files, see data.drafts)"
            )
        found = []
        for number, example in enumerate(declared(cast("Literal['dev', 'test']", split), directory=data_dir)):
            text = example.document
            found.append(
                Problem(
                    f"nl4opt/{split}/{number}", tagged(text, numbers_in(text)), answer="", metadata={"example": example}
                )
            )
        return found[offset:][:limit]

    def grammar(self, problem: Problem, before: str, unit: Literal["step", "answer"]) -> str:
        """What may follow the lines `before`: numbers are those of the text, variables those declared."""
        written = before.splitlines()
        variables = sum(line.startswith("var ") for line in written)
        return grammar(
            tags_in(problem.question),
            variables=variables,
            lines=len(written) - variables,
            unit="line" if unit == "step" else "draft",
        )

    def canonical(self, answer: str) -> str | None:
        """The lines in one order, or None where they are no draft. Words of variables and orders of terms count."""
        try:
            return "".join(sorted(write(parse(answer, _ANY)).splitlines(keepends=True)))
        except DataError:
            return None

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the model is the declared one, row by row."""
        example = problem.metadata["example"]
        text = example.document
        figures = numbers_in(text)
        try:
            model = Model(problem_of(parse(answer, len(figures)), text, figures))
            return canonical_of_model(model, example, "text") == canonical_of_example(example)
        except (DataError, UserError):
            return False


_ANY = 9999
"""More numbers than any text has tags."""
