"""`python -m formulation`: what each command prints and returns, for people and for programs, and for bad input."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from formulation.__main__ import main
from formulation.model import load

EXAMPLES = Path(__file__).parents[2] / "formulation" / "examples"
FURNITURE = str(EXAMPLES / "furniture.json")
CROWDED = str(EXAMPLES / "furniture_infeasible.json")


def run(capsys, *argv):
    """The exit code, and what was printed for people."""
    status = main(list(map(str, argv)))
    printed = capsys.readouterr()
    assert printed.err == ""
    return status, printed.out


def run_json(capsys, *argv):
    status, out = run(capsys, *argv, "--json")
    return status, json.loads(out)


@pytest.fixture(params=["json", "yaml", "lp", "mps"])
def furniture(request, capsys, tmp_path):
    """The furniture problem in each form that can be read."""
    path = tmp_path / f"furniture.{request.param}"
    status, out = run(capsys, "export", FURNITURE, path)
    assert status == 0
    assert str(path) in out
    return path


def test_every_form_is_solved_verified_explained_compared_and_exported(capsys, tmp_path, furniture):
    status, solved = run_json(capsys, "solve", furniture)
    assert (status, solved["status"], solved["objective"], solved["gap"]) == (0, "optimal", 3400, 0)
    assert solved["values"] == {"chair": 40, "table": 20}
    status, out = run(capsys, "solve", furniture)
    assert status == 0
    assert "3400" in out

    status, verdict = run_json(capsys, "verify", furniture, "--time-limit", 1)
    assert (status, verdict["ok"], verdict["objective"]) == (0, True, 3400)

    status, told = run_json(capsys, "explain", furniture)
    assert [one["id"] for one in told["statements"]] == ["carpentry", "painting", "promised", "two_chairs"]
    assert told["result"]["objective"] == 3400

    status, found = run_json(capsys, "compare", FURNITURE, furniture)
    assert (status, found["verdict"]) == (0, "EQUIVALENT")

    status, found = run_json(capsys, "export", furniture, tmp_path / "again.json")
    assert (status, found) == (0, {"written": [str(tmp_path / "again.json")]})
    assert load(tmp_path / "again.json").solve().objective == 3400


def test_a_result_is_told_with_its_units(capsys):
    status, out = run(capsys, "solve", FURNITURE)
    assert status == 0
    assert "The best there is: the profit of a week is 3400" in out
    assert ["chair", "40", "chair"] in [line.split() for line in out.splitlines()]


def test_a_conflict_is_told_in_statements_with_ways_out(capsys):
    status, solved = run_json(capsys, "solve", CROWDED)
    assert (status, solved["status"], solved["objective"]) == (0, "infeasible", None)
    ids = {"carpentry", "promised", "ordered"}
    assert {clash["id"] for clash in solved["conflict"]} == ids

    status, found = run_json(capsys, "iis", CROWDED)
    assert status == 0
    assert {clash["id"] for clash in found["conflict"]} == ids
    assert found["irreducible"] is True
    (move,) = found["ways_out"]["moves"]
    assert (move["statement"], move["limit"], move["by"]) == ("carpentry", "220", "40")  # 4 * 50 + 3 * 20 hours
    assert found["ways_out"]["proved"] is True
    assert len(found["ways_out"]["give_up"]) == 1

    for command in ("solve", "iis", "explain"):
        status, out = run(capsys, command, CROWDED)
        assert status == 0
        assert "These cannot all hold" in out
        assert 'sentence 6: "At least 20 tables are ordered by a café."' in out
        assert ("Ways out" in out) == (command == "iis")


def test_values_in_a_file_are_verified(capsys, tmp_path):
    point = tmp_path / "point.json"
    point.write_text('{"chair": 40, "table": 20}')
    status, out = run(capsys, "verify", FURNITURE, point)
    assert status == 0
    assert "hold exactly" in " ".join(out.replace("holds", "hold").split())
    assert "3400" in out

    point.write_text('{"chair": 30, "table": 20.5}')
    status, out = run(capsys, "verify", FURNITURE, point)
    assert status == 1
    assert "two_chairs" in out
    status, verdict = run_json(capsys, "verify", FURNITURE, point)
    assert status == 1
    assert verdict["ok"] is False
    assert {(one["statement"], one["what"], one["by"]) for one in verdict["violations"]} == {
        ("table", "integrality", 0.5),
        ("two_chairs", "statement", 11),
    }


def test_a_printed_solution_is_verified_with_what_it_claims(capsys, tmp_path):
    saved = tmp_path / "solution.json"
    _, solved = run_json(capsys, "solve", EXAMPLES / "diet.yaml")
    saved.write_text(json.dumps(solved))
    assert run_json(capsys, "verify", EXAMPLES / "diet.yaml", saved)[0] == 0
    saved.write_text(json.dumps({**solved, "objective": 4}))
    status, verdict = run_json(capsys, "verify", EXAMPLES / "diet.yaml", saved)
    assert status == 1
    assert [one["what"] for one in verdict["violations"]] == ["objective"]


def test_different_models_are_told_apart_by_a_point(capsys, tmp_path):
    other = tmp_path / "other.json"
    values = json.loads(Path(FURNITURE).read_text(encoding="utf-8"))
    values["constraints"][0]["limit"] = 221
    other.write_text(json.dumps(values))
    status, found = run_json(capsys, "compare", FURNITURE, other)
    assert (status, found["verdict"]) == (1, "DIFFERENT")
    status, out = run(capsys, "compare", FURNITURE, other)
    assert status == 1
    assert out.startswith("DIFFERENT\n")
    assert "variable" in out


def test_renamed_variables_are_mapped(capsys, tmp_path):
    other = tmp_path / "other.yaml"
    text = {"chair": "stool", "table": "desk"}
    (tmp_path / "one.yaml").write_text(
        "variables: {chair: {upper: 9}, table: {upper: 8}}\n"
        "objective: {kind: optimize, sense: maximize, terms: 2*chair + 3*table}\n"
        "constraints: [{kind: linear, id: wood, row: chair + 4*table <= 12}]\n"
    )
    written = (tmp_path / "one.yaml").read_text()
    for old, new in text.items():
        written = written.replace(old, new)
    other.write_text(written)
    status, out = run(capsys, "compare", tmp_path / "one.yaml", other)
    assert status == 0
    assert out.startswith("EQUIVALENT\n")
    lines = [line.split() for line in out.splitlines()]
    assert ["chair", "stool"] in lines
    assert ["table", "desk"] in lines


def test_what_cannot_be_decided_is_3(capsys):
    status, out = run(capsys, "compare", EXAMPLES / "energy.yaml", EXAMPLES / "goals.yaml", "--time-limit", "1e-9")
    assert status == 3
    assert out.startswith("UNDECIDED\n")


def test_data_are_given_on_the_command_line(capsys, tmp_path):
    diet = EXAMPLES / "diet.yaml"
    assert run_json(capsys, "solve", diet, "--data", "most_energy=1900")[1]["status"] == "infeasible"
    prices = tmp_path / "prices.csv"
    prices.write_text("FOODS,price\nbread,5\nmilk,6\ncheese,12\nbeans,8\napples,7\n")
    before, after = (
        run_json(capsys, "solve", diet, *more)[1]["objective"] for more in ((), ("--data", f"price={prices}"))
    )
    assert Fraction(after) == 10 * Fraction(before)
    # Both models of a comparison get the data that they name.
    assert run_json(capsys, "compare", diet, diet, "--data", "most_energy=2300")[0] == 0


def test_an_explanation_may_leave_the_result_out(capsys):
    status, out = run(capsys, "explain", FURNITURE, "--model-only")
    assert status == 0
    assert 'sentence 3: "A week has 220 hours of carpentry and 100 hours of painting."' in out
    assert "Result" not in out
    assert "Result" in run(capsys, "explain", FURNITURE)[1]


def test_a_time_limit_leaves_the_best_found_and_its_gap(capsys, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(market_split()))
    for seconds in (1, 4, 16):  # a busy machine may need longer to find a first point
        status, solved = run_json(capsys, "solve", path, "--time-limit", seconds)
        assert status == 0
        assert solved["status"] in ("feasible", "undetermined")
        assert f"the time limit of {seconds} s was reached" in solved["reason"]
        if solved["status"] == "feasible":
            break
    assert solved["gap"] == solved["objective"] - solved["bound"] > 0
    status, out = run(capsys, "solve", path, "--time-limit", seconds)
    assert "perhaps not the best" in out or "No answer (undetermined)" in out
    assert f"he time limit of {seconds} s was reached" in out


def market_split():
    """No solver closes it in seconds: rows of numbers below 100 to be split in half (Cornuejols and Dawande 1998)."""
    names = [f"x{i}" for i in range(40)]
    rng = random.Random("market split")
    rows = [[rng.randrange(100) for _ in names] for _ in range(5)]
    constraints = [
        {
            "kind": "linear",
            "row": " + ".join(f"{a}*{x}" for a, x in zip(row, names, strict=True))
            + f" + over{r} - under{r} == {sum(row) // 2}",
        }
        for r, row in enumerate(rows)
    ]
    slack = [f"{side}{r}" for side in ("over", "under") for r in range(5)]
    return {
        "variables": {**{x: {"domain": "binary"} for x in names}, **{s: {"upper": 5000} for s in slack}},
        "objective": {"kind": "optimize", "sense": "minimize", "terms": " + ".join(slack)},
        "constraints": constraints,
    }


def test_the_log_goes_to_stderr(capfd):
    assert main(["solve", FURNITURE, "--json", "--log"]) == 0
    printed = capfd.readouterr()
    assert json.loads(printed.out)["objective"] == 3400
    assert "HiGHS" in printed.err


def test_a_terminal_gets_rich_tables(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, out = run(capsys, "solve", FURNITURE)
    assert status == 0
    assert "\x1b[1" in out
    assert "──" in out
    assert "3400" in out


BAD = [
    ([], "COMMAND"),
    (["sovle", FURNITURE], "invalid choice: 'sovle'"),
    (["solve"], "file"),
    (["solve", "none.json"], "none.json does not exist"),
    (["solve", "."], "is a folder"),
    (["solve", "{tmp}/none.lp"], "none.lp"),
    (["solve", "{tmp}/open.json"], "no JSON"),
    (["solve", "{tmp}/twice.yaml"], "'x' is there twice"),
    (["solve", "{tmp}/bytes.json"], "is not text in UTF-8"),
    (["solve", "{tmp}/nan.json"], "NaN is no finite number"),
    (["solve", "{tmp}/typo.json"], 'did you mean "chair"?'),
    (["solve", "{tmp}/bounds.json"], "x"),
    (["solve", "{tmp}/square.lp"], "square.lp"),
    (["solve", "{tmp}/short.mps"], "short.mps"),
    (["solve", FURNITURE, "--time-limit", "0"], "0 is no time: give seconds above 0"),
    (["solve", FURNITURE, "--time-limit", "nan"], "nan is no time: give seconds above 0"),
    (["solve", FURNITURE, "--time-limit", "soon"], "invalid _seconds value: 'soon'"),
    (["solve", FURNITURE, "--threads", "0"], "0 is no number of threads"),
    (["solve", FURNITURE, "--data", "wood"], "write 'wood' as NAME=FILE"),
    (["solve", FURNITURE, "--data", "wood=3"], "the model names no such data"),
    (["solve", str(EXAMPLES / "diet.yaml"), "--data", "most_enegry=3"], 'did you mean "most_energy"?'),
    (["solve", str(EXAMPLES / "diet.yaml"), "--data", "most_energy=lots"], "'lots' is no number"),
    (["solve", str(EXAMPLES / "diet.yaml"), "--data", "price=none.csv"], "none.csv"),
    (["export", FURNITURE, "{tmp}/model.txt"], "choose one of these suffixes"),
    (["export", FURNITURE, FURNITURE], "is the model itself"),
    (["export", FURNITURE, "{tmp}/no/folder.lp"], "cannot be written"),
    (["export", FURNITURE, "{tmp}/x.lp", "--time-limit", "3"], "--time-limit"),
    (["compare", FURNITURE], "other"),
    (["compare", FURNITURE, "none.json"], "none.json does not exist"),
    (["iis", FURNITURE], "the problem has a solution"),
    (["verify", FURNITURE, "none.json"], "none.json: cannot be read"),
    (["verify", FURNITURE, "{tmp}/open.json"], "open.json: line 1"),
    (["verify", FURNITURE, "{tmp}/list.json"], "list.json: write values by variable"),
    (["verify", FURNITURE, "{tmp}/point.json"], "point.json: table has no value"),
    (["verify", FURNITURE, "{tmp}/stool.json"], "stool.json: no variable stool"),
    (["verify", FURNITURE, "{tmp}/word.json"], "word.json: table: 'many' is no number"),
    (["verify", FURNITURE, "{tmp}/bytes.json"], "bytes.json: is not text in UTF-8"),
    (["verify", FURNITURE, "{tmp}/solution.json"], "solution.json: table has no value"),
    (["verify", FURNITURE, "{tmp}/empty.json"], "empty.json: it holds no values: infeasible"),
    (["verify", CROWDED], "there are no values to check"),
]
FILES = {
    "open.json": b'{"variables": {',
    "twice.yaml": b"variables:\n  x: {upper: 1}\n  x: {upper: 2}\n",
    "bytes.json": b"\xff\xfe\x00",
    "nan.json": b'{"variables": {"x": {"upper": NaN}}}',
    "typo.json": b'{"variables": {"chair": {}}, "constraints": [{"kind": "linear", "row": "chiar <= 3"}]}',
    "bounds.json": b'{"variables": {"x": {"lower": "y"}}}',
    "square.lp": b"min\n obj: [ x^2 ] / 2\nst\n c: x >= 1\nend\n",
    "short.mps": b"NAME short\nROWS\n N cost\n L row\nCOLUMNS\n x cost\n",
    "list.json": b"[1, 2]",
    "point.json": b'{"chair": 3}',
    "stool.json": b'{"chair": 3, "stool": 4}',
    "word.json": b'{"chair": 3, "table": "many"}',
    "solution.json": b'{"status": "optimal", "values": {"chair": 3}}',
    "empty.json": b'{"status": "infeasible", "values": {}}',
}


@pytest.mark.parametrize(("argv", "told"), BAD, ids=[" ".join(Path(a).name for a in argv) or "none" for argv, _ in BAD])
def test_a_mistake_is_one_line_and_2(capsys, tmp_path, argv, told):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    before = Path(FURNITURE).read_bytes()
    assert main([part.replace("{tmp}", str(tmp_path)) for part in argv]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert told in printed.err
    assert Path(FURNITURE).read_bytes() == before


def test_the_package_offers_its_functions_and_imports_no_solver():
    code = """if True:
        import sys
        from formulation import Model, compare, explain, export, iis, load, solve, verify
        heavy = {"pyomo", "highspy", "networkx", "pandas", "torch", "rich"} & set(sys.modules)
        assert not heavy, heavy
        import formulation, formulation.solve, formulation.verify, formulation.explain, formulation.export
        functions = (compare, explain, export, iis, load, solve, verify)
        assert [getattr(formulation, f.__name__) for f in functions] == list(functions)
        assert all(map(callable, functions)) and isinstance(Model, type)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
