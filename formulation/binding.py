"""A problem with its data: sets and parameters read from where they lie, every key checked."""

from __future__ import annotations

import csv
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from data.errors import DataError, UserError
from formulation.expressions import Element
from formulation.numbers import Rational, number
from formulation.schema import Members, Parameter, Problem, Table, suggestion

__all__ = ["Bound", "BoundSet", "Key", "bind", "open_table", "show_key"]

Key = tuple[Element, ...]


def show_key(name: str, key: Key) -> str:
    """`demand['north', 3]`."""
    return f"{name}[{', '.join(map(repr, key))}]" if key else name


@dataclass(frozen=True)
class BoundSet:
    """A set's members in order, as tuples even where they are single elements."""

    name: str
    items: tuple[Key, ...]
    ordered: bool
    dimension: int
    position: dict[Key, int]
    _by: dict[tuple[int, ...], dict[Key, list[Key]]] = field(default_factory=dict, repr=False)
    _texts: dict[tuple[str, ...], Key] = field(default_factory=dict, repr=False)

    def by(self, places: tuple[int, ...]) -> dict[Key, list[Key]]:
        """Members grouped by what stands at some of their places."""
        if places not in self._by:
            groups: dict[Key, list[Key]] = {}
            for item in self.items:
                groups.setdefault(tuple(item[i] for i in places), []).append(item)
            self._by[places] = groups
        return self._by[places]

    def find(self, given: tuple[Any, ...]) -> Key | None:
        """The member that is written like `given`: in files and JSON keys the element 3 is the text "3"."""
        try:
            place = self.position.get(given)
        except TypeError:  # a list or the like is no element
            return None
        if place is not None:
            return self.items[place]
        if not self._texts:
            self._texts.update((tuple(map(str, item)), item) for item in self.items)
        return self._texts.get(tuple(part.strip() if isinstance(part, str) else str(part) for part in given))


@dataclass(frozen=True)
class Bound:
    """A problem, its sets and the values of its parameters."""

    problem: Problem
    sets: Mapping[str, BoundSet]
    parameters: Mapping[str, Mapping[Key, Rational]]

    def places(self, name: str) -> tuple[str | None, ...]:
        """For each place of a set's tuples, the set that it runs through."""
        members = self.sets[name]
        if members.dimension == 1:
            return (name,)
        within = self.problem.sets[name].within
        return tuple(place for part in within for place in self.places(part)) or (None,) * members.dimension

    def parameter(self, name: str, key: Key) -> Rational:
        """A parameter's value, or its default. Raises DataError where it has neither."""
        try:
            return self.parameters[name][key]
        except KeyError:
            default = self.problem.parameters[name].default
            if default is None:
                raise DataError(
                    f"{show_key(name, key)} has no value: add it to the data of '{name}', or give '{name}' a default"
                ) from None
            return default.rational


def bind(problem: Problem, data: Mapping[str, Any] | None = None, folder: Path | None = None) -> Bound:
    """Read a problem's sets and parameters.

    `data` holds tables by the names that the problem's tables say (a DataFrame, a list of records, or a file's path),
    and values for sets and parameters by their own names, which replace what the problem says. `folder` is where the
    problem's files lie. Raises DataError or UserError with the place.
    """
    given = dict(data or {})
    known = {*problem.sets, *problem.parameters, *_table_names(problem)}
    for name in given:
        if name not in known:
            raise UserError(f"data '{name}': the problem names no such data{suggestion(name, known)}")
    reader = _Reader(given, folder or Path())
    sets = _bind_sets(problem, given, reader)
    values: dict[str, dict[Key, Rational]] = {}
    for name, parameter in problem.parameters.items():
        place = f"parameters.{name}"
        index = []
        for wanted in parameter.index:
            if wanted not in sets:
                raise UserError(f"{place}.index: no set '{wanted}'{suggestion(wanted, sets)}")
            index.append(sets[wanted])
        if name in given:
            found = _given_values(parameter, given[name], place, reader)
        else:
            found = _own_values(parameter, place, reader)
        values[name] = _checked(found, index, place, parameter)
    return Bound(problem, sets, values)


def _table_names(problem: Problem) -> Iterator[str]:
    tables = [owner.table for owner in problem.sets.values()] + [owner.table for owner in problem.parameters.values()]
    for table in tables:
        if table is not None and table.name is not None:
            yield table.name


