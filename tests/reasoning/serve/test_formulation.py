"""Descriptions and models over HTTP, worked out in a process that can be killed."""

import json
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from formulation import Model, load, solve
from formulation.__main__ import main
from reasoning.processes import Workers
from reasoning.serve import errors, formulation, modelling
from reasoning.serve.settings import ServeConfig

EXAMPLES = Path("formulation/examples").resolve()
TEXT = (
    "A workshop makes desks and chairs. Each desk takes 4 hours, each chair takes 3 hours. There are 240 hours. "
    "A desk brings a profit of 70 dollars and a chair 50 dollars. "
    "How many of each should be made to maximize the profit?"
)


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    errors.install(app)
    app.include_router(formulation.router)
    app.state.config = ServeConfig()
    app.state.workers = Workers(1, warm=modelling.warm)
    with TestClient(app) as client:
        yield client


def ask(client, path, status=200, **body):
    # ASCII, so that half characters can be sent, too.
    found = client.post(f"/v1/{path}", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert found.status_code == status, found.text
    return found.json()


def refusal(client, path, **body):
    error = ask(client, path, 400, **body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"
    assert "\n" not in error["message"]
    return error


def example(name):
    return load(EXAMPLES / name).problem.plain()


# ---- formulate -------------------------------------------------------------------------------------------------------


def test_a_description_gives_what_the_command_prints(client, capsys):
    found = ask(client, "formulate", text=TEXT)
    assert main([TEXT, "--json", "--time-limit", "60"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in printed if name != "seconds"} == {
        name: value for name, value in printed.items() if name != "seconds"
    }
    assert (found["objective"], found["values"]) == (4200, {"desks": 60, "chairs": 0})


def test_each_statement_stands_beside_its_sentence_with_class_and_algebra(client):
    found = ask(client, "formulate", text=TEXT)
    (said,) = found["explanation"]["statements"]
    assert (said["class"], said["algebra"]) == ("upper bound: weighted sum", ["4*desks + 3*chairs <= 240"])
    assert found["explanation"]["objective"]["class"] == "objective"
    sentence = found["sentences"][said["source"]["place"] - 1]
    assert sentence["text"] == said["source"]["sentence"] == TEXT[sentence["start"] : sentence["end"]]


def test_a_description_need_not_be_solved(client):
    found = ask(client, "formulate", text=TEXT, solve=False)
    assert found["status"] == "not solved" and found["values"] == {}
    assert found["explanation"]["result"] is None


def test_what_is_no_description_is_an_answer_that_says_so(client):
    found = ask(client, "formulate", text="<script>alert(1)</script> hello")
    assert found["model"] is None and not found["complete"] and found["reason"].startswith("the text gives no model")


def test_a_way_to_read_that_needs_a_language_model_is_refused(client):
    assert refusal(client, "formulate", text=TEXT, method="search")["param"] == "method"


# ---- solve -----------------------------------------------------------------------------------------------------------


def test_whole_numbers_come_back_exactly(client):
    big = 10**15 + 1
    model = {
        "variables": {"x": {"domain": "integer", "upper": str(big)}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "x"},
        "constraints": [{"kind": "bound", "variable": "x", "sense": "<=", "limit": big}],
    }
    found = ask(client, "solve", model=model)
    assert found["values"] == {"x": big} and found["objective"] == big and found["gap"] == 0


def test_a_third_stays_a_third(client):
    model = {
        "variables": {"x": {}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "x"},
        "constraints": [{"kind": "linear", "row": "3*x <= 1"}],
    }
    assert ask(client, "solve", model=model)["values"] == {"x": "1/3"}


def test_an_infeasible_model_comes_with_the_sentences_of_its_conflict(client):
    again = example("furniture_infeasible.json")
    found = ask(client, "solve", model=again)
    assert found["status"] == "infeasible" and found["irreducible"]
    statements = [one["id"] for one in found["conflict"] if one["what"] == "statement"]
    assert statements == list(Model(load(again).problem).iis().statements)
    assert any(one["source"] and one["source"]["sentence"] for one in found["conflict"])


def test_prices_are_told_on_request(client):
    model = {
        "variables": {"x": {}, "y": {}},
        "objective": {"kind": "optimize", "sense": "maximize", "terms": "2*x + y"},
        "constraints": [{"kind": "linear", "id": "room", "row": "x + y <= 4"}],
    }
    assert ask(client, "solve", model=model)["sensitivity"] is None
    (price,) = ask(client, "solve", model=model, sensitivity=True)["sensitivity"]["prices"]
    assert (price["statement"], price["price"]) == ("room", 2)
    model["constraints"].append({"kind": "linear", "row": "x >= 5"})
    assert "no solution" in ask(client, "solve", model=model, sensitivity=True)["sensitivity"]["reason"]


def test_tables_come_as_text(client):
    model = {
        "sets": {"P": {"table": {"name": "costs", "keys": ["plant"]}}},
        "parameters": {"cost": {"index": ["P"], "table": {"name": "costs", "keys": ["plant"], "value": "cost"}}},
        "variables": {"make": {"over": "p in P"}},
        "objective": {"kind": "optimize", "sense": "minimize", "terms": "sum(cost[p]*make[p] for p in P)"},
        "constraints": [{"kind": "linear", "row": "sum(make[p] for p in P) >= 6"}],
    }
    assert ask(client, "solve", model=model, tables={"costs": "plant,cost\na,1/3\nb,2\n"})["objective"] == 2
    assert "no table 'costs' is given" in refusal(client, "solve", model=model)["message"]
    torn = refusal(client, "solve", model=model, tables={"costs": "plant,cost\na,1,2\n"})["message"]
    assert "costs.csv: row 2 has 3 fields" in torn and "/" not in torn


@pytest.mark.parametrize("form", ["schema", "json", "yaml"])
def test_no_file_of_the_server_is_read(client, form):
    model = {"sets": {"A": {"table": {"file": "/etc/hostname", "keys": ["x"]}}}, "variables": {"x": {}}}
    given = model if form == "schema" else {"format": form, "content": json.dumps(model)}
    assert "opens no file" in refusal(client, "solve", model=given)["message"]
    assert refusal(client, "solve", text=TEXT, tables={"../costs": "a\n1\n"})["param"].startswith("tables")


def deep(levels):
    found = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either 'text' or 'model'"),
        ({"text": TEXT, "model": {"variables": {"x": {}}}}, "either 'text' or 'model'"),
        ({"text": ""}, "text: "),
        ({"text": "x" * 20_001}, "text: "),
        ({"model": {}}, "variables"),
        ({"model": {"variables": {"x": {"lowr": 1}}}}, "did you mean"),
        ({"model": {"variables": {"x": {"lower": float("nan")}}}}, "no finite number"),
        ({"model": {"variables": {"x": {"label": "\ud800"}}}}, "half a character"),
        ({"model": {"format": "json", "content": '{"variables": {"x": {"label": "\\ud800"}}}'}}, "half a character"),
        ({"model": {"variables": deep(900)}}, "nested deeper"),
        ({"model": {"format": "json", "content": "[" * 9000}}, "nested too deeply"),
        ({"model": {"format": "mps", "content": "no such file"}}, "no MPS file"),
        ({"model": {"format": "exe", "content": "x"}}, "format"),
        ({"text": TEXT, "time_limit": 1e9}, "time_limit"),
        ({"text": TEXT, "time_limit": float("nan")}, "time_limit"),
        ({"text": TEXT, "colour": "red"}, "colour"),
    ],
    ids=range(16),
)
def test_a_mistake_is_one_line_and_a_400(client, body, words):
    assert words in refusal(client, "solve", **body)["message"]


# ---- compare, explain, export, what if -------------------------------------------------------------------------------


def test_models_of_any_form_are_compared(client):
    model = ask(client, "formulate", text=TEXT)["model"]
    assert ask(client, "compare", a=TEXT, b=model)["verdict"] == "EQUIVALENT"
    model["constraints"][0]["limit"] = 239
    found = ask(client, "compare", a=TEXT, b=model)
    assert found["verdict"] == "DIFFERENT" and (found["counterexamples"] or found["optima"])
    assert refusal(client, "compare", a=TEXT, b="hello")["message"].startswith("b: the text gives no model")


def test_an_explanation_is_that_of_the_package(client):
    model = load(EXAMPLES / "furniture.json")
    found = ask(client, "explain", model=model.problem.plain())
    assert found["text"] == model.explain(solve(model)).text
    assert ask(client, "explain", model=model.problem.plain(), solve=False)["explanation"]["result"] is None


@pytest.mark.parametrize("form", ["lp", "mps", "json", "yaml"])
def test_what_is_exported_is_the_same_model(client, form):
    files = {one["name"]: one["content"] for one in ask(client, "export", text=TEXT, format=form)["files"]}
    assert set(files) == {f"model.{form}"} | ({f"model.{form}.names.json"} if form in ("lp", "mps") else set())
    again = {"format": form, "content": files[f"model.{form}"]}
    assert ask(client, "compare", a=TEXT, b=again)["verdict"] == "EQUIVALENT"


def test_a_script_and_a_page_are_exported_under_the_models_name(client):
    model = {**ask(client, "formulate", text=TEXT)["model"], "name": "../../A workshop's week"}
    (script,) = ask(client, "export", model=model, format="py")["files"]
    assert script["name"] == "a-workshop-s-week.py"
    compile(script["content"], "script", "exec")
    (page,) = ask(client, "export", model=model, format="md")["files"]
    assert "\\max" in page["content"]


def test_what_if_a_number_were_another(client):
    changes = [
        {"statement": "c1", "path": "terms['chairs']", "value": "5/2"},
        {"path": "constraints[0].limit", "value": 250},
    ]
    found = ask(client, "whatif", text=TEXT, changes=changes)
    assert (found["before"]["objective"], found["after"]["objective"]) == (4200, 5000)
    assert found["model"]["constraints"][0]["limit"] == 250
    capped = ask(client, "whatif", text=TEXT, changes=[{"path": "variables.desks.upper", "value": 10}])
    assert capped["after"]["values"] == {"desks": 9, "chairs": 68}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"statement": "c9", "path": "limit", "value": 1}, "changes[0]: statement: no statement 'c9'"),
        ({"path": "constraints[7].limit", "value": 1}, "there is no '7'"),
        ({"statement": "c1", "path": "terms", "value": 1}, "is no number"),
        ({"statement": "c1", "path": "a[", "value": 1}, "is no place"),
        ({"statement": "c1", "path": "limit.x", "value": 1}, "there is no 'x'"),
        ({"statement": "c1", "path": "limt", "value": 1}, "did you mean"),
        ({"statement": "c1", "path": "limit", "value": "many"}, "many"),
    ],
    ids=range(7),
)
def test_a_change_of_nothing_is_refused(client, change, words):
    assert words in refusal(client, "whatif", text=TEXT, changes=[change])["message"]


# ---- time -----------------------------------------------------------------------------------------------------------


def market_split(rows=6, columns=60):
    """Cornuejols and Dawande's market split: hopeless for branch and bound at this size."""
    spread = [[(7919 * (r + 1) * (c + 3) + 104729 * c * c) % 100 for c in range(columns)] for r in range(rows)]
    return {
        "variables": {f"x{c}": {"domain": "binary"} for c in range(columns)},
        "constraints": [
            {"kind": "linear", "row": f"{' + '.join(f'{a}*x{c}' for c, a in enumerate(row))} == {sum(row) // 2}"}
            for row in spread
        ],
    }


def test_the_time_limit_holds(client):
    begun = time.monotonic()
    found = ask(client, "solve", model=market_split(), time_limit=1)
    assert found["status"] in ("undetermined", "optimal", "infeasible")
    assert time.monotonic() - begun < 60
