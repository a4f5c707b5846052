"""Folders that are built once and then read for ever: atomic, checksummed, safe against a kill and a second process.

An entry is a folder with a `manifest.json`. It is built beside its final place and renamed, so it is there whole or not
at all; a lock file lets one process build while others wait, and the kernel drops the lock of a killed one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from data.digest import file_digest
from data.errors import DataError, UserError

__all__ = ["cache_dir", "ensure", "entry_path", "in_child", "intact"]

MANIFEST = "manifest.json"
# Files up to this size are hashed on every use; larger ones only when their size or time of change is not as recorded.
SMALL = 1 << 20
# What `in_child` runs. Its standard input stays open as long as its parent lives, so that it cannot outlive a kill.
_CHILD = """
import importlib, os, sys, threading, traceback
from data.errors import UserError
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
try:
    getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(*sys.argv[3:])
except UserError as error:
    print(error)
    sys.stdout.flush()
    os._exit(2)
except BaseException:
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
os._exit(0)
"""


def cache_dir() -> Path:
    """The project's cache folder: STEPSOLVER_CACHE, else XDG_CACHE_HOME/stepsolver, else ~/.cache/stepsolver."""
    if own := os.environ.get("STEPSOLVER_CACHE"):
        return Path(own).expanduser().absolute()
    if (xdg := os.environ.get("XDG_CACHE_HOME")) and Path(xdg).is_absolute():  # the XDG rule: relative ones are ignored
        return Path(xdg) / "stepsolver"
    return Path.home() / ".cache" / "stepsolver"


def entry_path(kind: str, key: str) -> Path:
    """Where the entry `key` of a kind (such as `models`) lies, whether or not it exists."""
    return cache_dir() / kind / key


def intact(entry: Path, source: Mapping[str, str]) -> bool:
    """Whether `entry` is whole and was built from `source`, without reading its large files where stat will do."""
    try:
        manifest = json.loads((entry / MANIFEST).read_text())
        files: dict[str, dict[str, Any]] = manifest["files"]
        return (
            manifest["source"] == dict(source)
            and bool(files)
            and all(_unchanged(entry / name, known) for name, known in files.items())
        )
    except (OSError, DataError, ValueError, KeyError, TypeError, AttributeError):
        return False


def ensure(kind: str, key: str, source: Mapping[str, str], build: Callable[[Path], None]) -> Path:
    """The folder of an entry, built first where it is missing or damaged.

    `source` says what it is made from (names to checksums); `build` fills an empty folder. What `build` raises passes
    through and leaves no entry. Raises UserError where the cache folder cannot be written.
    """
    entry = entry_path(kind, key)
    if intact(entry, source):
        return entry
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with _locked(entry.with_name(f".{key}.lock")):
            if not intact(entry, source):  # another process may have built it while this one waited
                _build(entry, source, build)
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {cache_dir()} ({error.strerror or error}); "
            "set STEPSOLVER_CACHE to a folder with room for it"
        ) from error
    return entry


def in_child(function: Callable[..., None], *arguments: str) -> None:
    """Call a module's function in a fresh interpreter, and raise its UserError here.

    For builders that load torch: its thread pool would hang an engine process that is forked from this one later, and
    the memory goes back to the system. Any other failure of the child is a UserError with its last line.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, function.__module__, function.__name__, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path)},
        )
        try:
            code = child.wait()
        except BaseException:
            child.kill()
            raise
        finally:
            child.wait()
            if child.stdin is not None:
                child.stdin.close()
        said, complaint = (_last_line(file) for file in (output, errors))
    if code == 2 and said:
        raise UserError(said)
    if code:
        raise UserError(f"{function.__module__}.{function.__name__} failed: {complaint[:300] or f'exit code {code}'}")


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    return next((line.strip() for line in reversed(file.read().splitlines()) if line.strip()), "")


def _build(entry: Path, source: Mapping[str, str], build: Callable[[Path], None]) -> None:
    prefix = f".{entry.name}.tmp-"
    for left in entry.parent.glob(f"{prefix}*"):  # of killed builds: the lock says nobody else is building
        shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=entry.parent))
    try:
        folder = temporary / "entry"
        folder.mkdir()
        build(folder)
        files = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            _sync(path)
            stat = path.stat()
            files[str(path.relative_to(folder))] = {
                "sha256": file_digest(path, 64),
                "size": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
            }
        manifest = folder / MANIFEST
        manifest.write_text(json.dumps({"source": dict(source), "files": files}, indent=1))
        _sync(manifest)
        _sync(folder)
        if entry.exists():  # a damaged one; an engine that has it open keeps reading its own files
            entry.rename(temporary / "damaged")
        folder.rename(entry)
        _sync(entry.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unchanged(path: Path, known: Mapping[str, Any]) -> bool:
    stat = path.stat()
    if stat.st_size != known["size"]:
        return False
    if stat.st_size > SMALL and stat.st_mtime_ns == known["mtime_ns"]:
        return True
    return file_digest(path, 64) == str(known["sha256"])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The file stays: removing it would let two processes lock different files."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that makes {path.name[1:-5]} ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
