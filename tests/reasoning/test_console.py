"""`stepsolver COMMAND` is `python -m` of a module: found by name, run with its own options and exit code."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from reasoning.console import COMMANDS, TRAIN, main


def exit_code(*argv: str) -> int:
    """What the process would end with."""
    try:
        return main(argv)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is told its options by sys.argv, and finds the user's modules where it is called."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("module", [module for module, _ in {**COMMANDS, **TRAIN}.values()])
def test_every_command_is_a_module_that_is_there(module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None
    if found.submodule_search_locations:
        assert importlib.util.find_spec(f"{module}.__main__") is not None


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in (*COMMANDS, "train"))
    assert exit_code("train", "--help") == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in TRAIN)
    assert exit_code() == 2


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("slove",), "error: stepsolver has no command 'slove': did you mean 'solve'?\n"),
        (("train", "sfd"), "error: stepsolver train has no command 'sfd': did you mean 'sft'?\n"),
        (
            ("train", "x" * 500),
            f"error: stepsolver train has no command '{'x' * 100}': choose one of {', '.join(TRAIN)}\n",
        ),
        (("a\nb",), None),
    ],
)
def test_an_unknown_command_is_one_line(
    argv: tuple[str, ...], told: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told is None or err == told


def test_options_and_exit_codes_pass_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path))
    assert exit_code("runs", "list") == 0
    assert exit_code("runs", "show", "none") == 2
    capsys.readouterr()
    assert exit_code("solve", "gsm8k", "--resume") == 2
    assert capsys.readouterr().err == "error: --resume goes with --run NAME\n"
    assert exit_code("formulate", "solve", str(tmp_path / "no.yaml")) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_users_module_is_found_where_the_command_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing_of_ours.py").write_text("class Short: pass\n")
    monkeypatch.chdir(tmp_path)
    assert exit_code("solve", "nothing_of_ours:Short", "--policy", "toy") == 2
    assert "task 'nothing_of_ours:Short' lacks" in capsys.readouterr().err


def test_the_list_loads_no_command() -> None:
    code = (
        "import sys; from reasoning.console import main; main(['--help']);"
        "print([name for name in ('reasoning.solve', 'numpy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
