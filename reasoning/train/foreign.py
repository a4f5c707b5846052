"""Rows whose token ids another tokenizer made: encoded again from their text, or left out.

An id means something to one tokenizer only, so rows say which made theirs (`reasoning.engine.base.Tokenizer.checksum`).
Rows of older releases do not, and count as another's. The text of every step is there to encode; which of its tokens a
tool wrote is known by id alone, so a step of both cannot teach its words any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final, Generic, Literal, TextIO, TypeVar

from data.errors import DataError, UserError
from data.records import Problem
from data.rows import Preference, Side, Solution
from reasoning.engine.base import Tokenizer

__all__ = ["Encoder", "Native", "Unfit", "Words", "cut"]

_MERGED: Final = "with a step border across which this tokenizer merges"
_TOOL: Final = "with tokens that a tool wrote into a step"
_UNKNOWN: Final = "unknown"
_ALIKE: Final = "with sides that read alike"

R = TypeVar("R", Solution, Preference)
Words = Literal["right", "all", "none"]  # whose words teach: those of right solutions, of all, or of none


class Unfit(DataError):
    """A row cannot be encoded again. The message says what it is a row with."""


def cut(steps: Sequence[str], tokenizer: Tokenizer) -> list[list[int]] | None:
    """The ids of each step, cut from those of the whole text; None where the tokenizer merges across a border.

    Encoded alone, a step would get the space that SentencePiece puts before a text.
    """
    found, before = [], list[int]()
    whole = tokenizer.encode("".join(steps))
    for text in accumulate(steps):
        ids = tokenizer.encode(text)
        found.append(ids[len(before) :])
        if ids[: len(before)] != before or ids != whole[: len(ids)] or not found[-1]:
            return None
        before = ids
    return found


@dataclass(frozen=True, slots=True)
class Native(Generic[R]):
    """Rows with ids of one tokenizer, `checksum`, or without ids, and what became of the rows with others' ids.

    `foreign` counts those by their tokenizer, `left_out` the ones of them that are not among `rows`, by reason.
    """

    checksum: str
    rows: list[R] = field(default_factory=list)
    foreign: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were `foreign`, and how many of them `unfit` and left out; nothing where there were none."""
        return {"foreign": self.foreign.total(), "unfit": self.left_out.total()} if self.foreign else {}

    def report(self, what: str, file: TextIO | None = None) -> list[R]:
        """The rows; says in one line on `file` (default: stdout) what became of foreign ones. `what` is their plural.

        Raises UserError where there are foreign ones and nothing is left.
        """
        count, left_out = self.foreign.total(), self.left_out.total()
        if not count:
            return self.rows
        why = ", ".join(f"{n} {reason}" for reason, n in self.left_out.items())
        mine, names = _named(self.checksum), sorted(self.foreign)
        told = f"{count} {what} were written by another tokenizer ({', '.join(names)}; this model's is {mine})"
        if names == [_UNKNOWN]:
            told = f"{count} {what} do not say which tokenizer wrote them (this model's is {mine})"
        if not self.rows:
            raise UserError(f"{told} and cannot be encoded again ({why}): collect them with this model")
        again = f"{count - left_out} encoded again from their text" if left_out else "encoded again from their text"
        print(f"{told}: {again}" + (f", {left_out} left out ({why})" if left_out else ""), file=file, flush=True)
        return self.rows


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes ids of text: a tokenizer, the prompt of a question, and the token that ends a solution, if any."""

    tokenizer: Tokenizer
    prompt: Callable[[Problem], Sequence[int]]
    eos: int | None

    def solutions(self, rows: Iterable[Solution], *, words: Words = "right") -> Native[Solution]:
        """The rows, as `solution` gives each; those that are unfit are left out and counted."""
        return self._native(rows, lambda row: self.solution(row, words=words))

    def preferences(self, rows: Iterable[Preference]) -> Native[Preference]:
        """The rows, as `preference` gives each; those that are unfit are left out and counted."""
        return self._native(rows, self.preference)

    def solution(self, row: Solution, *, words: Words = "right") -> Solution:
        """A solution with ids of this tokenizer; one without ids, or with such, as it is.

        A last step that does not end its line gets the end-of-sequence token. Raises Unfit where the tokenizer merges
        across a step border, or where the row's `words` teach and a tool wrote into a step; else no token of such a
        step counts as the policy's own.
        """
        if row.step_ids is None or row.tokenizer == self.tokenizer.checksum:
            return row
        steps = self._steps(row.steps)
        own = [_mask(was, len(ids)) for was, ids in zip(row.own or ((1,),) * len(steps), steps, strict=True)]
        if None in own and (words == "all" or (words == "right" and row.correct)):
            raise Unfit(_TOOL)
        return replace(
            row,
            prompt_ids=tuple(self.prompt(Problem(row.id, row.question))),
            step_ids=tuple(steps),
            own=tuple(mask or (0,) * len(ids) for mask, ids in zip(own, steps, strict=True)),
            tokenizer=self.tokenizer.checksum,
        )

    def preference(self, row: Preference) -> Preference:
        """A pair with ids of this tokenizer, the same ids before both sides; one that has such as it is.

        A side that does not end its line gets the end-of-sequence token. Raises Unfit where the tokenizer merges across
        a step border, where a tool wrote into a side, or where the sides differed in ids alone.
        """
        if row.tokenizer == self.tokenizer.checksum:
            return row
        (before, chosen), (_, rejected) = (self._side(row.prefix, side) for side in (row.chosen, row.rejected))
        if chosen.ids == rejected.ids:
            raise Unfit(_ALIKE)
        return replace(
            row,
            prompt_ids=(*self.prompt(Problem(row.id, row.question)), *before),
            chosen=chosen,
            rejected=rejected,
            tokenizer=self.tokenizer.checksum,
        )

    def _native(self, rows: Iterable[R], encode: Callable[[R], R]) -> Native[R]:
        found: Native[R] = Native(self.tokenizer.checksum)
        for row in rows:
            try:
                made = encode(row)
            except Unfit as why:
                found.left_out[str(why)] += 1
                made = None
            if made is not row:
                found.foreign[_named(row.tokenizer)] += 1
            if made is not None:
                found.rows.append(made)
        return found

    def _side(self, prefix: Sequence[str], side: Side) -> tuple[tuple[int, ...], Side]:
        """The ids of the steps before a side, which are those of their text whatever follows, and the side."""
        *before, ids = self._steps((*prefix, side.text))
        own = _mask(side.own, len(ids))
        if own is None:
            raise Unfit(_TOOL)
        return tuple(i for step in before for i in step), replace(side, ids=ids, own=own)

    def _steps(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        steps = cut(texts, self.tokenizer)
        if steps is None:
            raise Unfit(_MERGED)
        if self.eos is not None and not texts[-1].endswith("\n"):
            steps[-1].append(self.eos)
        return [tuple(ids) for ids in steps]


def _named(checksum: str | None) -> str:
    return _UNKNOWN if checksum is None else f"{checksum[:8]}…"


def _mask(own: Sequence[int], length: int) -> tuple[int, ...] | None:
    """The own-mask of a step for other ids; None where it is not the same for all of them."""
    return (own[0],) * length if len(set(own)) == 1 else None
