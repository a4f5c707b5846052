"""A page of docs/tutorials: its files are written, its Python and commands run, their outputs compared.

A fence is one of
- a file: any language with title="NAME";
- ```python: run in the page's own namespace; a ```text title="Output" behind it is what it prints;
- ```console: lines after `$ ` are commands, the others what they print; one that fails shows its `error: `;
- ```sh: commands for another machine, or for hours; not run.
`...` in an output stands for anything, and port 8123 for a free one. What follows `<!-- engine -->` needs a model
runtime, or tens of seconds. A page with `<!-- checkout -->` changes the project itself, and runs in a copy of it.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasoning import console

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
OUTPUT = "Output"
ENGINE, CHECKOUT = "<!-- engine -->", "<!-- checkout -->"
_FENCE = re.compile(r'^```(\w*)(?: title="([^"\n]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_CONSOLE = "from reasoning.console import main; import sys; sys.exit(main())"


@dataclass(frozen=True)
class Block:
    """A fence of a page; `line` is where it begins."""

    language: str
    title: str | None
    text: str
    line: int
    engine: bool


@dataclass(frozen=True)
class Page:
    """A tutorial."""

    name: str
    blocks: tuple[Block, ...]
    checkout: bool

    @property
    def engine(self) -> bool:
        """Whether a part of it needs a model runtime."""
        return any(block.engine for block in self.blocks)


def read(path: Path) -> Page:
    """The page's blocks in order."""
    text = path.read_text(encoding="utf-8")
    start = text.find(ENGINE) if ENGINE in text else len(text)
    blocks = tuple(
        Block(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 1, found.start() > start)
        for found in _FENCE.finditer(text)
    )
    assert len(blocks) * 2 == len(re.findall(r"^```", text, re.MULTILINE)), f"{path}: a fence that is not understood"
    return Page(path.stem, blocks, CHECKOUT in text)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.replace("\\\n", " ").partition("\n")
        yield command, shown


def same(shown: str, printed: str) -> bool:
    """Whether an output is what the page shows, blanks at line ends aside."""
    want, got = ("\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in (shown, printed))
    return doctest.OutputChecker().check_output(f"{want}\n", f"{got}\n", doctest.ELLIPSIS)


class Runner:
    """Runs a page's blocks in the working directory."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.names: dict[str, Any] = {"__name__": "tutorial"}
        self.printed = ""
        self.port = ""  # of a server that was started
        self.started: list[subprocess.Popen[bytes]] = []
        if page.checkout:
            _copy_checkout(Path.cwd())

    def run(self, block: Block) -> None:
        """Do what a block says; fails where it shows another output."""
        where = f"docs/tutorials/{self.page.name}.md, line {block.line}"
        if block.title == OUTPUT:
            assert same(block.text, self.printed), f"{where}: printed was\n{self.printed}"
        elif block.title:
            path = Path(block.title)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(self._here(block.text), where, "exec"), self.names)
            self.printed = out.getvalue()
        elif block.language == "console":
            for command, shown in commands(block.text):
                self.command(command, shown, where)
        else:
            assert block.language == "sh", f"{where}: a block that is neither run, nor written, nor compared"

    def command(self, command: str, shown: str, where: str) -> None:
        """Run one command and compare what it prints; one that ends in `&` is left running."""
        if command.endswith("&"):
            self._start(_argv(command.removesuffix("&")))
            return
        argv = _argv(self._here(command))
        code, out, err = _apart(argv) if self.page.checkout or argv[0] != sys.executable else _here(argv[1:])
        printed = f"{out}{err}" if code else out
        told = f"{where}: {command}: exit code {code}, printed was\n{out}{err}"
        assert same(shown, printed), told
        assert (code == 0) != shown.startswith("error: "), told

    def _here(self, text: str) -> str:
        return text.replace("8123", self.port) if self.port else text

    def _start(self, argv: list[str]) -> None:
        """Start a server and wait until it is ready."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        with Path("server.log").open("w") as log:
            self.started.append(subprocess.Popen([self._here(word) for word in argv], stdout=log, stderr=log))
        deadline = time.monotonic() + 300
        while True:
            assert self.started[-1].poll() is None, Path("server.log").read_text()
            assert time.monotonic() < deadline, f"not ready in time:\n{Path('server.log').read_text()}"
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/ready", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)

    def close(self) -> None:
        """End what was left running."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(60)


def _argv(command: str) -> list[str]:
    words = shlex.split(command)
    if words[0] == "stepsolver":
        return [sys.executable, "-c", _CONSOLE, *words[1:]]
    return [sys.executable, *words[1:]] if words[0] == "python" else words


def _apart(argv: list[str]) -> tuple[int, str, str]:
    """In a process of its own."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout, done.stderr


def _here(argv: list[str]) -> tuple[int, str, str]:
    """In this process, which has its imports done."""
    code: object = 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            if argv[0] == "-m":
                sys.argv = argv[1:]
                runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
            else:
                assert argv[:2] == ["-c", _CONSOLE], argv
                code = console.main(argv[2:])
        except SystemExit as end:
            code = end.code or 0
    return (code if isinstance(code, int) else 1), out.getvalue(), err.getvalue()


def _copy_checkout(folder: Path) -> None:
    """What a page changes is copied, the rest of the checkout is linked."""
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("formulation", "search", "tests/formulation", "tests/search"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name in ("tests/__init__.py", "tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("reasoning", "data"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)


@contextlib.contextmanager
def running(page: Page, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """A runner in `folder`, which sees the checkout's packages and nothing of the user's settings."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    # The folder stands first, as it does for `python -m`, also for what pickles or starts processes.
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("PYTHONPATH", "" if page.checkout else str(ROOT))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("STEPSOLVER_RUNS", "STEPSOLVER_DATA"):
        monkeypatch.delenv(name, raising=False)
    before = set(sys.modules)
    runner = Runner(page)
    try:
        yield runner
    finally:
        runner.close()
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]