# ---- sets ------------------------------------------------------------------------------------------------------------


def _bind_sets(problem: Problem, given: Mapping[str, Any], reader: _Reader) -> dict[str, BoundSet]:
    bound: dict[str, BoundSet] = {}
    waiting = dict(problem.sets)
    while waiting:
        ready = [name for name, members in waiting.items() if not any(part in waiting for part in members.within)]
        if not ready:
            raise UserError(f"sets.{min(waiting)}.within: the sets {', '.join(sorted(waiting))} refer to each other")
        for name in ready:
            bound[name] = _bind_set(name, waiting.pop(name), bound, given, reader)
    return bound


def _bind_set(
    name: str, members: Members, bound: Mapping[str, BoundSet], given: Mapping[str, Any], reader: _Reader
) -> BoundSet:
    place = f"sets.{name}"
    for part in members.within:
        if part not in bound:
            raise UserError(f"{place}.within: no set '{part}'{suggestion(part, bound)}")
    ordered = members.ordered or members.range is not None
    if name in given:
        members = _given_members(given[name], place).model_copy(update={"within": members.within})
    raw: Iterable[tuple[Any, ...]]
    if members.range is not None:
        raw = ((i,) for i in range(members.range[0], members.range[1] + 1))
    elif members.elements is not None:
        raw = (item if isinstance(item, tuple) else (item,) for item in members.elements)
    else:
        assert members.table is not None
        raw = _whole_numbers((key for key, _ in reader.rows(members.table, place, values=False)), place)
    items: dict[Key, int] = {}
    for item in raw:
        if members.within:
            item = _member(item, members.within, bound, place)
        if item in items and members.table is None:
            raise DataError(f"{place}: {_shown(item)} is there twice")
        items.setdefault(item, len(items))
    lengths = {len(item) for item in items}
    if len(lengths) > 1:
        raise DataError(f"{place}: its members have different lengths: {_shown(next(iter(items)))} and others")
    dimension = sum(bound[part].dimension for part in members.within) or next(
        iter(lengths), len(members.table.keys) if members.table is not None else 1
    )
    return BoundSet(name, tuple(items), ordered, dimension, items)


def _given_members(given: Any, place: str) -> Members:
    """A set that replaces a problem's: a list, a NumPy or pandas array, or what stands in a problem."""
    if not isinstance(given, Mapping):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise DataError(f"{place}: give its members as a list, not as a {type(given).__name__}")
        given = given.tolist() if hasattr(given, "tolist") else list(given)
    try:
        return Members.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


def _whole_numbers(keys: Iterable[tuple[Any, ...]], place: str) -> list[tuple[Any, ...]]:
    """Keys of a file, with the texts of a column as integers where all of them are (and none is like 007)."""
    rows = list(keys)
    # pandas turns a column of whole numbers with a gap into floats.
    texts = [[x.strip() if type(x) is str else _cell(x) for x in column] for column in zip(*rows, strict=True)]
    if any(text in ("", "nan") for column in texts for text in column):
        raise DataError(f"{place}: a row has no key: fill its cells, or leave the row out")
    found = [list(map(int, column)) if all(map(_WHOLE.fullmatch, column)) else column for column in texts]
    return list(zip(*found, strict=True))


def _cell(x: Any) -> str:
    return str(int(x) if isinstance(x, float) and x.is_integer() else "" if x is None else x).strip()


def _member(item: tuple[Any, ...], within: Sequence[str], bound: Mapping[str, BoundSet], place: str) -> Key:
    parts: list[Element] = []
    at = 0
    for name in within:
        members = bound[name]
        part = members.find(item[at : at + members.dimension])
        if part is None:
            raise DataError(f"{place}: {_shown(item)} has {_shown(item[at : at + members.dimension])}, not in '{name}'")
        parts += part
        at += members.dimension
    if at != len(item):
        raise DataError(f"{place}: {_shown(item)} has {len(item)} parts, not the {at} of {', '.join(within)}")
    return tuple(parts)


# ---- parameters ------------------------------------------------------------------------------------------------------

_Pairs = Iterable[tuple[tuple[Any, ...], Any]]
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")


def _own_values(parameter: Parameter, place: str, reader: _Reader) -> _Pairs:
    if parameter.table is not None:
        return reader.rows(parameter.table, place)
    if parameter.values is not None:
        return _inline(parameter.values, len(parameter.index), place)
    if parameter.value is not None:
        return [((), parameter.value)]
    if parameter.default is not None:
        return []
    raise DataError(f"{place}: has no value: give it a 'value', or name it in with_data")


