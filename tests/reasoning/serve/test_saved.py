"""Saved runs over HTTP: listed, paged, drawn, and never read outside their folder."""

import json
import shutil
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from reasoning import Solver
from reasoning.engine.toy import ToyEngine
from reasoning.processes import Workers
from reasoning.runs import ProblemResult, open_run, read_run
from reasoning.runs.text import rebuild
from reasoning.runs.totals import summary
from reasoning.serve import errors, saved, stored
from reasoning.serve.settings import ServeConfig
from search.codec import outcome_to_json, request_to_json
from search.types import Expand, Expanded, Finish, Segment, Step, Usage


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three runs of five sums, and beside them what is no run or no longer one."""
    base = tmp_path_factory.mktemp("saved")
    (base / "data" / "gsm8k").mkdir(parents=True)
    rows = [{"question": f"What is {i} + {i + 1} - 3?", "answer": f"#### {2 * i - 2}"} for i in range(5)]
    (base / "data" / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEPSOLVER_DATA", str(base / "data"))
        for name, method in (("beam", "beam"), ("mcts", "mcts"), ("torn", "beam")):
            with (
                Solver("gsm8k", method, ToyEngine(error=0.3), profile="lines") as solver,
                open_run(name, solver.describe(), resume=False, root=base / "runs") as run,
            ):
                solver.run(run=run)
        runs = base / "runs"
        (part,) = (runs / "torn").glob("*.sqlite")
        part.write_bytes(part.read_bytes()[:5000])
        (runs / "half").mkdir()
        (runs / "half" / ".part.tmp").write_bytes(b"")
        shutil.copytree(runs / "beam", base / "outside")
        (runs / "linked").symlink_to(base / "outside")
        (runs / "parts").mkdir()
        (runs / "parts" / "part.sqlite").symlink_to(next((base / "outside").glob("*.sqlite")))
        yield runs


@pytest.fixture(scope="module")
def client(root):
    app = FastAPI()
    errors.install(app)
    app.include_router(saved.router)
    app.state.config = ServeConfig(runs=root)
    app.state.workers = Workers(1)
    with TestClient(app) as client:
        yield client


def get(client, path, status=200, **query):
    found = client.get(f"/v1/runs{path}", params=query)
    assert found.status_code == status, found.text
    return found.json()


def test_runs_are_listed_with_their_totals_and_broken_ones_with_why(client, root):
    found = get(client, "")
    assert found["total"] == 3
    for entry in found["runs"]:
        assert entry == json.loads(json.dumps(summary(read_run(entry["name"], root))))
    assert [entry["name"] for entry in found["runs"]] == ["beam", "mcts"]
    (broken,) = found["broken"]
    assert broken["name"] == "torn" and "no" in broken["message"] and str(root) not in broken["message"]


def test_a_page_holds_so_many_runs(client):
    assert [entry["name"] for entry in get(client, "", offset=1, limit=1)["runs"]] == ["mcts"]
    assert get(client, "", offset=10**9)["runs"] == []
    for query in ({"limit": 0}, {"limit": 10**9}, {"offset": -1}, {"offset": "x"}):
        assert get(client, "", 400, **query)["error"]["param"] in ("limit", "offset")


ODD = ["..", "%2e%2e", "..%2f..%2foutside", "%2Fetc", "linked", "parts", "half", "none", "a" * 5000, "%00", ".", "C%3A"]


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_a_name_that_is_not_in_the_list_is_no_run(client, name):
    for path in ("", "/problems", "/problems/0", "/curve"):
        found = client.get(f"/v1/runs/{name}{path}")
        # A dot is taken out of an address before it is sent: what is left may be the list itself.
        assert found.status_code == 404 or found.json().keys() == {"total", "runs", "broken"}, found.text


def test_a_broken_run_is_an_error_in_one_line(client, root):
    for path in ("/torn", "/torn/problems", "/torn/problems/0", "/torn/curve"):
        error = get(client, path, 422)["error"]
        assert error["code"] == "unreadable_run" and str(root) not in error["message"]


def test_a_run_has_its_configuration(client, root):
    assert get(client, "/beam")["config"] == read_run("beam", root).config


def test_problems_are_paged_and_picked_by_outcome(client, root):
    results = read_run("beam", root).results
    found = get(client, "/beam/problems")
    assert [row["problem"] for row in found["problems"]] == [one.problem for one in results]
    page = get(client, "/beam/problems", offset=1, limit=2)
    assert (page["total"], page["problems"]) == (5, found["problems"][1:3])
    for outcome, correct in (("right", True), ("wrong", False)):
        wanted = [one.problem for one in results if one.correct is correct]
        picked = get(client, "/beam/problems", outcome=outcome)
        assert ([row["problem"] for row in picked["problems"]], picked["total"]) == (wanted, len(wanted))
    assert get(client, "/beam/problems", 400, outcome="lucky")["error"]["param"] == "outcome"


@pytest.mark.parametrize("name", ["beam", "mcts"])
def test_a_problem_comes_with_the_tree_of_its_log(client, root, name):
    view = read_run(name, root)
    for result in view.results:
        found = get(client, f"/{name}/problems/{result.index}")
        tree = rebuild(view, result, view.tells(result.problem))
        nodes = found["tree"]["nodes"]
        assert [node["id"] for node in nodes] == list(range(result.nodes))
        assert [(n["text"], n["value"], n["visits"]) for n in nodes[1:]] == [
            (n.step.text, n.value, n.visits) for n in tree.nodes[1:]
        ]
        assert nodes[0]["parent"] is None and all(node["parent"] < node["id"] for node in nodes[1:])
        assert {n["answer"] for n in nodes if n["chosen"] and n["answer"]} == {result.answer} - {None}
        assert found["result"]["question"] == result.question and found["result"]["text"] == result.text
    get(client, f"/{name}/problems/99", 404)
    get(client, f"/{name}/problems/-1", 400)


def test_a_curve_ends_at_the_runs_own_accuracy(client, root):
    found = get(client, "/beam/curve")
    entry = summary(read_run("beam", root))
    last = found["costs"]["completion tokens"][-1]
    assert (last["accuracy"], last["spent"]) == (entry["accuracy"], entry["completion_tokens"])
    assert last["low"] <= last["accuracy"] <= last["high"]


def test_a_server_without_a_runs_folder_says_so(root):
    app = FastAPI()
    errors.install(app)
    app.include_router(saved.router)
    app.state.config = ServeConfig()
    with TestClient(app) as client:
        assert "--runs" in get(client, "", 404)["error"]["message"]


# ---- odd content -----------------------------------------------------------------------------------------------------


def sampled(count, text="{} &lt;b&gt; <script>\ud800"):
    """A log of best-of-n with `count` different answers, which are a node each."""
    for number in range(count):
        step = Step((Segment((number,), (-1.0,)),), text.format(number), Finish.ANSWER, str(number))
        request, outcome = Expand(number, 0, number, "solve", "answer"), Expanded((step,), Usage(5, 0, 1))
        yield {"seq": number, "request": request_to_json(request), "outcome": outcome_to_json(outcome)}


def large_run(root, nodes, **settings):
    config = {"task": "gsm8k", "method": "best-of-n", "params": {"n": nodes, "vote": "majority"}, **settings}
    with open_run("large", config, resume=False, root=root) as run:
        run.record(ProblemResult("q1", 0, "<b>?\ud800</b>", "7", "7", True, nodes=nodes + 1), sampled(nodes))
        run.record(ProblemResult("q2", 1, "?", failed="out of luck", seconds=float("inf")))


def test_a_tree_of_ten_thousand_nodes_is_quick_and_odd_text_is_only_text(tmp_path):
    large_run(tmp_path, 10_000)
    begun = time.process_time()
    found = json.loads(stored.problem(tmp_path, "large", 0))
    assert time.process_time() - begun < 15
    assert found["tree_missing"] is None
    assert len(found["tree"]["nodes"]) == 10_001
    assert found["tree"]["nodes"][8]["text"] == "7 &lt;b&gt; <script>?"
    assert [node["id"] for node in found["tree"]["nodes"] if node["chosen"]] == [8]
    assert found["result"]["question"] == "<b>??</b>"


def test_a_problem_without_a_tree_says_why(tmp_path):
    large_run(tmp_path, 3)
    found = json.loads(stored.problem(tmp_path, "large", 1))
    assert (found["tree"], found["result"]["outcome"], found["result"]["seconds"]) == (None, "failed", None)
    assert "before its search began" in found["tree_missing"]
    assert json.loads(stored.problems(tmp_path, "large", 0, 10, "failed"))["total"] == 1


def test_a_tree_of_another_method_is_missing_with_the_reason(tmp_path):
    large_run(tmp_path, 3, method="no-such-method")
    found = json.loads(stored.problem(tmp_path, "large", 0))
    assert found["tree"] is None and "no-such-method" in found["tree_missing"]
