"""Reports as blocks: plain text for files and pipes, Markdown with LaTeX, and rich tables for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from formulation.lines import one_line

__all__ = ["Block", "Entry", "Heading", "Paragraph", "Table", "as_markdown", "as_text", "show"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title of level 1 or more."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header; the cells of the columns named in `right` are numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """Something said: its name, where it was said, what it says in words and as algebra, and what came of it."""

    name: str
    remark: str = ""
    quote: str = ""
    words: tuple[str, ...] = ()
    algebra: tuple[str, ...] = ()
    latex: tuple[str, ...] = ()


Block = Heading | Paragraph | Table | Entry

_WIDTH: Final = 110
_MARKED: Final = re.compile(r"([\\`*_{}\[\]<>#|$~&])")


# ---- plain text ------------------------------------------------------------------------------------------------------


def as_text(blocks: Iterable[Block]) -> str:
    """Plain text."""
    return "\n".join(line.rstrip() for block in blocks for line in _text(block)).strip("\n") + "\n"


def _text(block: Block) -> Iterator[str]:
    match block:
        case Heading(text=text, level=level):
            shown = one_line(text)
            yield from ("", shown, ("=" if level == 1 else "-") * len(shown))
        case Paragraph(text=text):
            yield from wrap(one_line(text), _WIDTH)
        case Table(header=header, rows=rows, right=right):
            cells = [tuple(map(one_line, row)) for row in (header, *rows)]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            for row in cells:
                parts = zip(row, widths, header, strict=True)
                yield "  " + "  ".join(f"{x:>{n}}" if name in right else f"{x:<{n}}" for x, n, name in parts)
        case Entry():
            yield ""
            yield _titled(block)
            for line in _details(block):
                yield from wrap(line, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8, break_long_words=False)


def _titled(entry: Entry) -> str:
    return one_line(entry.name) + (f"   [{one_line(entry.remark)}]" if entry.remark else "")


def _details(entry: Entry) -> Iterator[str]:
    if entry.quote:
        yield one_line(entry.quote)
    yield from map(one_line, entry.words)
    yield from (one_line(line) for line in entry.algebra if line not in entry.words)


# ---- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(blocks: Iterable[Block]) -> str:
    """Markdown; formulas are LaTeX between double dollars, and text is escaped."""
    return "\n".join(line for block in blocks for line in (*_markdown(block), "")).strip("\n") + "\n"


def _escaped(text: str) -> str:
    return _MARKED.sub(r"\\\1", one_line(text))


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Heading(text=text, level=level):
            yield f"{'#' * level} {_escaped(text)}"
        case Paragraph(text=text):
            yield _escaped(text)
        case Table(header=header, rows=rows, right=right):
            yield f"| {' | '.join(map(_escaped, header))} |"
            yield f"|{'|'.join(' ---: ' if name in right else ' --- ' for name in header)}|"
            for row in rows:
                yield f"| {' | '.join(map(_escaped, row))} |"
        case Entry(name=name, remark=remark, quote=quote, words=words, latex=latex):
            yield f"**{_escaped(name)}**" + (f" ({_escaped(remark)})" if remark else "")
            if quote:
                yield from ("", f"> {_escaped(quote)}")
            for line in words:
                yield from ("", _escaped(line))
            for line in latex:
                yield from ("", "$$", line, "$$")


# ---- a terminal ------------------------------------------------------------------------------------------------------


def show(blocks: Sequence[Block]) -> None:
    """Print blocks: rich tables on a terminal, else plain text."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        print(as_text(blocks), end="")
        return
    from rich.box import SIMPLE_HEAD
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    for block in blocks:
        match block:
            case Heading(text=text, level=level):
                console.print()
                console.print(Text(one_line(text), style="bold underline" if level == 1 else "bold"))
            case Paragraph(text=text):
                console.print(Text(one_line(text)))
            case Table(header=header, rows=rows, right=right):
                table = RichTable(box=SIMPLE_HEAD)
                for name in header:
                    table.add_column(Text(one_line(name)), justify="right" if name in right else "left")
                for row in rows:
                    table.add_row(*(Text(one_line(cell)) for cell in row))
                console.print(table)
            case Entry():
                console.print(Text(_titled(block), style="bold"))
                for place, line in enumerate(_details(block)):
                    quoted = bool(block.quote) and place == 0
                    console.print(Padding(Text(line, style="italic" if quoted else ""), (0, 0, 0, 4)))
