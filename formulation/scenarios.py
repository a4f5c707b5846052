"""One problem under several assumptions, each solved for itself, side by side in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from data.errors import UserError
from formulation.binding import Key, show_key
from formulation.lines import shown
from formulation.model import Model
from formulation.numbers import Number
from formulation.report import Block, Paragraph, Table, as_text
from formulation.schema import suggestion
from formulation.solve import Solution, Status, solve

if TYPE_CHECKING:
    import pandas

__all__ = ["Edit", "Scenario", "Scenarios", "scenarios"]

Edit = Mapping[str, Any] | Callable[[Model], Model]
"""Data by name as for `Model.with_data`, or a function that makes the edited model of the given one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What came of one scenario, as in a `Solution`; `values` are those of the chosen variables."""

    name: str
    status: Status
    reason: str
    objective: Fraction | None
    bound: Fraction | None
    values: Mapping[tuple[str, Key], Fraction]


@dataclass(frozen=True, slots=True)
class Scenarios:
    """What came of all of them, in the order given."""

    rows: tuple[Scenario, ...]

    @property
    def columns(self) -> tuple[tuple[str, Key], ...]:
        """The chosen variables by name and key: those of any scenario, as data may change what there is."""
        return tuple(dict.fromkeys(at for row in self.rows for at in row.values))

    def table(self) -> Table:
        """One row for each scenario; what a scenario does not have is empty."""
        header = ("scenario", "status", "objective", *(show_key(*at) for at in self.columns))
        rows = tuple(
            (row.name, row.status, *map(_cell, (row.objective, *(row.values.get(at) for at in self.columns))))
            for row in self.rows
        )
        return Table(header, rows, frozenset(header[2:]))

    def blocks(self) -> tuple[Block, ...]:
        """The table, and below it the reasons of what is not optimal, for `formulation.report`."""
        reasons = (Paragraph(f"{row.name}: {row.reason}") for row in self.rows if row.reason)
        return (self.table(), *reasons)

    @property
    def text(self) -> str:
        """Plain text."""
        return as_text(self.blocks())

    def plain(self) -> list[dict[str, Any]]:
        """One JSON object for each scenario: numbers as such where they read back exactly, else as text."""
        return [
            {
                "scenario": row.name,
                "status": row.status,
                "reason": row.reason,
                "objective": _plain(row.objective),
                "bound": _plain(row.bound),
                "values": {show_key(*at): _plain(value) for at, value in row.values.items()},
            }
            for row in self.rows
        ]

    def frame(self) -> pandas.DataFrame:
        """A DataFrame of floats with the scenarios' names as its index. Raises UserError where pandas is missing."""
        try:
            import pandas
        except ImportError:
            raise UserError("a DataFrame needs pandas: pip install pandas") from None
        records = [
            {
                "status": row.status,
                "objective": _float(row.objective),
                **{show_key(*at): _float(row.values.get(at)) for at in self.columns},
            }
            for row in self.rows
        ]
        return pandas.DataFrame(records, index=pandas.Index([row.name for row in self.rows], name="scenario"))


def scenarios(
    model: Model, edits: Sequence[Edit] | Mapping[str, Edit], *, values: Iterable[str] | None = None, **options: Any
) -> Scenarios:
    """Solve a model under each of several edits, each made of the model as it is given.

    `edits` stand under their names; in a list a scenario is called after its data or its function, else after its
    place. `values` names the variables whose values are told, with all their elements (default: those without an
    index). `options` are those of `formulation.solve.solve`; its time limit is for each scenario. All edits are made
    and their data read before the first is solved. Raises UserError or DataError that names the scenario.
    """
    named = edits.items() if isinstance(edits, Mapping) else ((_name(edit, n), edit) for n, edit in enumerate(edits, 1))
    edited = {name: _edited(model, name, edit) for name, edit in _unique(named)}
    chosen = None if values is None else set(values)
    known = dict.fromkeys(name for one in edited.values() for name in one.problem.variables)
    for name in chosen or ():
        if name not in known:
            raise UserError(f"values: no variable '{name}'{suggestion(name, known)}")
    rows = []
    for name in list(edited):
        solution = solve(edited.pop(name), **options)
        rows.append(_row(name, solution, chosen))
    return Scenarios(tuple(rows))


def _row(name: str, solution: Solution, chosen: set[str] | None) -> Scenario:
    values = {
        (variable, key): value
        for (variable, key), value in solution.values.items()
        if (not key if chosen is None else variable in chosen)
    }
    return Scenario(name, solution.status, solution.reason, solution.objective, solution.bound, values)


def _edited(model: Model, name: str, edit: Any) -> Model:
    if not isinstance(edit, Mapping) and not callable(edit):
        raise UserError(f"scenario {name}: give data by name, or a function that edits the model")
    try:
        found = model.with_data(edit) if isinstance(edit, Mapping) else edit(model)
        if not isinstance(found, Model):
            raise UserError("its function returns no Model")
        _ = found.bound
    except UserError as error:
        raise type(error)(f"scenario {name}: {error}") from None
    return found


def _unique(named: Iterable[tuple[str, Edit]]) -> Iterator[tuple[str, Edit]]:
    """Names with their edits; of those in a list that are alike, the later ones are numbered."""
    seen: dict[str, int] = {}
    for name, edit in named:
        seen[name] = seen.get(name, 0) + 1
        yield (f"{name} ({seen[name]})" if seen[name] > 1 else name), edit


def _name(edit: Edit, place: int) -> str:
    if isinstance(edit, Mapping):
        if all(isinstance(value, str | int | float | Fraction) for value in edit.values()):
            return ", ".join(f"{name} = {value}" for name, value in edit.items()) or "as given"
        return str(place)
    name = getattr(edit, "__name__", "<lambda>")
    return str(place) if name == "<lambda>" else name


def _cell(value: Fraction | None) -> str:
    return "" if value is None else shown(value)


def _plain(value: Fraction | None) -> Any:
    return None if value is None else Number(value).plain()


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
