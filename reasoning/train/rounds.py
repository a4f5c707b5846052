"""Rounds of stages, each stage a command of its own, and a state file: what `iterate` runs on. It knows no model.

A stage's process ends before the next one begins, so an engine and a trainer never share memory. What has been done
stands in `state.json`, which is replaced whole; a run that was killed anywhere goes on from there and ends as if it
had not been.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from data.digest import file_digest
from data.errors import DataError, UserError
from reasoning.cli import duration

__all__ = [
    "SCHEMA_VERSION",
    "STATE",
    "Plan",
    "Round",
    "Stage",
    "content_hash",
    "read_state",
    "round_seed",
    "run_rounds",
    "show_rounds",
]

SCHEMA_VERSION = 1
STATE = "state.json"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of a round.

    `argv` is what follows `python`, `env` what is set for it, and `again` is added to it where the command was begun
    before. `outputs` are files that are there once it has succeeded; `whole` says that they never appear half written,
    so that finding them is enough. `measure` reads figures off the outputs; the `scores` stage's figure `correct`
    decides on the round. `adapter` is the folder of the adapter that the stage trains, from then on the round's.
    """

    name: str
    argv: tuple[str, ...]
    outputs: tuple[Path, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    again: Callable[[], tuple[str, ...]] = tuple
    measure: Callable[[], Mapping[str, Any]] | None = None
    scores: bool = False
    adapter: Path | None = None

    @property
    def command(self) -> str:
        """What a person would type."""
        return self.shown()

    def shown(self, *more: str) -> str:
        """The command with `more` added to it."""
        env = [f"{key}={shlex.quote(value)} " for key, value in self.env.items()]
        return "".join(env) + shlex.join(("python", *self.argv, *more))


@dataclass(frozen=True, slots=True)
class Round:
    """What a plan needs to know of a round; number 0 only measures the start."""

    number: int
    seed: int
    folder: Path
    adapter: str | None


# The stages of a round, in order. It is asked for the next stage once the one before is done, so that a plan may look
# at what that one wrote; asked again, it must come to the same stages.
Plan = Callable[[Round], Iterator[Stage]]


def round_seed(seed: int, number: int) -> int:
    """The seed of a round: its own, and fixed by the run's."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=4).digest()) >> 1


def content_hash(path: Path) -> str:
    """SHA-256 of a file, 16 hex digits; of its sorted lines for JSON lines, whose order depends on timing."""
    if path.suffix != ".jsonl":
        return file_digest(path)
    try:
        return hashlib.sha256(b"".join(sorted(path.read_bytes().splitlines(keepends=True)))).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def read_state(folder: Path) -> dict[str, Any] | None:
    """The state file of a run, None where there is none. Raises DataError where it cannot be read."""
    path = folder / STATE
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = state["schema_version"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the state of a run ({type(error).__name__}): name another folder") from None
    if version != SCHEMA_VERSION:
        raise DataError(f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}")
    return state


def run_rounds(
    folder: Path,
    settings: Mapping[str, Any],
    plan: Plan,
    *,
    rounds: int,
    seed: int,
    start: str | None,
    accept: str = "not-worse",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Run `rounds` rounds after the measurement of the start, or what is left of them; the final state.

    `settings` are kept, and a folder that was begun with others is refused, or emptied with `overwrite`. With `accept`
    "not-worse" a round's adapter goes on only where its `correct` is at least that of the adapter it would replace;
    with "always" it does. Raises UserError: a folder in use or with something else in it, other settings, a stage
    that failed, an output that changed since.
    """
    plain = json.loads(json.dumps(settings))
    # Only a folder that a run began is ever emptied.
    if folder.is_dir() and not (folder / STATE).exists() and any(p.name != _LOCK for p in folder.iterdir()):
        raise UserError(f"{folder} holds something else: name another --output_dir")
    with _locked(folder) as lock:
        if overwrite:
            _empty(folder)
        state = read_state(folder)
        if state is None:
            state = {"schema_version": SCHEMA_VERSION, "settings": plain, "status": "running", "adapter": start}
            state["rounds"] = []
        elif state["settings"] != plain:
            begun = state["settings"]
            differing = sorted(k for k in {*begun, *plain} if begun.get(k) != plain.get(k))
            raise UserError(
                f"{folder} was begun with other settings ({', '.join(differing[:4])}): "
                "name another --output_dir, or pass --overwrite true"
            )
        if len(state["rounds"]) > rounds + 1:
            raise UserError(f"{folder} holds {len(state['rounds']) - 1} rounds: pass --rounds with at least as many")
        machine = _Machine(folder, state, lock)
        adapter, best = start, None
        for number in range(rounds + 1):
            now = Round(number, round_seed(seed, number), folder / f"round-{number:02}", adapter)
            record = machine.round(now, plan)
            record["accepted"], record["reason"] = _verdict(record, best, accept)
            if record["accepted"]:
                adapter, best = record["adapter"], record
            state["adapter"] = adapter
            machine.save()
            if number:
                print(f"round {number}: {record['reason']}", flush=True)
        state["status"] = "finished"
        machine.save()
    return state


def show_rounds(folder: Path, plan: Plan, *, rounds: int, seed: int, start: str | None) -> Iterator[str]:
    """The commands that `run_rounds` would run, were every round's adapter kept."""
    adapter = start
    for number in range(rounds + 1):
        now = Round(number, round_seed(seed, number), folder / f"round-{number:02}", adapter)
        for stage in plan(now):
            yield f"round {number} {stage.name}: {stage.command}"
            adapter = adapter if stage.adapter is None else str(stage.adapter)


def _verdict(record: Mapping[str, Any], best: Mapping[str, Any] | None, accept: str) -> tuple[bool, str]:
    score = record["score"]
    if best is None:
        return True, "the start"
    if best["score"] is None or score is None:
        return True, "kept: nothing was measured"
    before, after = best["score"]["correct"], score["correct"]
    told = f"{after} right, {before} before"
    if after >= before:
        return True, f"kept: {told}"
    if accept == "always":
        return True, f"kept although worse: {told}"
    return False, f"not kept, the earlier adapter goes on: {told}"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    """Hold the folder. Stages inherit the lock, so one that outlives a killed run holds it too."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a+")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise UserError(
                f"{folder} is in use by process {lock.read().strip() or '?'} (a stage outlives a run that was killed): "
                "wait for it, or end it, and run the same command again"
            ) from None
        yield lock


class _Machine:
    """Takes stages through the state file."""

    def __init__(self, folder: Path, state: dict[str, Any], lock: TextIO) -> None:
        self.folder, self.state, self.lock = folder, state, lock
        self.save()

    def save(self) -> None:
        """Replace the state file: after a kill it holds the old state or the new one."""
        path = self.folder / STATE
        partial = path.with_name(f".{STATE}.partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(json.dumps(self.state, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}; make room and run it again") from None

    def round(self, now: Round, plan: Plan) -> dict[str, Any]:
        """Run what is left of a round; its record."""
        records = self.state["rounds"]
        if len(records) <= now.number:
            records.append({"round": now.number, "seed": now.seed, "from": now.adapter, "stages": []})
        record: dict[str, Any] = records[now.number]
        adapter, score = now.adapter, None
        for index, stage in enumerate(plan(now)):
            if len(record["stages"]) <= index:
                record["stages"].append({"name": stage.name, "command": stage.command, "status": "new"})
            entry = record["stages"][index]
            if entry["command"] != stage.command:
                raise UserError(
                    f"{self.folder}: stage {stage.name} of round {now.number} was begun as another command; "
                    "pass --overwrite true to begin anew"
                )
            if entry["status"] == "done":
                self._check(entry)
            else:
                self._run(now, stage, entry)
            if stage.scores:
                score = entry["metrics"]
            if stage.adapter is not None:
                adapter = str(stage.adapter)
        record["adapter"], record["score"] = adapter, score
        return record

    def _check(self, entry: Mapping[str, Any]) -> None:
        for name, known in entry["outputs"].items():
            if not (self.folder / name).is_file() or content_hash(self.folder / name) != known:
                raise UserError(
                    f"{self.folder / name} is not what stage {entry['name']} wrote: put it back, or pass "
                    "--overwrite true to begin anew"
                )

    def _run(self, now: Round, stage: Stage, entry: dict[str, Any]) -> None:
        label = f"round {now.number} {stage.name}"
        begun, log = time.time(), now.folder / f"{stage.name}.log"
        if not (stage.whole and entry["status"] != "new" and all(p.is_file() for p in stage.outputs)):
            again = stage.again() if entry["status"] != "new" else ()
            entry.update(status="running", started=entry.get("started") or _now(), finished=None)
            self.save()
            print(f"{label}: {stage.shown(*again)}", flush=True)
            code = self._command((*stage.argv, *again), stage.env, log)
            absent = [str(p) for p in stage.outputs if not p.is_file()]
            if code or absent:
                entry.update(status="failed", finished=_now())
                self.save()
                why = f"did not write {absent[0]}" if not code else f"ended with exit code {code}"
                raise UserError(
                    f"{label} {why} ({_last_line(log)}); all it said is in {log}; "
                    f"go on with the same command as now, or try the stage alone: {stage.command}"
                )
        entry.update(
            status="done",
            finished=_now(),
            outputs={str(p.relative_to(self.folder)): content_hash(p) for p in stage.outputs},
            metrics=dict(stage.measure()) if stage.measure else {},
        )
        self.save()
        figures = ", ".join(f"{k} {v}" for k, v in entry["metrics"].items())
        print(f"{label}: done in {duration(time.time() - begun)}{': ' * bool(figures)}{figures}", flush=True)

    def _command(self, argv: tuple[str, ...], env: Mapping[str, str], log: Path) -> int:
        """Run a command with its output in `log`; its exit code. Ctrl-C and SIGTERM reach it once, as SIGINT."""
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as out:
                child = subprocess.Popen(
                    [sys.executable, *argv],
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    pass_fds=(self.lock.fileno(),),
                    process_group=0,
                )
        except OSError as error:
            raise UserError(f"cannot start {shlex.join(argv)}: {error.strerror or error}") from None
        self.lock.truncate(0)
        self.lock.write(f"{child.pid}")
        self.lock.flush()
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    line = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return "".join(c if c.isprintable() else "?" for c in line)[-300:]
