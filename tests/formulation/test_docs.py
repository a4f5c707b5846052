"""docs/formulation.md says what happens: its files load, its commands print what it shows, its Python runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import formulation
from formulation.__main__ import main

PAGE = (Path(formulation.__file__).parents[1] / "docs" / "formulation.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def fences(language: str) -> list[str]:
    return [text for name, text in FENCES if name == language]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bakery, order = fences("yaml")
    (tmp_path / "bakery.yaml").write_text(bakery)
    (tmp_path / "order.yaml").write_text(bakery + order)
    assert "limit: oven" in bakery
    (tmp_path / "typo.yaml").write_text(bakery.replace("limit: oven", "limit: ovn"))
    (workshop,) = fences("text")
    (tmp_path / "workshop.txt").write_text(workshop)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands() -> Iterator[tuple[str, list[str]]]:
    for block in fences("console"):
        first, *shown = block.splitlines()
        yield first.removeprefix("$ python -m formulation "), shown


@pytest.mark.parametrize(("command", "shown"), list(commands()))
def test_commands_print_what_the_page_shows(
    folder: Path, command: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(command.split())
    out, err = capsys.readouterr()
    printed = iter((out + err).splitlines())
    assert all(any(line == real for real in printed) for line in shown), out + err  # in this order
    assert code == (2 if shown[0].startswith("error: ") else 0)


def test_its_python_runs(folder: Path) -> None:
    blocks = fences("python")
    assert len(blocks) >= 4
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/formulation.md, Python block {number + 1}", "exec"), names)
