"""A run's trees are of one tokenizer, whatever name the model goes by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.runs import ProblemResult, open_run, read_run
from reasoning.solve import main as solve
from tests.reasoning.train import tiny

CONFIG = {"task": "gsm8k", "seed": 0}


def result(number: int, tokenizer: str | None) -> ProblemResult:
    return ProblemResult(f"q/{number}", number, "?", prompt_ids=(1, 2), tokenizer=tokenizer)


def test_ids_of_another_tokenizer_are_not_recorded(tmp_path: Path) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        run.record(result(0, "1" * 16))
        with pytest.raises(UserError, match=r"^run 'a' holds token ids of another tokenizer \(1{16}, .* 2{16}\): use"):
            run.record(result(1, "2" * 16))
    with open_run("a", CONFIG, resume=True, root=tmp_path) as run:
        with pytest.raises(UserError, match="another tokenizer"):
            run.check_tokenizer("2" * 16)
        run.check_tokenizer("1" * 16)
        run.record(result(1, "1" * 16))
    assert [r.tokenizer for r in read_run("a", tmp_path).results] == ["1" * 16] * 2


def test_a_run_that_does_not_say_takes_the_first_that_does(tmp_path: Path) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        old = result(0, None).to_json()
        del old["tokenizer"]  # as an older release wrote it
        run.record(ProblemResult.from_json(json.loads(json.dumps(old))))
    with open_run("a", CONFIG, resume=True, root=tmp_path) as run:
        run.record(result(1, "1" * 16))
        with pytest.raises(UserError, match="another tokenizer"):
            run.record(result(2, "2" * 16))
    assert [r.tokenizer for r in read_run("a", tmp_path).results] == [None, "1" * 16]


def test_a_run_is_not_resumed_with_another_tokenizer_under_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    data = tmp_path / "data" / "gsm8k" / "train.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text("".join(json.dumps({"question": f"1 + {n}?", "answer": f"#### {n + 1}"}) + "\n" for n in range(3)))
    folder = tmp_path / "model"
    folder.mkdir()
    tiny.save(folder)
    command = ["gsm8k", "--split", "train", "--data-dir", str(tmp_path / "data"), "--policy", str(folder), "--run", "r"]
    command += ["--backend", "transformers", "--profile", "lines-zero-shot", "--max-answer-tokens", "4"]
    command += ["--method", "best-of-n", "--param", "n=2", "--reward", "logprob"]
    assert solve([*command, "--limit", "1"]) == 0
    (first,) = read_run("r").results
    assert first.tokenizer == HFTokenizer(str(folder)).checksum

    assert solve([*command, "--limit", "2", "--resume"]) == 0
    tiny.save_tokenizer(tiny.characters(), folder)
    capsys.readouterr()
    assert solve([*command, "--limit", "3", "--resume"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"error: run 'r' holds token ids of another tokenizer ({first.tokenizer}, ")
    assert [r.tokenizer for r in read_run("r").results] == [first.tokenizer] * 2
