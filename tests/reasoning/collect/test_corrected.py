"""Corrected solutions from files: the wrong step is there, without loss, and the right way on follows."""

from itertools import chain

from data.corrections import TRIGGER
from data.rows import Solution
from reasoning.collect.__main__ import main
from reasoning.engine.toy import EOS, ByteTokenizer

from .toys import TERMS, TOY, question, rows, solutions


def test_wrong_solutions_are_put_right_and_the_file_is_resumable(tmp_path):
    source, out = solutions(tmp_path), tmp_path / "corrected.jsonl"
    command = ["corrected", "--from", str(source), *TOY, "--out", str(out)]
    assert main(command) == 0
    found = [Solution.of(row) for row in rows(out)]
    assert found
    for row in found:
        terms = next(t for t in TERMS if question(t) == row.question)
        assert row.steps[-1] == f"#### {sum(terms)}"
        at = row.steps.index(TRIGGER) - 1
        assert set(row.own[at]) == {0}
        assert set(row.own[at + 1]) == {1}
        assert ByteTokenizer().decode(list(chain(*row.step_ids))) == "".join(row.steps)
        assert [EOS in ids for ids in row.step_ids] == [False] * (len(row.steps) - 1) + [True]
    assert len({(row.id, row.step_ids) for row in found}) == len(found)
    wanted = sorted(out.read_bytes().splitlines())
    out.write_bytes(out.read_bytes()[:-9])
    assert main(command) == 0
    assert sorted(out.read_bytes().splitlines()) == wanted