def _given_values(parameter: Parameter, given: Any, place: str, reader: _Reader) -> _Pairs:
    if not parameter.index:
        return [((), given)]
    records = isinstance(given, list | tuple) and given and all(isinstance(row, Mapping) for row in given)
    if isinstance(given, str | Path) or hasattr(given, "columns") or records:
        table = parameter.table or Table(name="data", keys=parameter.index)
        return reader.rows(table.model_copy(update={"file": None, "name": "data"}), place, source=given)
    if hasattr(given, "items") and not isinstance(given, Mapping):  # a pandas Series
        return [(key if isinstance(key, tuple) else (key,), value) for key, value in given.items()]
    return _inline(given, len(parameter.index), place)


def _inline(values: Any, depth: int, place: str) -> _Pairs:
    """Pairs of key and value from nested mappings, from tuple keys, or from rows that end in the value."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            parts = key if isinstance(key, tuple) else (key,)
            if isinstance(value, Mapping) and len(parts) < depth:
                for rest, inner in _inline(value, depth - len(parts), f"{place}.{key}"):
                    yield (*parts, *rest), inner
            else:
                yield parts, value
    elif isinstance(values, list | tuple):
        for i, row in enumerate(values):
            if not isinstance(row, list | tuple) or not row:
                raise DataError(f"{place}.values[{i}]: write a row of the index and its value")
            yield tuple(row[:-1]), row[-1]
    else:
        raise DataError(f"{place}: a {type(values).__name__} holds no values by key: give a mapping, rows or a table")


def _checked(pairs: _Pairs, index: Sequence[BoundSet], place: str, parameter: Parameter) -> dict[Key, Rational]:
    found: dict[Key, Rational] = {}
    width = sum(members.dimension for members in index)
    single = index[0] if len(index) == 1 else None
    for raw, value in pairs:
        if len(raw) != width:
            raise DataError(f"{place}: the key {_shown(raw)} has {len(raw)} parts, its index has {width}")
        if single is not None:
            key = single.find(raw)
            if key is None:
                raise DataError(f"{place}: {_shown(raw)} is not in '{single.name}'{_like(raw, single)}")
        else:
            parts: list[Element] = []
            at = 0
            for members in index:
                part = members.find(raw[at : at + members.dimension])
                if part is None:
                    wrong = raw[at : at + members.dimension]
                    raise DataError(f"{place}: {_shown(wrong)} is not in '{members.name}'{_like(wrong, members)}")
                parts += part
                at += members.dimension
            key = tuple(parts)
        if key in found:
            raise DataError(f"{place}: {_shown(key)} has two values: keep one")
        found[key] = _rational(value, place, key)
    if parameter.default is None and width:
        every = (tuple(itertools.chain.from_iterable(part)) for part in itertools.product(*(s.items for s in index)))
        for key in single.items if single is not None else every:
            if key not in found:
                raise DataError(f"{place}: {_shown(key)} has no value: add it, or give '{place[11:]}' a default")
    return found


def _rational(value: Any, place: str, key: Key) -> Rational:
    if type(value) is int:
        return value
    if type(value) is str and _WHOLE.fullmatch(value):
        return int(value)
    try:
        return number(value).rational
    except ValueError as error:
        raise DataError(f"{place}{list(key) if key else ''}: {error}") from None


def _shown(key: tuple[Any, ...]) -> str:
    return repr(key[0]) if len(key) == 1 else f"({', '.join(map(repr, key))})"


def _like(raw: tuple[Any, ...], members: BoundSet) -> str:
    if len(raw) != 1 or len(members.items) > 10_000:
        return ""
    return suggestion(str(raw[0]), [str(item[0]) for item in members.items])


# ---- tables ----------------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Rows of tables, from files or from data given by name."""

    given: Mapping[str, Any]
    folder: Path

    def rows(self, table: Table, place: str, *, values: bool = True, source: Any = None) -> _Pairs:
        """Pairs of key and value of a table's rows. Raises DataError."""
        if source is None:
            if table.name is not None and table.name not in self.given:
                raise DataError(f"{place}: no data named '{table.name}' was given: pass it to with_data")
            source = self.given[table.name] if table.name is not None else str(table.file)
        where = f"{place}: {self.folder / source}" if isinstance(source, str | Path) else place
        header, records = open_table(source, table.sheet, where, self.folder)
        header = [" ".join(name.split()) for name in header]  # Excel breaks long names into lines
        keys = [_column(name, header, where) for name in table.keys]
        key = _picker(keys)
        if not values:
            for record in records:
                yield key(record), None
        elif table.wide:
            others = [i for i in range(len(header)) if i not in keys]
            for record in records:
                for i in others:
                    if record[i] not in ("", None) and record[i] == record[i]:  # pandas' empty cell is NaN
                        yield (*key(record), header[i]), record[i]
        else:
            rest = [i for i in range(len(header)) if i not in keys]
            if table.value is None and len(rest) != 1:
                raise DataError(f"{where}: name the column of the values ('value'), one of {', '.join(header)}")
            at = _column(table.value, header, where) if table.value is not None else rest[0]
            for record in records:
                yield key(record), record[at]


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What stands at some places of a record."""
    if len(places) > 1:
        return operator.itemgetter(*places)
    return lambda record: tuple(record[i] for i in places)


def _column(name: str, header: Sequence[str], where: str) -> int:
    if header.count(name) != 1:
        if name in header:
            raise DataError(f"{where}: two columns are named '{name}': rename one")
        raise DataError(f"{where}: no column '{name}'{suggestion(name, header)} (it has {', '.join(header)})")
    return header.index(name)


def open_table(source: Any, sheet: str | None, where: str, folder: Path) -> tuple[list[str], Iterator[Sequence[Any]]]:
    """A table's header and its rows."""
    if hasattr(source, "columns") and hasattr(source, "itertuples"):
        named = source.reset_index() if any(name is not None for name in source.index.names) else source
        return [str(name) for name in named.columns], named.itertuples(index=False, name=None)
    if isinstance(source, str | Path):
        path = Path(source)
        path = path if path.is_absolute() else folder / path
        try:
            there = path.is_file()
        except OSError as error:
            raise DataError(f"{where}: cannot be read ({error.strerror})") from None
        if not there:
            raise DataError(f"{where} does not exist")
        if path.suffix.lower() == ".xlsx":
            return _xlsx(path, sheet, where)
        return _csv(path, where)
    if isinstance(source, list | tuple) and source and all(isinstance(row, Mapping) for row in source):
        header = list(dict.fromkeys(str(key) for row in source for key in row))
        return header, (tuple(row.get(key, "") for key in header) for row in source)
    raise DataError(f"{where}: a {type(source).__name__} is no table: give a file, a DataFrame or a list of records")


