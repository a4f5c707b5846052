"""Tables beside a text: what is given, what the text speaks of and does not hold, and which of them a model uses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from data.errors import DataError, UserError
from formulation.binding import open_table
from formulation.lines import one_line
from formulation.quantities import numbers_in
from formulation.rules import Finding
from formulation.schema import Problem, suggestion
from formulation.sentences import sentence_at, sentences

__all__ = ["Given", "data_of", "given_tables", "listed", "not_given", "not_used", "references", "tables_in"]

_MOST_COLUMNS: Final = 30  # that a model is told
_CELL: Final = 40  # characters of a header or a cell that a model is told


@dataclass(frozen=True, eq=False)
class Given:
    """A table given by name: its source as `Model.with_data` takes it, its columns, and its first row as texts."""

    name: str
    source: Any
    columns: tuple[str, ...]
    first: tuple[str, ...]


def given_tables(data: Mapping[str, Any] | None) -> tuple[Given, ...]:
    """The tables of `data`, by name a CSV or XLSX file, a DataFrame or a list of records.

    Raises UserError or DataError, one line that names the table.
    """
    found = []
    for name, source in (data or {}).items():
        if not isinstance(name, str) or not name.strip() or one_line(name) != name:
            raise UserError(f"data {name!r:.60}: name a table by a word")
        where = f"data '{name}': {source}" if isinstance(source, str | Path) else f"data '{name}'"
        columns, rows = open_table(source, None, where, Path())
        first = next(iter(rows), None)
        if first is None:
            raise DataError(f"{where}: holds no rows: below its header there is nothing")
        texts = tuple("" if cell is None else str(cell) for cell in first)
        found.append(Given(name, source, tuple(" ".join(column.split()) for column in columns), texts))
    return tuple(found)


def listed(tables: Sequence[Given]) -> str:
    """`Tables given: costs (columns plant, market, cost; first row north, a, 4)`."""
    return f"Tables given: {'; '.join(map(_listed, tables))}."


def _listed(table: Given) -> str:
    columns, first = (
        ", ".join(one_line(cell)[:_CELL] for cell in cells[:_MOST_COLUMNS]) for cells in (table.columns, table.first)
    )
    left = len(table.columns) - _MOST_COLUMNS
    more = f" and {left} more" if left > 0 else ""
    return f"{table.name} (columns {columns}{more}; first row {first})"


def tables_in(problem: Problem) -> Iterator[str]:
    """The names of the tables that a problem's sets and parameters are read from. Raises DataError for a file."""
    for what, owners in (("sets", problem.sets), ("parameters", problem.parameters)):
        for name, owner in owners.items():
            if owner.table is not None and owner.table.name is None:
                raise DataError(f"{what}.{name}.table: name a given table: a document opens no file")
            if owner.table is not None and owner.table.name is not None:
                yield owner.table.name


def data_of(problem: Problem, tables: Sequence[Given]) -> dict[str, Any]:
    """The tables that a problem uses, as the data of its model. Raises DataError for one that is not given."""
    known = {table.name: table.source for table in tables}
    wanted = list(dict.fromkeys(tables_in(problem)))
    for name in wanted:
        if name not in known:
            raise DataError(f"no table '{name}' is given{suggestion(name, known)}")
    return {name: known[name] for name in wanted}


# ---- what a text speaks of -------------------------------------------------------------------------------------------

