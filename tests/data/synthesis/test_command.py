"""The command: what it writes, that it goes on where it stopped, and its mistakes in one line."""

import json

import pytest

from data.command import run_command
from data.rows import read_rows
from data.synthesis import rows as first_rows
from data.synthesis.__main__ import main


def run(folder, n, *more):
    return main(["--n", str(n), "--seed", "3", "--out", str(folder), "--processes", "1", *more])


def test_rows_are_written_in_order_and_counted(tmp_path, capsys):
    assert run(tmp_path, 5) == 0
    rows = [row for row in read_rows(tmp_path / "rows.jsonl") if "text" in row]
    assert rows == list(first_rows(5, 3))
    statistics = json.loads((tmp_path / "statistics.json").read_text())
    assert statistics["rows"] == 5
    assert sum(statistics["generators"].values()) == 5
    assert "5 rows made" in capsys.readouterr().out


def test_a_killed_run_goes_on_and_gives_the_same(tmp_path):
    run(tmp_path / "whole", 6)
    run(tmp_path / "killed", 4)
    path = tmp_path / "killed" / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    run(tmp_path / "killed", 6)
    assert path.read_bytes() == (tmp_path / "whole" / "rows.jsonl").read_bytes()


def test_processes_change_nothing(tmp_path):
    run(tmp_path / "one", 6)
    run(tmp_path / "two", 6, "--processes", "2")
    assert (tmp_path / "one" / "rows.jsonl").read_bytes() == (tmp_path / "two" / "rows.jsonl").read_bytes()


def test_checked_rows_are_solved_and_rejects_are_kept(tmp_path):
    assert run(tmp_path, 4, "--check") == 0
    kept = {name: [r for r in read_rows(tmp_path / f"{name}.jsonl") if "text" in r] for name in ("rows", "hard")}
    assert sorted(row["id"] for found in kept.values() for row in found) == [f"3/{i}" for i in range(4)]
    assert all(row["optimum"] is not None for found in kept.values() for row in found)
    assert all(row["hard"] is None for row in kept["rows"])
    assert all(row["hard"] for row in kept["hard"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--n", "0"], "--n and --processes must be at least 1"),
        (["--n", "2", "--generator", "nonsense"], "choose one of small,"),
        ([], "the following arguments are required: --n"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, says):
    assert run_command(lambda: main([*arguments, "--out", str(tmp_path)])) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_rows_of_another_seed_are_not_mixed_in(tmp_path):
    run(tmp_path, 1)
    assert run_command(lambda: main(["--n", "1", "--seed", "4", "--out", str(tmp_path)])) == 2
