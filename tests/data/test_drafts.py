"""Training rows in the compact format: from what synthesis and weak labels make, to lines that say the same problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.drafts import main, solution
from data.errors import DataError
from data.rows import Solution, read_rows
from data.synthesis import rows
from formulation.drafts import problem_of
from formulation.equivalence import compare
from formulation.model import load
from formulation.quantities import numbers_in
from formulation.schema import read_problem
from formulation.wire import parse


def test_a_row_says_the_problem_that_it_was_made_from() -> None:
    said = refused = 0
    for row in rows(60, seed=3):
        problem = read_problem(row["problem"])
        try:
            found = solution(row["id"], problem, "synthesis")
        except DataError:
            refused += 1
            continue
        said += 1
        figures = numbers_in(row["text"])
        again = problem_of(parse("".join(found.steps), len(figures)), row["text"], figures)
        if said % 5 == 0:
            assert compare(load(problem), load(again), time_limit=10).verdict == "EQUIVALENT", row["text"]
        assert found.question.count("N1 ") >= 1 and not any(step.strip().isdigit() for step in found.steps)
    assert said > 3 * refused


def test_the_command_writes_rows_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from data.synthesis.__main__ import main as synthesise

    assert synthesise(["--n", "12", "--seed", "2", "--out", str(tmp_path / "made"), "--processes", "1"]) == 0
    out = tmp_path / "drafts.jsonl"
    given = ["--synthesis", str(tmp_path / "made" / "rows.jsonl"), "--out", str(out)]
    assert main(given) == 0
    found = [Solution.of(row) for row in read_rows(out) if "steps" in row]
    made = [row for row in read_rows(tmp_path / "made" / "rows.jsonl") if "problem" in row]
    assert 0 < len(found) <= len(made) and not any(
        row["held_out"] and row["id"] in {x.id[10:] for x in found} for row in made
    )
    assert f"{len(found)} rows in {out}" in capsys.readouterr().out
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])  # as a kill may leave it
    assert main(given) == 0
    assert out.read_bytes() == whole
