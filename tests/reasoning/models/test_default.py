"""Which model answers where none is named, and the command that shows and fetches them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine.models import named
from reasoning.models import CATALOGUE, catalogue_model, default, default_model
from reasoning.models.__main__ import main

NAMES = list(CATALOGUE)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing pulled, no index, no hub, and no default named."""
    monkeypatch.delenv("STEPSOLVER_MODEL")
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_offline_the_model_that_is_here_answers_and_one_line_says_why(
    offline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert default_model() == "smollm2-135m"
    told = capsys.readouterr().err.splitlines()
    assert sum("smollm2-135m answers" in line for line in told) == 1
    assert default_model() == named(None) == named("embedded") == "smollm2-135m"
    assert "answers" not in capsys.readouterr().err


@pytest.mark.parametrize(("memory", "expected"), [(24, NAMES[0]), (7.5, NAMES[0]), (5, NAMES[1]), (2, NAMES[2])])
def test_memory_decides(offline: None, monkeypatch: pytest.MonkeyPatch, memory: float, expected: str) -> None:
    monkeypatch.setattr(default, "machine_memory", lambda: int(memory * 2**30))
    assert default.expected_default() == expected


def test_disk_decides(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 3 * 10**9

    monkeypatch.setattr(default.shutil, "disk_usage", lambda _: Usage)
    assert default.expected_default() == "qwen2.5-coder-0.5b"


def test_the_environment_names_another_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSOLVER_MODEL", "qwen2.5-coder-0.5b")
    assert default_model() == default.expected_default() == "qwen2.5-coder-0.5b"
    monkeypatch.setenv("STEPSOLVER_MODEL", "qwen2.5-coder")
    with pytest.raises(UserError, match=r"did you mean qwen2\.5-coder-"):
        default_model()


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UserError, match=r"choose one of qwen2\.5-coder-1\.5b, qwen2\.5-coder-0\.5b, smollm2-135m"):
        catalogue_model("gpt")


def test_the_list_says_what_is_here(offline: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == NAMES
    assert rows["smollm2-135m"]["path"].endswith(".gguf")
    assert rows["qwen2.5-coder-1.5b"]["path"] is None
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)


def test_a_path_is_printed_or_how_to_get_it(offline: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", "smollm2-135m"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()
    assert main(["path", "qwen2.5-coder-0.5b"]) == 2
    assert "models pull qwen2.5-coder-0.5b" in capsys.readouterr().err
    assert main(["pull", "qwen"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