_FILE: Final = re.compile(r"(?<![\w/\\.-])[\w./\\-]*\w\.(?:csv|tsv|xlsx?|ods|parquet)\b", re.I)
_SHEET: Final = r"(?:tables?|spreadsheets?|workbooks?|worksheets?|appendix|appendices|exhibits?|annex)"
_HOLDER: Final = r"(?:tables?|spreadsheets?|workbooks?|worksheets?|files?|data ?sets?|data|lists?|figures|sheets?)"
_SAYS: Final = r"(?:shows?|gives?|lists?|says?|contains?|holds?|provides?|summari[sz]es?|reports?|states?)"
_TOLD: Final = r"(?:given|shown|listed|found|provided|summari[sz]ed|reported|stated|specified|contained|set out)"
_ELSEWHERE: Final = re.compile(
    rf"\b(?:attached|enclosed|accompanying|appended) (?:\w+ )?{_HOLDER}\b"
    rf"|\b(?:the|these) (?:following )?tables? (?:below|above)\b(?!\s+\$?\d)"
    r"|\bthe following (?:two |three )?(?:tables?|spreadsheet)\b"
    rf"|\b(?:in|see|from|per|by|according to) (?:the )?{_SHEET} [A-Z]?\.?\d+\b|\btable \d+ {_SAYS}\b"
    rf"|\b{_TOLD} (?:below )?in (?:the |a |an |our )?(?:\w+ )?{_SHEET}\b(?! (?:\w+ )?(?:and|or)\b)"
    r"|\b(?:in|see|from) (?:the|a|an|our) (?:spreadsheet|workbook|worksheet|appendix)\b"
    rf"|\bthe (?:data )?tables? (?:below |above )?(?:{_SAYS}) (?:the|what|how|which|each|every|all)\b",
    re.I,
)
_FIGURES: Final = 3  # so many numbers beside words such as "the following table" are its numbers
_PROSE: Final = 6  # words of a line that is no row of a table


def references(text: str) -> tuple[tuple[int, int], ...]:
    """Where a text speaks of data that it does not hold: names of files, "the attached sheet", "Table 2".

    Words such as "the table below" count only where neither rows of numbers nor several numbers stand by them.
    """
    files = [match.span() for match in _FILE.finditer(text)]
    others = [match.span() for match in _ELSEWHERE.finditer(text)]
    if others and not _holds_rows(text):
        figures = [one.start for one in numbers_in(text)]
        places = sentences(text)
        for start, end in others:
            if any(a < end and b > start for a, b in files):
                continue
            at = sentence_at(places, start)
            last = places[min(at + 1, len(places) - 1)][1] if at is not None else end
            if sum(end <= one < last for one in figures) < _FIGURES:
                files.append((start, end))
    return tuple(sorted(files))


def _holds_rows(text: str) -> bool:
    """Whether two lines in a row are no prose and hold a number each."""
    rows = [
        any(map(str.isdigit, line)) and len(re.findall(r"[^\W\d]{2,}", line)) < _PROSE
        for line in text.splitlines()
        if re.search(r"\w", line)
    ]
    # The last line of a wrapped paragraph may be short: one such line is no table.
    return any(one and other for one, other in itertools.pairwise(rows))


def not_given(text: str, tables: Sequence[Given]) -> Iterator[Finding]:
    """A finding for what a text speaks of that it does not hold and that is not given."""
    known = {_stem(table.name) for table in tables}
    known |= {_stem(str(table.source)) for table in tables if isinstance(table.source, str | Path)}
    told = set()
    for start, end in references(text):
        words = one_line(text[start:end])
        is_file = _FILE.fullmatch(text, start, end) is not None
        # Other words than a file's name do not say which table is meant: any will do.
        if words.lower() in told or (_stem(words) in known if is_file else tables):
            continue
        told.add(words.lower())
        name = f"{_stem(words)}={words}" if is_file else "NAME=FILE.csv"
        why = f"the text speaks of '{words}', which it does not hold: give it with --data {name} (data= in Python)"
        yield Finding("data", start, end, why)


def not_used(text: str, problem: Problem | None, tables: Sequence[Given], why: str) -> Iterator[Finding]:
    """A finding for the given tables that a problem does not use; `why` is said where it is known."""
    used = set(tables_in(problem)) if problem is not None else set()
    names = [table.name for table in tables if table.name not in used]
    if not names:
        return
    match = re.search(rf"\b{re.escape(names[0])}\b", text, re.I)
    start, end = match.span() if match is not None else (0, len(text))
    quoted = ", ".join(f"'{name}'" for name in names)
    said = f"the table {quoted} is not used" if len(names) == 1 else f"the tables {quoted} are not used"
    yield Finding("data", start, end, f"{said}: {why or 'no set and no parameter of the model is read from it'}")


def _stem(name: str) -> str:
    return re.split(r"[/\\]", name)[-1].rpartition(".")[0].lower() or name.lower()
