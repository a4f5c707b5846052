"""The run folder: `runs/NAME/` with one SQLite file (a *part*) per writing process, unioned by readers.

A part is built under a hidden name and renamed when it is whole, so every part a reader sees holds its schema version
and its configuration. While it is written it is in WAL mode: readers never block the writer. With synchronous=NORMAL
a commit is a write to the WAL without fsync; a killed process loses nothing that was committed, because the bytes are
with the operating system by then. Only a power cut may lose the last commits, and never tears the file. WAL needs
shared memory, hence a local disk; parts that several machines see use a rollback journal instead.

Union rule for a problem that several parts hold: a result beats a recorded failure, otherwise the later one counts.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data.errors import DataError, UserError
from search.types import State

__all__ = [
    "SCHEMA_VERSION",
    "ProblemResult",
    "Run",
    "RunView",
    "flatten",
    "open_run",
    "read_run",
    "run_names",
    "runs_root",
]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (
    problem TEXT PRIMARY KEY,  -- a problem's whole record is one row, so it is there or it is not
    failed TEXT,               -- reason, NULL where the search ended by itself
    recorded REAL NOT NULL,    -- seconds since the epoch
    result TEXT NOT NULL,      -- JSON object
    tells BLOB NOT NULL        -- zlib of a JSON array of {seq, request, outcome}; last, so that scans skip it
);
"""
# A later record of the same process replaces an earlier one by the union rule.
_INSERT = """
INSERT INTO results VALUES (:problem, :failed, :recorded, :result, :tells)
ON CONFLICT (problem) DO UPDATE SET failed = excluded.failed, recorded = excluded.recorded, result = excluded.result,
    tells = excluded.tells
WHERE results.failed IS NOT NULL OR excluded.failed IS NULL
"""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_BUSY_SECONDS = 10.0
_LEVEL = 1  # most of a log is digits of log-probabilities: level 6 takes four times as long to save 8%


@dataclass(frozen=True, slots=True)
class ProblemResult:
    """What the search of one problem came to.

    `problem` is the problem's stable id and `index` its place in the task's data. `answer` is the best answer in
    canonical form, None where there is none; `correct` is None where nothing could be judged; `failed` is the reason
    why the problem could not be worked on. Tokens are totals over the search, None where the engine does not say;
    `prompt`, `cached` and `completion` are the policy's, `reward_tokens` what was computed for rewards. `flops`
    estimates all forward passes (see `reasoning.engine.flops`; `extra["sizes"]` has the models' sizes). `seconds` is
    wall time, `engine_seconds` the problem's part of the engines' (see `reasoning.clock`); `nodes` counts the tree's
    nodes. `answers` are the ranked answers, best first, each with `answer`, `score` and `votes`; `text` is the best
    solution. `prompt_ids` and `seed` are what replaying the search's log needs; `tokenizer` is the checksum of the
    tokenizer that made those ids and the log's, None where an older release wrote them.
    """

    problem: str
    index: int
    question: str
    gold: str | None = None
    answer: str | None = None
    correct: bool | None = None
    failed: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int | None = 0
    completion_tokens: int = 0
    reward_tokens: int | None = 0
    computed_tokens: int | None = 0
    seconds: float = 0.0
    nodes: int = 0
    requests_failed: int = 0
    answers: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    prompt_ids: tuple[int, ...] = ()
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    reward_prompt_tokens: int | None = None
    reward_cached_tokens: int | None = None
    flops: float | None = None
    engine_seconds: float | None = None
    tokenizer: str | None = None

    @property
    def root(self) -> State:
        """Where the search started: what replaying its log needs."""
        others = tuple(tuple(ids) for ids in self.extra.get("other_prompts", ()))
        return State(self.problem, self.prompt_ids, self.seed, others)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, one per field."""
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        return row | {"answers": [dict(a) for a in self.answers], "extra": dict(self.extra)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> ProblemResult:
        """The inverse of `to_json`, also after a round trip through JSON text."""
        return ProblemResult(**{**row, "answers": tuple(row["answers"]), "prompt_ids": tuple(row["prompt_ids"])})


def runs_root(root: Path | str | None = None) -> Path:
    """The folder that holds all runs: `root`, else the environment's STEPSOLVER_RUNS, else `runs` here."""
    return Path(root or os.environ.get("STEPSOLVER_RUNS") or "runs")


def run_names(root: Path | str | None = None) -> list[str]:
    """Names of the runs under the root, sorted. Folders that hold no run are left out."""
    base = runs_root(root)
    try:
        return sorted(p.name for p in base.iterdir() if _NAME.fullmatch(p.name) and p.is_dir() and _parts(p))
    except FileNotFoundError:
        return []
    except OSError as e:
        raise UserError(f"cannot list the runs in {base}: {e.strerror or e}") from None