def _csv(path: Path, where: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
    def rows() -> Iterator[list[str]]:
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                for row in csv.reader(file):
                    if row:
                        yield row
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{where}: cannot be read as CSV in UTF-8 ({error})") from None
        except OSError as error:
            raise DataError(f"{where}: cannot be read ({error.strerror})") from None

    lines = rows()
    header = next(lines, [])
    if not header:
        raise DataError(f"{where}: is empty: its first line names the columns")

    def checked() -> Iterator[list[str]]:
        for number_, row in enumerate(lines, start=2):
            if len(row) != len(header):
                raise DataError(f"{where}: row {number_} has {len(row)} fields, the header {len(header)}")
            yield row

    return header, checked()


def _xlsx(path: Path, sheet: str | None, where: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
    try:
        import openpyxl
    except ImportError:
        raise UserError(
            f"{where}: reading XLSX needs openpyxl: pip install openpyxl, or save the sheet as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise DataError(f"{where}: cannot be read as XLSX ({type(error).__name__})") from None
    if sheet is not None and sheet not in book.sheetnames:
        raise DataError(f"{where}: no sheet '{sheet}'{suggestion(sheet, book.sheetnames)}")
    try:
        page = book[sheet] if sheet is not None else book.worksheets[0]
        first, *rows = [row for row in page.iter_rows(values_only=True) if any(cell is not None for cell in row)]
    except ValueError:
        raise DataError(f"{where}: is empty: its first row names the columns") from None
    except Exception as error:
        raise DataError(f"{where}: cannot be read as XLSX ({type(error).__name__})") from None
    finally:
        book.close()
    named = [i for i, name in enumerate(first) if name is not None]
    filled = ([row[i] if i < len(row) else None for i in named] for row in rows)
    return [str(first[i]) for i in named], filled
