"""Every worked problem loads, is solved and verified, goes to every form and back; those without a solution say why."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from data.errors import UserError
from formulation.examples.make_tables import tables
from formulation.export import SUFFIXES
from formulation.model import load

FOLDER = Path(__file__).parents[2] / "formulation" / "examples"
FILES = sorted(path for suffix in ("json", "yaml") for path in FOLDER.glob(f"*.{suffix}"))
LARGE = {"arcs"}  # each form of it takes seconds, so it goes to two of them
GOALS = {"goals"}  # several objectives, one after the other, which LP and MPS cannot hold
INFEASIBLE = {
    "furniture_infeasible": {"carpentry", "promised", "ordered"},
    "projects_infeasible": {"in_time", "road_first", "bridge"},
}

every_example = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def models():
    """Each example, read once."""
    return {path.stem: load(path) for path in FILES}


@every_example
def test_a_problem_says_in_words_what_it_is(models, path):
    model = models[path.stem]
    assert model.problem.name
    assert len((model.problem.text or "").split()) > 25
    problem = model.problem
    assert all(one.label for one in (*problem.variables.values(), problem.objective) if not hasattr(one, "of"))
    others = [other for stem, other in models.items() if stem != path.stem]
    assert problem.name not in [other.problem.name for other in others]
    told = model.explain()
    assert [said.id for said in told.statements] == [c.id for c in problem.constraints]
    assert all(said.words and said.algebra for said in told.statements)


def test_ten_problems_differ_in_what_they_say(models):
    kinds = {stem: {c.kind for c in m.problem.constraints} for stem, m in models.items() if stem not in INFEASIBLE}
    assert len(kinds) >= 10
    assert len(set().union(*kinds.values())) >= 15


def test_the_large_ones_are_as_large_as_they_say(models):
    arcs, lots, transport = (models[stem].ground for stem in ("arcs", "lots", "transport"))
    assert len(arcs.columns) == 10_000
    assert {len(arcs.column["send"])} == {10_000}
    assert len(lots.column["make"]) == len(lots.column["stock"]) == 12 * 50
    assert len(transport.column["ship"]) == 20 * 30


@every_example
def test_its_solution_holds_by_every_statement_s_own_meaning(models, path):
    model, stem = models[path.stem], path.stem
    solution = model.solve()
    if stem in INFEASIBLE:
        assert solution.status == "infeasible"
        return
    assert solution.optimal
    verdict = model.verify(solution, time_limit=0)
    assert verdict.ok, verdict.text
    assert verdict.tolerance == 0
    assert verdict.objective == solution.objective


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        pytest.param(path, suffix, id=f"{path.stem}{suffix}")
        for path in FILES
        for suffix in (SUFFIXES if path.stem not in LARGE else (".lp", ".json"))
        if suffix != ".yml"  # is .yaml
    ],
)
def test_it_is_written_and_read_back_equivalent(models, tmp_path, path, suffix):
    model = models[path.stem]
    target = tmp_path / f"model{suffix}"
    if suffix in (".lp", ".mps") and path.stem in GOALS:
        with pytest.raises(UserError, match="objective"):
            model.export(target)
        assert not target.exists()
        return
    written = model.export(target)
    assert written[0] == target
    if suffix in (".lp", ".mps"):
        names = json.loads(written[1].read_text(encoding="utf-8"))
        assert {one["statement"] for one in names["rows"].values() if not one["derived"]} <= {
            c.id for c in model.problem.constraints
        }
    if suffix == ".py":
        ast.parse(target.read_text(encoding="utf-8"))
    elif suffix == ".md":
        text = target.read_text(encoding="utf-8")
        assert text.startswith(f"# {model.problem.name}\n")
        assert text.count("$$") % 2 == 0
    else:
        found = model.compare(load(target))
        assert found.verdict == "EQUIVALENT", found.reason
        assert found.exact


@pytest.mark.parametrize("stem", INFEASIBLE)
def test_one_without_a_solution_says_which_statements_clash(models, stem):
    model = models[stem]
    conflict = model.iis()
    assert conflict.irreducible
    assert set(conflict.statements) == INFEASIBLE[stem]
    assert all(model.relax(name).solve().optimal for name in conflict.statements)
    told = model.explain(model.solve())
    assert {clash.id for clash in told.outcome.conflict if clash.what == "statement"} == INFEASIBLE[stem]


def test_other_data_that_leave_no_solution_are_explained_too(models):
    model = models["transport"]
    amounts = {key[0]: value for key, value in model.bound.parameters["amount"].items()}
    halved = {place: amount // 2 if place.startswith("plant") else amount for place, amount in amounts.items()}
    supply = sum(amount for place, amount in halved.items() if place.startswith("plant"))
    conflict = model.with_data(amount=halved).iis()
    assert conflict.irreducible
    assert set(conflict.statements) == {"supply", "need"}
    (markets,) = [part.bindings for part in conflict.members if part.id == "need"]
    needs = [amounts[key[0]] for key in markets]
    assert sum(needs) > supply


def test_the_tables_are_those_that_the_script_writes(tmp_path):
    tables(tmp_path)
    written = sorted(tmp_path.iterdir())
    assert len(written) == 7
    for path in written:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()
