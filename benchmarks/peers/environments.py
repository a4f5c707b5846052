"""An environment of its own for each peer, made by venv and pip within a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.systems import System

__all__ = ["InstallError", "environment"]

_DONE = ".installed"  # what was installed, so that a second run starts at once


class InstallError(Exception):
    """The peer could not be installed: the end of what pip said."""


def environment(system: System, root: Path, limit: float) -> Path:
    """The Python of the system's environment below `root`, made at first use within `limit` seconds."""
    if system.environment is None:
        return Path(sys.executable)
    folder = root / system.environment
    python, done = folder / "bin" / "python", folder / _DONE
    # A peer that needs torch gets the build that is here: next to `2.13.0+cpu` no CUDA libraries of several GB.
    constraint = f"torch=={version('torch')}"
    wanted = repr((constraint, system.install))
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.monotonic()
    _run([sys.executable, "-m", "venv", str(folder)], limit)
    constraints = folder / "constraints.txt"
    constraints.write_text(f"{constraint}\n", encoding="utf-8")
    # Only what is imported is worth compiling: Python does it then.
    pip = (str(python), "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check")
    for arguments in system.install:
        left = limit - (time.monotonic() - begun)
        _run([*pip, "-c", str(constraints), *arguments], left)
    done.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str], limit: float) -> None:
    """Run to the end, with all its children, or raise InstallError."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=max(limit, 1.0))
    except BaseException as stop:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(stop, subprocess.TimeoutExpired):
            raise
        raise InstallError(f"not installed within the time limit: {' '.join(command[2:])[:200]}") from None
    if process.returncode:
        raise InstallError(_last(said))


def _last(said: str) -> str:
    """The line of an output that says why: the last error, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1][:300]
