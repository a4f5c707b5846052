"""Where rows come from: the data directory, else the Hugging Face hub, else one error that names the ways out."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from data.errors import DataError

__all__ = ["SOURCES", "Source", "data_dir", "load_rows", "read_jsonl"]

Row = Mapping[str, Any]

PROBE_SECONDS: Final = 5.0  # the hub answers within this, or counts as out of reach


@dataclass(frozen=True, slots=True)
class Source:
    """A data set: its hub name (None: no hub has it) and configuration, its splits, and the columns every row has.

    `more` holds further columns of the rows of single splits.
    """

    hub: str | None
    config: str | None
    splits: tuple[str, ...]
    columns: tuple[str, ...]
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def columns_of(self, split: str) -> tuple[str, ...]:
        """The columns that every row of a split has."""
        return (*self.columns, *self.more.get(split, ()))


_DECLARED: Final = ("id", "document", "vars", "obj_declaration", "const_declarations", "order_mapping")

SOURCES: Final[Mapping[str, Source]] = {
    "gsm8k": Source("openai/gsm8k", "main", ("train", "test"), ("question", "answer")),
    "math500": Source(
        "HuggingFaceH4/MATH-500",
        None,
        ("test",),
        ("problem", "solution", "answer", "unique_id", "subject", "level"),
    ),
    "nl4opt": Source(
        None,
        None,
        ("ner_train", "dev", "test"),
        (),
        {"ner_train": ("tokens", "tags"), "dev": _DECLARED, "test": _DECLARED},
    ),
}


def data_dir(explicit: Path | None = None) -> Path | None:
    """The data directory: `explicit`, else STEPSOLVER_DATA, else `shared/data` in or beside the current folder.

    Raises DataError where one of the first two is named and is no directory.
    """
    named = os.environ.get("STEPSOLVER_DATA")
    for given, origin in ((explicit, "--data-dir"), (Path(named) if named else None, "STEPSOLVER_DATA")):
        if given is not None:
            if not given.is_dir():
                raise DataError(f"{origin} is {given}, which is not a directory")
            return given
    beside = (Path("shared/data"), Path("../shared/data"))
    return next((folder for folder in beside if folder.is_dir()), None)


def load_rows(
    name: str, split: str, *, directory: Path | None = None, limit: int | None = None, offset: int = 0
) -> list[Row]:
    """Rows `offset` to `offset + limit` of a split of one of `SOURCES`.

    `directory` is what the user named (see `data_dir`); its `NAME/SPLIT.jsonl` comes before the hub. Raises DataError.
    """
    source = SOURCES[name]
    if split not in source.splits:
        raise DataError(f"{name} has no split {split!r}; choose one of: {', '.join(source.splits)}")
    folder = data_dir(directory)
    if folder is None:
        missing = "no data directory"
    else:
        path = folder / name / f"{split}.jsonl"
        if path.is_file():
            return list(read_jsonl(path, columns=source.columns_of(split), limit=limit, offset=offset))
        missing = f"{path} does not exist"
    ways = (
        f"set STEPSOLVER_DATA or --data-dir to a folder that holds {name}/{split}.jsonl, "
        f"one object with {', '.join(source.columns_of(split))} a line"
    )
    if source.hub is None:
        raise DataError(f"no {name} {split} data ({missing}): {ways}")
    try:
        return _from_hub(source.hub, source.config, split, limit, offset)
    except _Unreachable as error:
        raise DataError(
            f"no {name} {split} data ({missing}; {error}): {ways}; or let the hub be reached; "
            "or use the task rg:gsm_symbolic, which needs no data"
        ) from None


def read_jsonl(
    path: Path, *, columns: Sequence[str] = (), limit: int | None = None, offset: int = 0
) -> Iterator[dict[str, Any]]:
    """Rows `offset` to `offset + limit` of a JSON Lines file in UTF-8; blank lines are no rows.

    Raises DataError, naming file and line, where a row is no JSON object or lacks one of `columns`.
    """
    try:
        with path.open("rb") as file:
            lines = ((number, line) for number, line in enumerate(file, start=1) if not line.isspace())
            for number, line in itertools.islice(lines, offset, None if limit is None else offset + limit):
                yield _row(path, number, line, columns)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _row(path: Path, number: int, line: bytes, columns: Sequence[str]) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        raise DataError(f"{path}:{number}: not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise DataError(f"{path}:{number}: not JSON: nested too deep") from None
    if not isinstance(row, dict):
        raise DataError(f'{path}:{number}: a row must be a JSON object such as {{"question": ..., "answer": ...}}')
    for column in columns:
        if column not in row:
            raise DataError(f"{path}:{number}: no column {column!r}; there are: {', '.join(map(str, row)) or 'none'}")
    return row


class _Unreachable(Exception):
    """Why the hub gave nothing, in a few words."""


def _from_hub(hub: str, config: str | None, split: str, limit: int | None, offset: int) -> list[Row]:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise _Unreachable("the hub is switched off by HF_HUB_OFFLINE")
    _probe(hub)
    try:
        import datasets
    except ImportError:
        raise _Unreachable("the package datasets is missing: pip install 'stepsolver[eval]'") from None
    try:
        table = datasets.load_dataset(hub, config, split=split)
        end = len(table) if limit is None else min(offset + limit, len(table))
        return [dict(row) for row in table.select(range(min(offset, end), end))]
    except Exception as error:  # datasets raises whatever its many back ends raise
        raise _Unreachable(f"loading {hub} failed: {type(error).__name__}") from None


def _probe(hub: str) -> None:
    """Ask the hub for the data set once: `datasets` itself would go on trying for minutes without a network."""
    import httpx

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    try:
        answer = httpx.get(f"{endpoint}/api/datasets/{hub}", timeout=PROBE_SECONDS, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unreachable(f"the hub is out of reach: {type(error).__name__}") from None
    if answer.is_error:
        raise _Unreachable(f"the hub answered {answer.status_code}")
