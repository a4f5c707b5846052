"""Rows of training data on disk: one JSON object a line, appended as they are made, so that a killed job loses none.

Every row says where it came from. `datasets` reads these files as they are: `load_dataset("json", data_files=...)`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from data.errors import DataError
from data.sources import read_jsonl

__all__ = ["Preference", "RowFile", "Side", "Solution", "read_rows"]


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution of a training question, as steps.

    `id` is the question's (see `data.records.Problem`) and `steps` the text of each step, its closing newline
    included. Rows that an engine sampled carry token ids as well: `prompt_ids`, and for each step `step_ids` and
    `own`, which is 1 where the policy wrote the token and 0 where a tool did (no training loss there); rows without
    ids are encoded step by step when they are trained on. `values` are step labels in [0, 1], one per step, None
    where there is none. `origin` is gold, sampled, varied or corrected; `provenance` names model, adapter, seed and
    search settings. `tokenizer` is the checksum of the tokenizer that made the ids (`reasoning.engine.base.Tokenizer`),
    None where there are none or an older release wrote them.
    """

    id: str
    question: str
    answer: str
    steps: tuple[str, ...]
    correct: bool = True
    origin: str = "gold"
    prompt_ids: tuple[int, ...] | None = None
    step_ids: tuple[tuple[int, ...], ...] | None = None
    own: tuple[tuple[int, ...], ...] | None = None
    values: tuple[float | None, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; fields that are None are left out."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row. Raises DataError where it is none."""
        try:
            steps = tuple(row["steps"])
            ids = {k: None if row.get(k) is None else tuple(map(tuple, row[k])) for k in ("step_ids", "own")}
            found = cls(
                id=row["id"],
                question=row["question"],
                answer=row["answer"],
                steps=steps,
                correct=row.get("correct", True),
                origin=row.get("origin", "gold"),
                prompt_ids=None if row.get("prompt_ids") is None else tuple(row["prompt_ids"]),
                values=None if row.get("values") is None else tuple(row["values"]),
                provenance=row.get("provenance") or {},
                tokenizer=row.get("tokenizer"),
                **ids,
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"not a solution row ({type(error).__name__}: {error}): {_short(row)}") from None
        texts = (found.id, found.question, found.answer, *steps)
        if not steps or not all(isinstance(text, str) for text in texts):
            raise DataError(f"a solution row needs text in id, question, answer and steps: {_short(row)}")
        lengths = [len(x) for x in (found.step_ids, found.own, found.values) if x is not None]
        if any(length != len(steps) for length in lengths) or (found.step_ids is None) != (found.prompt_ids is None):
            raise DataError(f"step_ids, own and values need one entry per step: {_short(row)}")
        _check_tokenizer(row)
        return found


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a pair of steps: its text, its ids, which of them the policy wrote, and what its value rests on.

    `value` estimates P(the answer will be right | question, steps so far, this step) and `visits` is how many
    rollouts or tree visits that rests on. `evidence` is text a person can check: a continuation that was sampled.
    """

    text: str
    ids: tuple[int, ...]
    own: tuple[int, ...]
    value: float
    visits: int
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """Two steps that continue the same prefix, one better than the other.

    `prompt_ids` are the ids of the question's prompt and of all steps before, exactly as the policy saw them; `prefix`
    is those steps' text. `margin` is A_w - A_l for Step-APO, in value units with values in [-1, 1], `smoothing` the
    label noise of conservative DPO (at most 1/2), `weight` the pair's weight in the loss; 0, 0 and 1 make it plain
    Step-DPO. `rule` names how the pair was chosen. `tokenizer` is the checksum of the tokenizer that made all ids, None
    where an older release wrote them.
    """

    id: str
    question: str
    answer: str
    prefix: tuple[str, ...]
    prompt_ids: tuple[int, ...]
    chosen: Side
    rejected: Side
    rule: str
    margin: float = 0.0
    smoothing: float = 0.0
    weight: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row. Raises DataError where it is none."""
        try:
            found = cls(
                **{
                    **row,
                    "prefix": tuple(row["prefix"]),
                    "prompt_ids": tuple(row["prompt_ids"]),
                    **{
                        side: Side(**{**row[side], "ids": tuple(row[side]["ids"]), "own": tuple(row[side]["own"])})
                        for side in ("chosen", "rejected")
                    },
                }
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"not a preference row ({type(error).__name__}: {error}): {_short(row)}") from None
        for side in (found.chosen, found.rejected):
            if not side.ids or len(side.ids) != len(side.own):
                raise DataError(f"a side of a preference needs ids, and one 'own' per id: {_short(row)}")
        if found.chosen.ids == found.rejected.ids or not found.prompt_ids:
            raise DataError(f"a preference needs prompt_ids and two different sides: {_short(row)}")
        if not 0.0 <= found.smoothing <= 0.5 or found.weight < 0.0:
            raise DataError(f"smoothing must lie in [0, 0.5] and weight must not be negative: {_short(row)}")
        _check_tokenizer(row)
        return found


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; a last line that a killed writer left unfinished is no row. Raises DataError."""
    if not path.is_file():
        raise DataError(f"no data file {path}")
    with path.open("rb") as file:
        whole = sum(line.endswith(b"\n") and not line.isspace() for line in file)
    yield from read_jsonl(path, limit=whole)


class RowFile:
    """A file of rows that is written a group at a time, and knows which groups (such as questions) it holds.

    A group's rows are one write, followed by fsync. What a kill left of an unfinished group is cut off when the file is
    opened again: a group is there or not.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Open `path`, or start it with a header line that holds `settings`.

        Raises DataError where another process writes it, or where it was begun with other settings: mixed data would
        not say what it is.
        """
        self.path = path
        self.done: set[str] = set()
        plain = json.loads(json.dumps(settings))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror or error}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._go_on(plain)
        except BlockingIOError:
            self._file.close()
            raise DataError(f"{path} is being written by another process: wait for it, or end it") from None
        except BaseException:
            self._file.close()
            raise
        if self._file.seek(0, os.SEEK_END) == 0:
            self._write([{"settings": plain}])

    def _go_on(self, settings: Mapping[str, Any]) -> None:
        """Take in which groups the file holds, and cut off what follows the last line that closes one.

        What follows are rows of a group that a killed writer left unfinished; it will be written again, whole.
        """
        with self.path.open("r+b") as file:
            end = at = 0
            for line in file:
                at += len(line)
                row = _whole_row(line)
                if end == 0:
                    if row is None and b'{"settings"'.startswith(line[:11]):
                        break  # killed while it wrote its first line
                    if row is None or not isinstance(row.get("settings"), dict):
                        raise DataError(f"{self.path} is not a file that this program wrote: name another file")
                    begun = row["settings"]
                    differing = sorted(k for k in {*begun, *settings} if begun.get(k) != settings.get(k))
                    if differing:
                        raise DataError(
                            f"{self.path} was begun with other settings ({', '.join(differing)}): name another file"
                        )
                    end = at
                elif row is not None and "group" in row:
                    self.done.add(row["group"])
                    end = at
            file.truncate(end)

    def add(self, group: str, rows: Iterable[Mapping[str, Any]], **note: Any) -> None:
        """Write a group: its rows, then a line that closes it (with `note`), all at once."""
        self._write([*rows, {"group": group, **note}])
        self.done.add(group)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._file.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror or error}; what it held is kept") from None


def _whole_row(line: bytes) -> dict[str, Any] | None:
    """The object of a line that was written to its end, else None."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _check_tokenizer(row: Mapping[str, Any]) -> None:
    if not isinstance(row.get("tokenizer"), str | None):
        raise DataError(f"tokenizer must be a tokenizer's checksum: {_short(row)}")


def _short(row: object) -> str:
    text = repr(row)
    return text if len(text) <= 120 else f"{text[:117]}..."