# ---- writing -------------------------------------------------------------------------------------------------------


class Run:
    """The writing end of a run: this process's own part. `record` may be called from any thread."""

    def __init__(self, name: str, root: Path, part: Path, *, wal: bool = True, tokenizer: str | None = None) -> None:
        """Use `open_run`, which checks the name and the configuration and makes the part."""
        self.name = name
        self.part = part
        self._tokenizer = tokenizer
        self._root = root
        self._lock = threading.Lock()
        with _writing(part):
            self._db = sqlite3.connect(part, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            mode = self._db.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}").fetchone()[0]
            self._db.execute(f"PRAGMA synchronous = {'NORMAL' if wal else 'FULL'}")
        if wal and mode != "wal":
            self._db.close()
            raise UserError(f"{part.parent} is on a file system without shared memory: put runs on a local disk")

    def done(self) -> set[str]:
        """Ids of the problems that any process has finished. A recorded failure is not done: it may be tried again."""
        return {r.problem for r in self.view().results if r.failed is None}

    def view(self) -> RunView:
        """The run as it stands, other processes' results included."""
        return read_run(self.name, self._root)

    def check_tokenizer(self, checksum: str) -> None:
        """Raise UserError where the run's trees hold the ids of another tokenizer than the one with this checksum."""
        if self._tokenizer not in (None, checksum):
            raise UserError(
                f"run {self.name!r} holds token ids of another tokenizer ({self._tokenizer}, this model's is "
                f"{checksum}): use the model it was begun with or another run name"
            )
        self._tokenizer = checksum

    def record(self, result: ProblemResult, tells: Iterable[Mapping[str, Any]] = ()) -> None:
        """Store a problem's result and its tell log (rows of `seq`, `request`, `outcome`) in one transaction.

        When it returns, the record survives a kill. Raises UserError where the disk refuses, or where the result holds
        ids of another tokenizer than the run's.
        """
        if result.tokenizer is not None:
            self.check_tokenizer(result.tokenizer)
        row = {
            "problem": result.problem,
            "failed": result.failed,
            "recorded": time.time(),
            "result": json.dumps(result.to_json(), separators=(",", ":")),
            "tells": zlib.compress(json.dumps([dict(t) for t in tells], separators=(",", ":")).encode(), _LEVEL),
        }
        with self._lock, _writing(self.part):
            self._db.execute(_INSERT, row)

    def close(self) -> None:
        """Fold the WAL into the part and leave a single file that reads from anywhere. May be called twice."""
        with self._lock:
            # Leaving WAL mode needs the file alone; where somebody is reading, the part simply stays in WAL mode.
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.close()

    def discard(self) -> None:
        """Close, and leave no trace if nothing was recorded here."""
        with self._lock:
            empty = self._db.execute("SELECT count(*) FROM results").fetchone()[0] == 0
        self.close()
        if empty:
            with suppress(OSError):
                self.part.unlink()
                self.part.parent.rmdir()  # refuses where other parts are

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def open_run(
    name: str,
    config: Mapping[str, Any],
    *,
    resume: bool,
    root: Path | str | None = None,
    exempt: Collection[str] = frozenset(),
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    wal: bool = True,
) -> Run:
    """Begin the run `name`, or go on with it where `resume` is set.

    `config` is what makes results comparable, as JSON values. A resumed run must have the same configuration, except
    for `exempt` fields (dotted paths; a path exempts everything below it); before they are compared, `complete` says
    what an older one stands for today. Without `wal` the part may lie on a file system that several machines share, if
    its locks work; each record then waits for the disk. Raises UserError: bad name, a run that exists already or does
    not exist, a changed configuration; DataError: a part that cannot be read.
    """
    base, now = runs_root(root), json.loads(json.dumps(config))
    folder = _folder(name, base)
    if resume:
        if not _parts(folder):
            raise UserError(f"there is no run {name!r} in {base}: leave out --resume to begin it")
        view = read_run(name, base)
        before = json.loads(json.dumps(complete(view.config)))
        _refuse_changes(name, before, now, exempt)
        with _writing(folder):
            part = _new_part(folder, now)
        tokenizer = next((r.tokenizer for r in view.results if r.tokenizer is not None), None)
        return Run(name, base, part, wal=wal, tokenizer=tokenizer)
    # The folder appears under its name with its first part inside, or not at all: of two processes that begin the
    # same run only one gets it, and a kill leaves no half-begun run behind.
    with _writing(base):
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=base, ignore_cleanup_errors=True) as scratch:
            fresh = Path(scratch) / name
            fresh.mkdir()
            part = _new_part(fresh, now)
            try:
                fresh.rename(folder)  # replaces an empty folder, refuses any other
            except OSError as e:
                if not folder.exists():
                    raise
                raise UserError(f"run {name!r} exists in {base}: add --resume to go on or choose another name") from e
    return Run(name, base, folder / part.name, wal=wal)


