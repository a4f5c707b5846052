"""Sampled solutions: what a row holds, what is kept, and that a killed command goes on where it was."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from data.records import Problem
from data.rows import RowFile, Solution
from data.solutions import equations
from reasoning.collect.__main__ import main
from reasoning.collect.sampler import Built, build, notes
from reasoning.collect.solutions import balanced
from reasoning.engine.toy import EOS, ByteTokenizer

from .toys import TERMS, TOY, data_dir, question, rows, sampler, solutions


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[Solution]:
    return [Solution.of(row) for row in rows(solutions(tmp_path_factory.mktemp("found"), "--samples", "12"))]


def test_every_step_has_the_ids_of_its_text_and_only_the_last_ends_the_sequence(found):
    for row in found:
        assert ByteTokenizer().decode(row.prompt_ids) == f"Question: {row.question}\nAnswer:"
        for text, ids, own in zip(row.steps, row.step_ids, row.own, strict=True):
            assert ByteTokenizer().decode(ids) == text
            assert len(ids) == len(own)
        assert [ids.count(EOS) for ids in row.step_ids] == [0] * (len(row.steps) - 1) + [1]


def test_only_what_the_calculator_wrote_is_not_the_policys_own(found):
    spliced = [
        (text, "".join(chr(i) for i, mine in zip(ids, own, strict=True) if not mine))
        for row in found
        for text, ids, own in zip(row.steps, row.step_ids, row.own, strict=True)
        if 0 in own
    ]
    assert spliced
    for text, written in spliced:
        assert written.endswith(">>")
        assert text.rstrip().endswith(f"={written}")


def test_right_means_the_answer_is(found):
    answers = {f"gsm8k/train/{i}": sum(terms) for i, terms in enumerate(TERMS)}
    for row in found:
        assert row.correct == (int(row.steps[-1].removeprefix("#### ")) == answers[row.id])
    assert {row.correct for row in found} == {True, False}


def test_values_are_the_shares_of_right_samples_through_each_prefix(found):
    for row in found:
        group = [other for other in found if other.id == row.id]
        for k, value in enumerate(row.values, start=1):
            through = [r for r in group if r.step_ids[:k] == row.step_ids[:k] for _ in range(r.provenance["times"])]
            assert value == sum(r.correct for r in through) / len(through)


def test_solutions_of_a_question_differ_in_their_ids_and_stand_for_all_samples(found):
    assert len({(row.id, row.step_ids) for row in found}) == len(found)
    assert sum(row.provenance["times"] for row in found) == 12 * len(TERMS)


def test_rft_keeps_right_solutions_whose_equations_differ(tmp_path, found):
    kept = [Solution.of(row) for row in rows(solutions(tmp_path, "--samples", "12", "--keep", "rft"))]
    right = {(row.id, equations("".join(row.steps))) for row in found if row.correct}
    assert all(row.correct for row in kept)
    assert sorted((row.id, equations("".join(row.steps))) for row in kept) == sorted(right)


def test_a_cap_keeps_right_and_wrong_in_turn():
    def row(name: str, correct: bool) -> Solution:
        return Solution(name, "q", "1", (name,), correct)

    found = [row("a", False), row("b", False), row("c", False), row("d", True), row("e", False)]
    assert [r.id for r in balanced(found, 3)] == ["a", "b", "d"]
    assert [r.id for r in balanced(found, 9)] == ["a", "b", "c", "d", "e"]


def test_concurrency_and_order_change_nothing(tmp_path):
    a = solutions(tmp_path / "a", "--concurrency", "1")
    b = solutions(tmp_path / "b", "--concurrency", "64")
    assert sorted(a.read_text().splitlines()) == sorted(b.read_text().splitlines())


def test_a_file_cut_anywhere_is_completed_to_the_same_rows(tmp_path):
    whole = solutions(tmp_path)
    wanted = sorted(whole.read_bytes().splitlines())
    size = whole.stat().st_size
    for cut in (3, size // 10, size // 3, size // 2, size - 7):
        whole.write_bytes(whole.read_bytes()[:-cut])
        assert sorted(solutions(tmp_path).read_bytes().splitlines()) == wanted


def test_a_killed_command_goes_on_and_does_nothing_twice(tmp_path):
    wanted = sorted(solutions(tmp_path / "whole").read_text().splitlines())
    out = tmp_path / "killed.jsonl"
    options = ["solutions", *TOY, "--data-dir", str(data_dir(tmp_path)), "--out", str(out)]
    slow = ["--engine", "latency=0.01", "--concurrency", "4"]
    process = subprocess.Popen([sys.executable, "-m", "reasoning.collect", *options, *slow], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out.exists() and '"group"' in out.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    groups = [row for row in map(json.loads, out.read_text().splitlines()[1:]) if "group" in row]
    assert 0 < len(groups) < len(TERMS)
    assert main(options) == 0
    assert sorted(out.read_text().splitlines()) == wanted


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--split", "test"], "the split test of gsm8k is for measuring only"),
        (["--task", "math500"], "math500 is for evaluation only"),
        (["--samples", "0"], "must be at least 1"),
        (["--offset", "99"], "no questions"),
        (["--engine", "error"], "KEY=VALUE"),
        (["--temperature", "-1"], "must not be negative"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, line):
    folder = data_dir(tmp_path)
    out = str(tmp_path / "x.jsonl")
    assert main(["solutions", *TOY, "--data-dir", str(folder), "--out", out, *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert line in error


def test_other_settings_and_foreign_files_are_refused_and_left_alone(tmp_path, capsys):
    out = solutions(tmp_path)
    before = out.read_bytes()
    again = ["solutions", *TOY, "--data-dir", str(data_dir(tmp_path)), "--out", str(out), "--seed", "3"]
    assert main(again) == 2
    assert "other settings (seed)" in capsys.readouterr().err
    assert out.read_bytes() == before
    out.write_text('{"question": "mine"')
    assert main(again) == 2
    assert out.read_text() == '{"question": "mine"'


def test_every_slot_is_taken_and_no_more(tmp_path):
    """Questions do not wait for one another: 6 questions of 5 samples keep 13 slots busy."""
    s = sampler(concurrency=13)
    under_way = most = 0
    complete = s.policy.engine.complete

    async def watched(prompt_ids, sampling):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        under_way -= 1
        return await complete(prompt_ids, sampling)

    s.policy.engine.complete = watched
    problems = {f"toy/train/{i}": Problem(f"toy/train/{i}", question(t), str(sum(t))) for i, t in enumerate(TERMS)}

    async def one(problem: Problem) -> Built:
        return Built((), {"samples": len(await s.samples(problem, s.policy.prompt(problem), "", 5))})

    out = tmp_path / "x.jsonl"
    with RowFile(out, {}) as file:
        asyncio.run(build(s, file, problems, one, lambda counts: ""))
    assert most == 13
    assert notes(out)["samples"] == 30


def test_a_question_too_long_for_the_model_is_counted_and_the_rest_goes_on(tmp_path, capsys):
    folder = data_dir(tmp_path)
    with (folder / "gsm8k" / "train.jsonl").open("a") as file:
        file.write(json.dumps({"question": "Add " + "9" * 9000, "answer": "#### 9"}) + "\n")
    out = tmp_path / "x.jsonl"
    assert main(["solutions", *TOY, "--data-dir", str(folder), "--out", str(out)]) == 0
    assert notes(out)["too long"] == 1
    assert notes(out)["groups"] == len(TERMS) + 1
    assert "1 too long" in capsys.readouterr().out


def test_rows_may_carry_another_profile_s_prompt(tmp_path):
    as_sampled = [Solution.of(row) for row in rows(solutions(tmp_path / "a"))]
    other = [Solution.of(row) for row in rows(solutions(tmp_path / "b", "--prompts-of", "program"))]
    assert sorted((row.id, row.step_ids) for row in other) == sorted((row.id, row.step_ids) for row in as_sampled)
    assert all(ByteTokenizer().decode(row.prompt_ids).endswith(f"{row.question}\nAnswer:\n") for row in other)
    assert all("answer = " in ByteTokenizer().decode(row.prompt_ids) for row in other)
