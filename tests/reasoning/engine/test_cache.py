"""What is built once: whole or not at all, whoever is killed or comes at the same time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine import cache

SOURCE = {"from": "test"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(folder: Path) -> None:
    (folder / "small").write_text("small")
    (folder / "large").write_bytes(bytes(cache.SMALL + 1))


def never(folder: Path) -> None:
    raise AssertionError("built although it was there")


def test_the_folder_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPSOLVER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache.cache_dir() == Path("/xdg/stepsolver")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.cache_dir() == Path.home() / ".cache" / "stepsolver"


def test_an_entry_is_built_once() -> None:
    entry = cache.ensure("kind", "key", SOURCE, fill)
    assert cache.ensure("kind", "key", SOURCE, never) == entry
    assert (entry / "small").read_text() == "small"


@pytest.mark.parametrize("damage", ["missing", "short", "small changed", "large changed", "manifest", "other source"])
def test_a_damaged_entry_is_built_again(damage: str) -> None:
    entry = cache.ensure("kind", "key", SOURCE, fill)
    source = SOURCE
    match damage:
        case "missing":
            (entry / "large").unlink()
        case "short":
            (entry / "large").write_bytes(b"")
        case "small changed":  # same length, same time: found by content
            stat = (entry / "small").stat()
            (entry / "small").write_text("smell")
            os.utime(entry / "small", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        case "large changed":
            (entry / "large").write_bytes(bytes(cache.SMALL) + b"x")
        case "manifest":
            (entry / cache.MANIFEST).write_text("{")
        case "other source":
            source = {"from": "elsewhere"}
    assert not cache.intact(entry, source)
    cache.ensure("kind", "key", source, fill)
    assert cache.intact(entry, source)
    assert (entry / "small").read_text() == "small" and (entry / "large").read_bytes() == bytes(cache.SMALL + 1)


def test_a_touched_but_equal_large_file_stays() -> None:
    entry = cache.ensure("kind", "key", SOURCE, fill)
    os.utime(entry / "large", ns=(1, 1))
    assert cache.intact(entry, SOURCE)


def test_a_builder_that_fails_leaves_nothing(home: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise UserError("the reason")

    with pytest.raises(UserError, match=r"^the reason$"):
        cache.ensure("kind", "key", SOURCE, fail)
    assert [p.name for p in (home / "kind").iterdir()] == [".key.lock"]


def test_a_folder_that_cannot_be_written_is_one_line(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="set STEPSOLVER_CACHE") as caught:
        cache.ensure("kind", "key", SOURCE, fill)
    assert "\n" not in str(caught.value)


BUILD = """
import sys, time
from pathlib import Path
from reasoning.engine import cache
def build(folder):
    (folder / "half").write_text("half")
    with open(sys.argv[1], "a") as log: log.write("built ")
    time.sleep(float(sys.argv[2]))
    (folder / "whole").write_text("whole")
cache.ensure("kind", "key", {"from": "test"}, build)
"""


def start(log: Path, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(log), str(seconds)], cwd=Path(__file__).parents[3])


def wait_for(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_build_leaves_no_entry_and_no_rest(tmp_path: Path, home: Path) -> None:
    process = start(tmp_path / "log", 60)
    wait_for(tmp_path / "log")
    process.send_signal(signal.SIGKILL)
    process.wait()
    entry = cache.entry_path("kind", "key")
    assert not entry.exists() and list((home / "kind").glob(".key.tmp-*"))
    cache.ensure("kind", "key", SOURCE, fill)
    assert cache.intact(entry, SOURCE) and not (entry / "half").exists()
    assert not list((home / "kind").glob(".key.tmp-*"))


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    both = [start(tmp_path / "log", 0.5) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "built "
    assert (cache.entry_path("kind", "key") / "whole").read_text() == "whole"


# ---- in_child: these run in a fresh interpreter, which imports this module ----------------------------------------


def write_word(path: str, word: str) -> None:
    Path(path).write_text(word)


def refuse(word: str) -> None:
    print("noise")
    raise UserError(f"no {word} here; bring one")


def crash() -> None:
    raise RuntimeError("the very reason")


def sleep_on(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def test_a_child_does_the_work_and_its_errors_come_home(tmp_path: Path) -> None:
    cache.in_child(write_word, str(tmp_path / "word"), "done")
    assert (tmp_path / "word").read_text() == "done"
    with pytest.raises(UserError, match=r"^no bread here; bring one$"):
        cache.in_child(refuse, "bread")
    with pytest.raises(UserError, match="the very reason") as caught:
        cache.in_child(crash)
    assert "\n" not in str(caught.value)


def test_a_child_does_not_outlive_its_killed_parent(tmp_path: Path) -> None:
    parent = f"from {__name__} import *; cache.in_child(sleep_on, {str(tmp_path / 'pid')!r})"
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(__file__).parents[3])
    wait_for(tmp_path / "pid")
    time.sleep(0.1)
    child = int((tmp_path / "pid").read_text())
    process.kill()
    process.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < until, "the child lives on"
        time.sleep(0.05)
