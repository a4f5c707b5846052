"""Texts to models as tasks: questions, and answers judged by what they say."""

from __future__ import annotations

import json

import pytest

from data.errors import DataError, UserError
from data.records import Problem as Question
from data.sources import data_dir
from formulation.drafts import draft_of
from formulation.quantities import numbers_in
from formulation.schema import read_problem
from formulation.task import Documents, Drafts
from formulation.wire import write
from reasoning.tasks import get_task
from tests.formulation.test_documents import DOCUMENT
from tests.formulation.test_documents import TEXT as DOCUMENT_TEXT
from tests.formulation.test_votes import FIGURES, NO_BOUND, RIGHT, TEXT, TURNED


def test_a_draft_is_right_where_it_says_the_same() -> None:
    task = Drafts()
    gold = task.problem(RIGHT, TEXT).plain()
    question = Question("p", task.question(TEXT), answer="", metadata={"text": TEXT, "problem": gold})
    assert task.judge(question, TURNED)
    assert not task.judge(question, NO_BOUND) and not task.judge(question, "no draft")
    assert task.canonical("no draft") is None


def test_a_document_is_judged_alike() -> None:
    task = Documents()
    gold = Drafts().problem(RIGHT, TEXT).plain()
    question = Question("p", task.question(TEXT), answer="", metadata={"text": TEXT, "problem": gold})
    assert task.judge(question, json.dumps(DOCUMENT))
    assert not task.judge(question, "{}")
    assert task.problem(json.dumps(DOCUMENT), DOCUMENT_TEXT).objective is not None


def test_the_tasks_are_found_by_name() -> None:
    for task in (Drafts(), Documents()):
        assert type(get_task(task.name)) is type(task)
        with pytest.raises(UserError, match="no split 'other'"):
            task.load("other", data_dir=None, limit=None, offset=0)


def test_the_grammar_knows_how_far_a_draft_is() -> None:
    task = Drafts()
    question = Question("p", task.question(TEXT))
    assert f'"N{len(FIGURES)}"' in task.grammar(question, "", "answer")
    assert f'"N{len(FIGURES) + 1}"' not in task.grammar(question, "", "answer")
    behind = task.grammar(question, "var int desks\nmax V1\n", "step")
    assert '"V1"' in behind and '"V2"' not in behind and "var " not in behind


@pytest.mark.parametrize("split", ["train", "dev"])
def test_reference_models_are_right_by_themselves(split: str) -> None:
    if data_dir() is None:
        pytest.skip("needs the data directory")
    task = Drafts()
    found = task.load(split, data_dir=None, limit=10, offset=3)
    assert [one.id for one in found] == [f"nl4opt/{split}/{n}" for n in range(3, 13)]
    if split == "train":
        for one in found:
            problem = read_problem(one.metadata["problem"])
            try:
                answer = write(draft_of(problem, numbers_in(one.metadata["text"])))
            except DataError:
                continue
            assert task.judge(one, answer)
            assert not task.judge(one, answer.replace("max ", "mix ").replace("min ", "max ").replace("mix ", "min "))
