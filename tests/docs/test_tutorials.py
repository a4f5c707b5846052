"""The tutorials do what they show: every file is written, every command and every line of Python run, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import TUTORIALS, Page, read, running, same

PAGES = [page for path in sorted(TUTORIALS.glob("*.md")) if (page := read(path)).blocks]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_tutorial_does_what_it_shows(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(page, tmp_path, monkeypatch) as runner:
        for block in page.blocks:
            if not block.engine:
                runner.run(block)


@pytest.mark.engine
@pytest.mark.parametrize("page", [page for page in PAGES if page.engine], ids=lambda page: page.name)
def test_its_part_with_a_model_does_too(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(page, tmp_path, monkeypatch) as runner:
        for block in page.blocks:
            # What the quick test has compared is only needed for the files it makes.
            if block.engine or block.title or block.language == "python":
                runner.run(block)


def test_an_output_that_differs_is_seen() -> None:
    assert same("correct  3\n...\n", "correct  3   \nseconds 5\n")
    assert not same("correct  3\n", "correct  4\n")
    assert not same("correct  3\n", "correct  3\nand more\n")
