"""Programs as steps: prompts, what each line becomes, and that searches see meaning rather than spelling."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest

from data.records import Problem
from reasoning.policy import Policy
from reasoning.profiles import PROFILES, choose_profile
from reasoning.prompts import Prompt
from reasoning.tasks import get_task
from reasoning.tasks.answers import canonical_number, final_answer
from reasoning.tasks.base import Example
from reasoning.tasks.gsm8k import EXAMPLES
from reasoning.tools.program import run_program, spell
from search.codec import outcome_from_json, outcome_to_json
from search.methods import make_method
from search.tree import Tree
from search.types import Expand, Expanded, Finish, Segment, State, Step

from .scripted_engine import ScriptedEngine


def sample(*texts: str, unit: str = "step", before: str = "", profile: str = "program") -> Expanded:
    engine = ScriptedEngine(*texts)
    policy = Policy(engine, get_task("gsm8k"), PROFILES[profile])
    expanded = asyncio.run(policy.sample((50, 51), before, unit, 1, 200))
    assert not engine.texts
    return expanded


@pytest.mark.parametrize(
    ("text", "finish", "answer", "says"),
    [
        ("price = 3 * 4\n", Finish.STEP, None, None),
        ("answer = 20 - 14.50\n", Finish.ANSWER, "11/2", None),
        ("answer = 7<eos>", Finish.ANSWER, "7", None),
        ("answer = 7 / 2  # each\n", Finish.ANSWER, "7/2", None),
        ("price = 3<eos>", Finish.ANSWER, "3", None),
        ("price = 3\n\n", Finish.ANSWER, "3", None),
        ("# nothing is known\n", Finish.STEP, None, None),
        ("# nothing is known<eos>", Finish.END, None, None),
        ("\n", Finish.END, None, None),
        ("<eos>", Finish.END, None, None),
        ("Question: more\n", Finish.END, None, None),
        ("answer = (1, 2)\n", Finish.END, None, "not of the task's kind"),
        ("answer = 3 > 2\n", Finish.END, None, "not of the task's kind"),
        ("price = apples * 2\n", Finish.INVALID, None, "'apples' is not defined"),
        ("price = 1 / 0\n", Finish.INVALID, None, "division by zero"),
        ("import os\n", Finish.INVALID, None, "import"),
        ("He buys 3 apples.\n", Finish.INVALID, None, "not a Python statement"),
        ("answer = 9**9**9\n", Finish.INVALID, None, "digits"),
        ("answer = 3 +", Finish.CUT, None, None),
    ],
)
def test_what_a_line_becomes(text: str, finish: Finish, answer: str | None, says: str | None) -> None:
    (step,) = sample(text).steps
    assert (step.finish, step.answer) == (finish, answer)
    assert (says is None) == (step.note is None)
    assert says is None or says in str(step.note)


def test_a_line_is_run_after_those_before_it() -> None:
    (step,) = sample("answer = total * 2\n", before="price = 1.5\ntotal = price + 2\n").steps
    assert (step.finish, step.answer) == (Finish.ANSWER, "7")
    assert step.meaning == "answer=7; price=3/2; total=7/2"


@pytest.mark.parametrize("end", ["\n", "<eos>", "Question: more\n", "# the profit<eos>"])
def test_a_program_that_ends_without_an_answer_answers_what_it_assigned_last(end: str) -> None:
    before = "profit = 0\ncost = 4000\nsales = 4800\nprofit = sales - cost\n"
    (step,) = sample(end, before=before).steps
    assert (step.finish, step.answer) == (Finish.ANSWER, "800")
    assert step.meaning == "answer=800; cost=4000; profit=800; sales=4800"


def test_a_whole_program_is_a_chain_that_ends_with_its_answer() -> None:
    out = sample("a = 3\nb = a * 4\nanswer = b\n\n", unit="answer")
    assert [s.finish for s in out.steps] == [Finish.STEP, Finish.STEP, Finish.ANSWER]
    assert out.steps[-1].answer == "12"
    assert [s.meaning for s in out.steps] == ["a=3", "a=3; b=12", "a=3; answer=12; b=12"]
    assert outcome_from_json(outcome_to_json(out)) == out


def test_a_program_ends_at_the_line_that_fails() -> None:
    out = sample("a = 3\nb = c\nanswer = b\n\n", unit="answer")
    assert [s.finish for s in out.steps] == [Finish.STEP, Finish.INVALID]


def test_a_chat_model_s_fence_is_no_statement() -> None:
    out = sample("```python\na = 3\nanswer = a\n```", unit="answer", profile="program-chat")
    assert [s.finish for s in out.steps] == [Finish.STEP, Finish.STEP, Finish.ANSWER]


def step(text: str, ids: tuple[int, ...], meaning: str | None) -> Step:
    return Step((Segment(ids),), text, Finish.STEP, meaning=meaning)


def test_lines_of_equal_meaning_are_one_node_and_their_samples_add_up() -> None:
    tree = Tree(State("p"))
    first, new = tree.add(0, step("a = 2 * 3\n", (1, 2), "a=6"), 1)
    again, newer = tree.add(0, step("a = 3 + 3\n", (3,), "a=6"), 0)
    assert new and not newer and again is first
    assert (first.index, first.step and first.step.ids) == (0, (1, 2))  # the first one stays
    other, _ = tree.add(0, step("b = 6\n", (4,), "b=6"), 2)
    assert other is not first
    # Without a meaning it is the tokens that count.
    plain = [tree.add(0, step("x\n", ids, None), 3)[0].id for ids in ((7,), (8,), (7,))]
    assert plain[0] == plain[2] != plain[1]


def test_many_siblings_are_merged_by_meaning_too() -> None:
    tree = Tree(State("p"))
    for number in range(200):
        tree.add(0, step(f"a = {number} - {number // 50}\n", (number,), f"a={number % 40}"), number)
    assert len(tree.nodes) == 1 + 40


def test_best_of_n_votes_over_what_programs_come_to() -> None:
    method = make_method("best-of-n", {"n": 3})
    tree = method.start(State("p"))
    texts = ["a = 2 * 3\nanswer = a\n\n", "a = 3 + 3\nanswer = a + 0\n\n", "answer = 5\n\n"]
    for request in method.ask(tree):
        assert isinstance(request, Expand)
        method.tell(tree, request, sample(texts[request.index], unit="answer"))
    best, *others = method.answers(tree)
    assert (best.answer, best.votes) == ("6", 2)
    assert [(a.answer, a.votes) for a in others] == [("5", 1)]
    assert len(best.nodes) == 1


# ---- prompts ---------------------------------------------------------------------------------------------------------


def test_worked_solutions_and_programs_come_to_the_same_answer() -> None:
    for example in EXAMPLES:
        answer = canonical_number(final_answer(example.solution) or "")
        assert answer == spell(run_program(example.program)["answer"])
        assert Fraction(answer or 0) > 0


def prompt_text(profile: str, manner: Prompt | None = None) -> str:
    engine = ScriptedEngine()
    ids = PROFILES[profile].prompt(
        get_task("gsm8k"), Problem("p", "How many?"), engine.tokenizer, *([] if manner is None else [manner])
    )
    return engine.tokenizer.decode(ids)


def test_the_prompt_shows_programs_and_ends_where_one_begins() -> None:
    text = prompt_text("program")
    assert text.endswith("\n\nQuestion: How many?\nAnswer:\n")
    assert text.count("answer = ") == len(EXAMPLES)
    assert prompt_text("program-zero-shot") == "Question: How many?\nAnswer:\n"


def test_a_prompt_s_own_demonstrations_are_programs_as_they_stand() -> None:
    manner = Prompt("mine", examples=(Example("Q?", "answer = 3"),))
    assert prompt_text("program", manner) == "Question: Q?\nAnswer:\nanswer = 3\n\nQuestion: How many?\nAnswer:\n"


def test_programs_are_for_models_of_the_catalogue_and_tasks_of_numbers() -> None:
    engine = ScriptedEngine()
    assert choose_profile("qwen2.5-coder-1.5b", None, engine, get_task("gsm8k")).name == "program-chat"
    assert choose_profile("qwen2.5-coder-0.5b", None, engine, get_task("rg:gsm_symbolic")).name == "program-chat"
    assert choose_profile("qwen2.5-coder-1.5b", None, engine, get_task("math500")).name != "program"
    assert choose_profile("smollm2-135m", None, engine, get_task("gsm8k")).name == "lines"
    assert choose_profile("./my-model", None, engine, get_task("gsm8k")).name != "program"


def test_a_file_of_numbers_is_a_task_of_numbers(tmp_path) -> None:
    rows = {"numbers": '"72"', "latex": '"\\\\\\\\frac{x}{2}"', "words": '"red"'}
    found = {}
    for name, answer in rows.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text(f'{{"question": "q", "answer": {answer}}}\n' * 3)
        found[name] = get_task(str(path)).arithmetic
    assert found == {"numbers": True, "latex": False, "words": False}
    (tmp_path / "empty.jsonl").write_text("")
    assert not get_task(str(tmp_path / "empty.jsonl")).arithmetic
    assert not get_task(str(tmp_path / "nowhere.jsonl")).arithmetic
