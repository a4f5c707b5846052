"""A problem with its data, ready to be used: solved, checked, edited, explained, exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from data.errors import UserError
from formulation.binding import Bound, Key, bind, show_key
from formulation.expressions import constant, expression
from formulation.ground import Ground, ground
from formulation.kinds.base import Constraint
from formulation.linearize import Matrix, linearize
from formulation.lines import one_line
from formulation.schema import Problem, read_problem, suggestion

if TYPE_CHECKING:
    from formulation.equivalence import Comparison
    from formulation.explain import Explanation
    from formulation.infeasible import IIS
    from formulation.scenarios import Edit, Scenarios
    from formulation.solve import Solution
    from formulation.verify import Verdict

__all__ = ["Model", "load"]

_NAME: Final = 60  # characters of a name in a repr


@dataclass(frozen=True)
class Model:
    """A problem and its data. Edits give a new model; what is derived from it (such as a big-M) is derived again.

    `folder` is where the files of its tables lie. `ignore_strict` reads < as <=, as NL4Opt's gold models do.
    """

    problem: Problem
    data: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    ignore_strict: bool = False

    def __repr__(self) -> str:
        problem = self.problem
        name = shorten(one_line(problem.name or problem.text or ""), _NAME, placeholder=" ...")
        goals = problem.objective.goals() if problem.objective is not None else ()
        sought = (goals[0].sense if len(goals) == 1 else f"{len(goals)} goals") if goals else "no objective"
        counts = ((len(problem.variables), "variable"), (len(problem.constraints), "statement"))
        parts = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts]
        return f"<Model{f' {name!r}' if name else ''}: {', '.join([*parts, sought])}>"

    @cached_property
    def bound(self) -> Bound:
        """The problem with every set and parameter read. Raises DataError."""
        from formulation.check import check

        check(self.problem)
        return bind(self.problem, self.data, self.folder)

    @cached_property
    def ground(self) -> Ground:
        """Every column, and every statement for every binding of its symbols. Raises DataError."""
        return ground(self.bound, ignore_strict=self.ignore_strict)

    @cached_property
    def matrix(self) -> Matrix:
        """The model as columns and rows alone. Raises DataError."""
        return linearize(self.ground)

    # -- edits --

    def with_data(self, data: Mapping[str, Any] | None = None, **tables: Any) -> Model:
        """The same problem with other data: values by name of a parameter or set, tables by their names."""
        return replace(self, data={**self.data, **(data or {}), **tables})

    def add(self, statement: Constraint | Mapping[str, Any]) -> Model:
        """The model with one more constraint, a record of a kind or its JSON values. Raises UserError."""
        given = statement if isinstance(statement, Constraint) else dict(statement)
        constraints = [*self.problem.constraints, given]
        return self._with(constraints=constraints)

    def relax(self, *ids: str) -> Model:
        """The model without some constraints. Raises UserError for an unknown id."""
        for name in ids:
            self.problem.constraint(name)
        return self._with(constraints=[c for c in self.problem.constraints if c.id not in ids])

    def fix(self, name: str, value: Any, key: Key | str | int = ()) -> Model:
        """The model with a variable (for an indexed one, its element `key`) held at a value. Raises UserError."""
        if name not in self.problem.variables:
            raise UserError(f"no variable '{name}'{suggestion(name, self.problem.variables)}")
        ref = expression(show_key(name, key if isinstance(key, tuple) else (key,)))
        try:
            row = f"{ref} == {constant(value)}"
        except ValueError as error:
            raise UserError(f"fix {ref}: {error}") from None
        return self.add({"kind": "linear", "row": row, "label": f"{ref} is fixed"})

    def _with(self, **changed: Any) -> Model:
        fields = {name: getattr(self.problem, name) for name in Problem.model_fields}
        return replace(self, problem=read_problem({**fields, **changed}))

    # -- use --

    def solve(self, **options: Any) -> Solution:
        """Solve it: see `formulation.solve.solve`."""
        from formulation.solve import solve

        return solve(self, **options)

    def scenarios(
        self, edits: Sequence[Edit] | Mapping[str, Edit], *, values: Iterable[str] | None = None, **options: Any
    ) -> Scenarios:
        """Solve it under each of several edits, side by side: see `formulation.scenarios.scenarios`."""
        from formulation.scenarios import scenarios

        return scenarios(self, edits, values=values, **options)

    def verify(self, point: Solution | Mapping[Any, Any], **options: Any) -> Verdict:
        """Check a solution, or values, against every statement's own meaning: see `formulation.verify.verify`."""
        from formulation.verify import verify

        return verify(self, point, **options)

    def explain(self, solution: Solution | None = None, *, time_limit: float | None = None) -> Explanation:
        """Say it, and a result of it, in plain language: see `formulation.explain.explain`."""
        from formulation.explain import explain

        return explain(self, solution, time_limit=time_limit)

    def compare(self, other: Model, **options: Any) -> Comparison:
        """Say whether it and another are equivalent: see `formulation.equivalence.compare`."""
        from formulation.equivalence import compare

        return compare(self, other, **options)

    def iis(self, *, time_limit: float | None = None) -> IIS:
        """Find the conflict because of which it has no solution: see `formulation.infeasible.iis`."""
        from formulation.infeasible import iis

        return iis(self, time_limit=time_limit)

    def export(self, path: str | Path) -> tuple[Path, ...]:
        """Write it in the form that the path's suffix names: see `formulation.export.export`."""
        from formulation.export import export

        return export(self, path)


def load(source: str | Path | Mapping[str, Any] | Problem, **data: Any) -> Model:
    """A model from a JSON, YAML, LP or MPS file, from its values, or from a problem; `data` as for `Model.with_data`.

    Raises UserError or DataError, one line with the place.
    """
    from formulation.files import read_file

    if isinstance(source, Problem):
        return Model(source, data)
    if isinstance(source, Mapping):
        return Model(read_problem(source), data)
    path = Path(source)
    if path.suffix.lower() in (".lp", ".mps"):
        from formulation.lp_reader import read_rows

        return Model(read_rows(path), data, path.parent)
    return Model(read_file(path), data, path.parent)
