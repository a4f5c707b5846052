"""Prompts that a model writes: what it is asked, what is made of its lists, and models that write nothing."""

import asyncio

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning.collect.sampler import Sampler
from reasoning.grading import Grader
from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.prompts.written import MAX_ENTRIES, MAX_ENTRY, instructions, listed, modules
from reasoning.tasks.gsm8k import Gsm8k

from ..scripted_engine import GreedyTokenizer, ScriptedEngine

PROBLEMS = [Problem(f"q{i}", f"Question {i}?") for i in range(6)]


def written(kind, *texts, count=1, chat=False):
    """The prompts, and the requests that the model got."""
    engine = ScriptedEngine(*texts)
    if chat:
        engine.tokenizer.chat = lambda messages: engine.tokenizer.encode(messages[-1]["content"] + "\n<turn>")
    policy = Policy(engine, Gsm8k(), PROFILES["chat" if chat else "lines"])
    found = asyncio.run(kind(Sampler(policy, Grader(Gsm8k()), "test"), PROBLEMS, count))
    assert not engine.texts, "the model was asked less than the test expected"
    return found, [GreedyTokenizer().decode(ids) for ids in engine.prompts]


def test_instructions_are_written_once_from_questions_without_answers():
    (prompt,), (request,) = written(instructions, " Read it.\n2. Add it up.\n\n")
    assert prompt.name == "instructions"
    assert prompt.instruction == "Follow these instructions.\n1. Read it.\n2. Add it up."
    assert "1. Question 0?\n2. Question 1?\n3. Question 2?\n4. Question 3?\n" in request
    assert "Question 4" not in request
    assert Gsm8k().instruction in request
    assert request.endswith("\n\n1.")  # a model that only continues text is led into a list


def test_several_instructions_are_of_different_questions():
    found, requests = written(instructions, " One way.<eos>", " Another.<eos>", count=2)
    assert [p.name for p in found] == ["instructions/1", "instructions/2"]
    assert "1. Question 4?\n2. Question 5?\n3. Question 0?" in requests[1]


def test_modules_become_a_structure_that_is_refined_twice():
    (prompt,), requests = written(
        modules,
        " Look for units.\n2. Think backwards.\n\n",
        " What is known\n2. What is asked\n\n",
        " What is known, with units\n2. What is asked\n\n",
        " Known, with units\n2. Asked\n3. Sum\n\n",
    )
    assert (
        prompt.instruction == "Solve by this plan: fill in each part in turn.\n1. Known, with units\n2. Asked\n3. Sum"
    )
    assert "Reasoning modules:\n1. Look for units.\n2. Think backwards." in requests[1]
    assert "Plan:\n1. What is known\n2. What is asked" in requests[2]
    assert "Plan:\n1. What is known, with units\n2. What is asked" in requests[3]


def test_a_refinement_without_a_list_leaves_the_structure():
    texts = ("- Think.<eos>", '{"known": "", "sum": ""}<eos>', "I cannot.<eos>", "<eos>")
    (prompt,), _ = written(modules, *texts, chat=True)
    assert prompt.instruction.endswith("in turn.\n1. known\n2. sum")


@pytest.mark.parametrize(
    ("kind", "before", "what"),
    [(instructions, (), "instructions"), (modules, (), "modules"), (modules, ("1. Think.<eos>",), "structure")],
)
def test_a_model_that_writes_nothing_is_asked_three_times_and_refused(kind, before, what):
    with pytest.raises(UserError, match=f"wrote no {what} in 3 tries") as caught:
        written(kind, *before, "<eos>", "Sure!<eos>", "1.\n2. 7\n<eos>", chat=True)
    assert "\n" not in str(caught.value)


def test_a_second_try_may_bring_it():
    (prompt,), requests = written(instructions, "<eos>", "1) Add.<eos>", chat=True)
    assert prompt.instruction.endswith("\n1. Add.")
    assert requests[0] == requests[1]
    assert requests[0].endswith("\n<turn>")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("1. One\n2) Two\n(3) Three\n- Four\n* **Five**: five", ["One", "Two", "Three", "Four", "Five: five"]),
        ('Here:\n{"first part": "", "second part": {"x": 1}}', ["first part", "second part"]),
        ("1. Same\n2. Same", ["Same"]),
        ("Only prose, no list.", []),
        ("[1, 2]", []),
        ("{" * 5000, []),
        ("1. 42\n2. ---", []),
    ],
)
def test_lists_as_models_write_them(text, entries):
    assert listed(text) == entries


def test_a_list_is_bounded():
    found = listed("".join(f"{i}. entry {i} {'x' * 1000}\n" for i in range(99)))
    assert len(found) == MAX_ENTRIES
    assert all(len(entry) == MAX_ENTRY for entry in found)
