"""The documentation site builds without a warning, loads nothing from elsewhere, and imports no model runtime."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# `mkdocs build --strict --site-dir DIR` by its own functions, so that what it imported can be looked at.
_BUILD = """
import logging
import sys
from mkdocs.commands.build import build
from mkdocs.config import load_config
logging.basicConfig(level=logging.WARNING)
config = load_config("mkdocs.yml", strict=True, site_dir=sys.argv[1])
config.plugins.run_event("startup", command="build", dirty=False)
build(config)
print([name for name in ("torch", "vllm", "transformers", "reasoning") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    pytest.importorskip("mkdocs", reason="pip install 'stepsolver[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    return folder, done


def test_it_builds_without_a_warning(site: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = site
    assert done.returncode == 0, done.stderr
    assert (folder / "tutorials" / "solve" / "index.html").is_file()
    assert (folder / "benchmarks" / "index.html").is_file()


def test_sources_are_read_and_not_imported(site: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = site
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
    assert 'id="reasoning.solver.Solver.asolve"' in (folder / "reference" / "reasoning" / "index.html").read_text()


def test_pages_load_nothing_from_elsewhere(site: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = site
    pages = list(folder.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        found = re.findall(
            r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", page.read_text()
        )
        assert not found, f"{page.relative_to(folder)}: {found}"


def test_every_kind_has_its_place_in_the_reference() -> None:
    from formulation.kinds import CONSTRAINTS, OBJECTIVES

    page = (ROOT / "docs" / "reference" / "formulation.md").read_text()
    modules = {kind.__module__ for kind in (*CONSTRAINTS.values(), *OBJECTIVES.values())}
    assert {name for name in modules if f"::: {name}\n" not in page} == set()
