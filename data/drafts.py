"""Training rows in the compact format: a description with tagged numbers, and the lines that say its model.

    python -m data.drafts --synthesis out/synthesis/rows.jsonl --weak --out out/drafts.jsonl

`--synthesis` takes rows of `data.synthesis` (those held out are left out), `--weak` the weak models of NL4Opt's tagged
training texts, `--reinstantiated` these texts told anew. Rows are `data.rows.Solution`s, so that the trainers take them
as they are: the question is the tagged text, a step is a line. Problems that the format cannot say are counted by
reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.rows import RowFile, Solution, read_rows

if TYPE_CHECKING:
    from formulation.kinds.base import Constraint
    from formulation.quantities import Figure
    from formulation.schema import Problem
    from formulation.wire import Draft, Line

__all__ = ["main", "solution"]


def solution(name: str, problem: Problem, origin: str) -> Solution:
    """The row of a problem with a text. Raises DataError where the compact format cannot say it."""
    from formulation.drafts import draft_of, tagged
    from formulation.quantities import numbers_in
    from formulation.sums import named
    from formulation.wire import VERSION

    text = problem.text or ""
    figures = numbers_in(text)
    draft = _as_told(draft_of(problem, figures), problem, figures)
    lines = named(draft, text, figures).splitlines(keepends=True)
    return Solution(name, tagged(text, figures), "", tuple(lines), origin=origin, provenance={"wire": VERSION})


def _as_told(draft: Draft, problem: Problem, figures: Sequence[Figure]) -> Draft:
    """The draft with its statements, behind the objective, in the order in which the text says them.

    A small model learns one order sooner than many. A statement stands where its limit does, or else its sentence.
    """
    from formulation.wire import Draft

    goals = [line for line in draft.lines if line.kind in ("max", "min")]
    behind = draft.lines[len(goals) :]

    def place(pair: tuple[Line, Constraint]) -> int:
        line, statement = pair
        tags = [amount.tag for amount in line.amounts if amount.tag] or list(line.tags())
        mention = statement.sources.get("")
        span = mention.span if mention is not None else None
        return figures[tags[0] - 1].start if tags else span[0] if span is not None else len(problem.text or "")

    told = sorted(zip(behind, problem.constraints, strict=True), key=place)
    return Draft(draft.variables, (*goals, *(line for line, _ in told)))


def _problems(given: Any) -> Iterator[tuple[str, str, Problem]]:
    """Name, origin and problem of every row that is asked for."""
    from data.weak import weak_models
    from formulation.schema import read_problem

    for file in given.synthesis:
        for row in read_rows(file):
            if "problem" in row and not row.get("held_out") and not row.get("faults"):
                yield f"synthesis/{row['id']}", "synthesis", read_problem(row["problem"])
    for file in given.reinstantiated:
        for row in read_rows(file):
            if "problem" in row:
                yield f"reinstantiated/{row['id']}", "reinstantiated", read_problem(row["problem"])
    for number, problem in enumerate(weak_models() if given.weak else ()):
        yield f"nl4opt/train/{number}", "weak", problem


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the rows, and say what was left out."""
    parser = Parser(prog="python -m data.drafts", description="Training rows in the compact format.")
    parser.add_argument("--synthesis", type=Path, nargs="+", default=[], help="files of rows of data.synthesis")
    parser.add_argument("--reinstantiated", type=Path, nargs="+", default=[], help="files of data.reinstantiation")
    parser.add_argument("--weak", action="store_true", help="weak models of NL4Opt's tagged training texts")
    parser.add_argument("--out", type=Path, required=True, help="file to write; continued where it exists")
    given = parser.parse_args(arguments)
    if not given.synthesis and not given.weak and not given.reinstantiated:
        raise UserError("nothing to write: give --synthesis FILE, --reinstantiated FILE or --weak")
    left_out: Counter[str] = Counter()
    settings = {"rows": "drafts", "synthesis": [str(file) for file in given.synthesis], "weak": given.weak}
    settings["reinstantiated"] = [str(file) for file in given.reinstantiated]
    written = 0
    with RowFile(given.out, settings) as file:
        for name, origin, problem in _problems(given):
            if name in file.done:
                continue
            try:
                row = solution(name, problem, origin)
            except DataError as error:
                left_out[str(error).partition(": ")[2]] += 1
                continue
            file.add(name, [row.to_json()])
            written += 1
    print(f"{written} rows in {given.out}; left out: {sum(left_out.values())}")
    for reason, count in left_out.most_common():
        print(f"  {count} times: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
