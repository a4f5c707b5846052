"""Exports that are folders: trees as GraphML, results as a Hugging Face dataset."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.runs import open_run
from reasoning.runs.__main__ import main
from reasoning.runs.graphml import tree_graph
from search.tree import Tree
from search.types import Finish, Segment, State, Step
from tests.reasoning.runs.test_command import MCTS, error, plain, root, searched

__all__ = ["root"]


def test_a_tree_comes_back_from_graphml(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, tells, tree = searched(3, "mcts", MCTS)
    with open_run("a", {"task": "toy", "method": "mcts", "params": MCTS}, resume=False) as run:
        run.record(result, tells)
        run.record(plain(4, failed="too long"))
    out = tmp_path / "trees"
    assert main(["export", "a", "--format", "graphml", "--out", str(out)]) == 0
    assert "1 trees of 2 problems" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["3.graphml"]
    graph = networkx.read_graphml(out / "3.graphml")
    assert networkx.is_arborescence(graph)
    assert graph.graph["question"] == result.question
    assert graph.graph["problem"] == result.problem
    assert len(graph) == len(tree.nodes) > 3
    for node in tree.nodes:
        told = graph.nodes[str(node.id)]
        assert (told["visits"], told["q"], told["depth"]) == (node.visits, node.q, node.depth)
        assert told.get("value") == node.value
        assert sorted(graph.successors(str(node.id)), key=int) == [str(c) for c in sorted(node.children)]
        if node.step is not None:
            assert told["text"] == node.step.text
            assert told["finish"] == node.step.finish.value
            assert tuple(map(int, told["ids"].split())) == node.step.ids
            assert told["tokens"] == len(node.step.ids)
            assert graph.edges[str(node.parent), str(node.id)]["index"] == node.index


@given(st.text(st.characters(), max_size=20))
def test_any_text_of_a_model_gives_readable_graphml(text: str) -> None:
    tree = Tree(State("p"))
    tree.add(0, Step((Segment((1, 2)), Segment((3,), None, "tool")), text, Finish.STEP), 0)
    lines = "\n".join(networkx.generate_graphml(tree_graph(tree)))
    ElementTree.fromstring(lines)
    told = networkx.parse_graphml(lines).nodes["1"]
    assert (told["tokens"], told["tool_tokens"], told["ids"]) == (3, 1, "1 2 3")
    read = told.get("text", "")
    assert len(read) == len(text)
    assert all(a in (b, "\ufffd") for a, b in zip(read, text, strict=True))


def test_results_come_back_as_a_dataset(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    datasets = pytest.importorskip("datasets")
    result, tells, _ = searched(0, "best-of-n", {"n": 3})
    with open_run("a", {"task": "toy", "method": "best-of-n"}, resume=False) as run:
        run.record(result, tells)
        run.record(plain(1, failed="too long", extra={"k": [1, None]}))
    out = tmp_path / "rows"
    assert main(["export", "a", "--format", "dataset", "--out", str(out), "--tells"]) == 0
    dataset = datasets.load_from_disk(str(out))
    assert [row["problem"] for row in dataset] == [result.problem, "p1"]
    assert dataset[0]["answers"] == [dict(a) for a in result.answers]
    assert dataset[0]["completion_tokens"] == result.completion_tokens
    assert json.loads(dataset[0]["tells"]) == json.loads(json.dumps(tells))
    assert (dataset[1]["failed"], json.loads(dataset[1]["extra"])) == ("too long", {"k": [1, None]})
    assert list(tmp_path.glob(".*")) == []
    capsys.readouterr()
    main(["export", "a", "--tells"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(dataset.column_names) == set(lines[0])


def test_a_folder_that_exists_is_left_alone(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_run("a", {"task": "toy", "method": "greedy"}, resume=False) as run:
        run.record(plain(0))
    (tmp_path / "out").mkdir()
    for kind in ("dataset", "graphml"):
        assert "exists" in error(capsys, "export", "a", "--format", kind, "--out", str(tmp_path / "out"))
        assert f"--format {kind} writes a folder" in error(capsys, "export", "a", "--format", kind)
    assert "--tells" in error(capsys, "export", "a", "--format", "graphml", "--out", "x", "--tells")
    assert "cannot write" in error(capsys, "export", "a", "--format", "graphml", "--out", "/nowhere/x")


def test_a_tree_that_cannot_be_rebuilt_is_one_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, tells, _ = searched(0, "mcts", MCTS)
    with open_run("a", {"task": "toy", "method": "greedy"}, resume=False) as run:
        run.record(result, tells)
    message = error(capsys, "export", "a", "--format", "graphml", "--out", str(tmp_path / "trees"))
    assert "cannot be rebuilt" in message
    assert not (tmp_path / "trees").exists()