def _folder(name: str, base: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"run name {name[:100]!r} is not usable: take up to 100 of A-Z a-z 0-9 . _ - and do not begin with a dot"
        )
    return base / name


def _new_part(folder: Path, config: Any) -> Path:
    """An empty part in `folder` with its schema and configuration."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40] or "host"
    stem = f"part-{host}-{os.getpid()}-{time.time_ns()}"
    hidden = folder / f".{stem}.tmp"
    meta = {"schema_version": SCHEMA_VERSION, "config": config, "created": time.time()}
    with closing(sqlite3.connect(hidden, isolation_level=None)) as db:
        db.executescript(f"BEGIN; {_SCHEMA}")
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])
        db.execute("COMMIT")
    return hidden.rename(folder / f"{stem}.sqlite")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except sqlite3.Error as e:
        raise UserError(f"cannot write {path}: {e}; free or change the disk, then go on with --resume") from None
    except OSError as e:
        raise UserError(f"cannot write {path}: {e.strerror or e}; choose another folder for runs") from None


def _refuse_changes(name: str, before: Any, now: Any, exempt: Collection[str]) -> None:
    old, new = dict(flatten(before)), dict(flatten(now))
    changed = [
        f"{key} was {_short(old, key)}, now {_short(new, key)}"
        for key in sorted(old.keys() | new.keys())
        if (key not in old or key not in new or old[key] != new[key])
        and not any(key == e or key.startswith(f"{e}.") for e in exempt)
    ]
    if changed:
        raise UserError(
            f"run {name!r} has another configuration: {'; '.join(changed)}; use the old values or another run name"
        )


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested objects by dotted path. Lists are leaves, and so is an empty object."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _short(flat: dict[str, Any], key: str) -> str:
    text = json.dumps(flat[key]) if key in flat else "absent"
    return text if len(text) <= 80 else f"{text[:77]}..."


# ---- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as it stood when it was read: every recorded problem exactly once, in index order.

    `config` is the newest one, `created` when the run began in seconds since the epoch.
    """

    name: str
    config: Mapping[str, Any]
    created: float
    results: tuple[ProblemResult, ...]
    sources: Mapping[str, Path]  # problem -> the part that holds its result

    def tells(self, problem: str) -> list[dict[str, Any]]:
        """The problem's tell log in order. Raises KeyError for a problem that is not recorded."""
        part = self.sources[problem]
        with _reading(part) as db:
            (blob,) = db.execute("SELECT tells FROM results WHERE problem = ?", (problem,)).fetchone()
            rows: list[dict[str, Any]] = json.loads(zlib.decompress(blob))
        return rows


def read_run(name: str, root: Path | str | None = None) -> RunView:
    """Read a run, also while it is being written. Raises UserError: no such run; DataError: an unreadable part."""
    base = runs_root(root)
    folder = _folder(name, base)
    parts = _parts(folder)
    if not parts:
        raise UserError(f"there is no run {name!r} in {base}: `python -m reasoning.runs list` names those there are")
    metas: list[dict[str, Any]] = []
    best: dict[str, tuple[bool, float, Path, ProblemResult]] = {}
    for part in parts:
        with _reading(part) as db:
            metas.append(_meta(db, part))
            for problem, failed, recorded, row in db.execute("SELECT problem, failed, recorded, result FROM results"):
                rank = (failed is None, recorded, part)
                if problem not in best or best[problem][:3] < rank:
                    best[problem] = (*rank, ProblemResult.from_json(json.loads(row)))
    results = sorted((b[3] for b in best.values()), key=lambda r: (r.index, r.problem))
    return RunView(
        name=name,
        config=max(metas, key=lambda m: m["created"])["config"],
        created=min(m["created"] for m in metas),
        results=tuple(results),
        sources={problem: b[2] for problem, b in best.items()},
    )


def _parts(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.sqlite") if not p.name.startswith("."))


def _meta(db: sqlite3.Connection, part: Path) -> dict[str, Any]:
    meta = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}
    version = meta["schema_version"]
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{part} has schema version {version}, this program reads up to {SCHEMA_VERSION}: upgrade stepsolver"
        )
    return meta


@contextmanager
def _reading(part: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to one part; whatever is wrong with its content becomes one line."""
    try:
        with closing(sqlite3.connect(f"{part.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as db:
            yield db
    except (sqlite3.Error, zlib.error, ValueError, TypeError, KeyError) as e:
        what = " ".join(str(e).split()) or type(e).__name__
        raise DataError(f"{part} is not a whole run file ({what}); move it away to use the rest of the run") from None
