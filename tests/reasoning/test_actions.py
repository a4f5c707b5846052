"""Plans and refinements: what a policy is asked, and what it is made of."""

import asyncio
import json

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning import Solver
from reasoning.actions import PLAN_END, action_prompt
from reasoning.engine.toy import ByteTokenizer, ToyEngine
from reasoning.integrations.prompted import PromptedProfile
from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.tasks import get_task
from reasoning.worker import PolicyWorker
from search.tree import Tree
from search.types import Expand, Finish, State

from .scripted_engine import EOS, ScriptedEngine

GSM8K = get_task("gsm8k")
PROBLEM = Problem("p", "What is 3 + 4 + 5?", answer="12")


class ChatTokenizer(ByteTokenizer):
    """A template that shows its turns."""

    def chat(self, messages):
        return self.encode("".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant>")


def prompt(profile, action, draft="", tokenizer=None):
    tokenizer = tokenizer or ChatTokenizer()
    return tokenizer.decode(action_prompt(PROFILES[profile], GSM8K, PROBLEM, tokenizer, action, draft))


# ---- prompts ---------------------------------------------------------------------------------------------------------


def test_a_few_shot_plan_is_shown_by_examples_with_plans():
    text = prompt("lines", "plan")
    assert text.count("Plan:\n1. ") == 4
    assert text.count(f"\n{PLAN_END} ") == 4
    assert text.endswith(f"Question: {PROBLEM.question}\nPlan:\n")


def test_a_chat_plan_is_told_and_begun():
    text = prompt("chat", "plan")
    assert text.startswith(f"<user>{PROBLEM.question}\n\n")
    assert PLAN_END in text
    assert GSM8K.instruction in text
    assert text.endswith("<assistant>Plan:\n")


def test_a_refinement_sees_question_and_draft_as_they_were():
    text = prompt("chat", "refine", " 3 + 4 = 8\n\n\\boxed{13}\n")
    solving = ChatTokenizer().decode(PROFILES["chat"].prompt(GSM8K, PROBLEM, ChatTokenizer()))
    assert text.startswith(f"{solving}3 + 4 = 8\n\n\\boxed{{13}}<user>")
    assert text.endswith(f"{GSM8K.instruction}<assistant>")


def test_of_a_thinking_draft_only_what_follows_the_thinking_is_shown():
    text = prompt("think", "refine", "Is it 12?\n\n13!</think>It is \\boxed{13}")
    assert "<assistant>It is \\boxed{13}<user>" in text
    assert "Is it 12?" not in text


@pytest.mark.parametrize(
    ("profile", "action", "said"),
    [
        ("lines-zero-shot", "plan", "has no prompt for 'plan': choose --profile lines or chat, or another method"),
        ("think", "plan", "choose --profile lines or chat"),
        ("lines", "refine", "has no prompt for 'refine': choose --profile chat or think"),
        ("chat", "sing", "has no prompt for 'sing': choose another method"),
    ],
)
def test_a_profile_without_a_prompt_says_so(profile, action, said):
    with pytest.raises(UserError, match=said) as error:
        prompt(profile, action)
    assert "\n" not in str(error.value)


def test_a_prompt_that_comes_from_outside_is_put_in_no_other_way():
    outside = PromptedProfile.of(PROFILES["chat"])
    with pytest.raises(UserError, match="no prompt for 'plan'"):
        action_prompt(outside, GSM8K, PROBLEM, ChatTokenizer(), "plan")


def test_a_task_without_worked_plans_says_so():
    with pytest.raises(UserError, match=r"'math500' has no worked plans for the profile 'lines'"):
        action_prompt(PROFILES["lines"], get_task("math500"), PROBLEM, ByteTokenizer(), "plan")


# ---- steps of a plan -------------------------------------------------------------------------------------------------


def plan_step(text, max_tokens=50):
    engine = ScriptedEngine(text)
    expanded = asyncio.run(Policy(engine, GSM8K, PROFILES["chat"]).plan((50, 51), 1, max_tokens))
    (step,) = expanded.steps
    assert step.action == "plan"
    assert engine.samplings[0].stop == ("\n", PLAN_END)
    return step


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        ("1. Add them.\n", Finish.STEP),
        ("Solution:", Finish.END),
        ("\n", Finish.END),
        ("<eos>", Finish.END),
        ("2. Stop there.<eos>", Finish.END),
        ("1. A line without end", Finish.CUT),
    ],
)
def test_how_a_step_of_a_plan_ends(text, finish):
    step = plan_step(text)
    assert (step.finish, step.text) == (finish, text.removesuffix("<eos>"))
    assert EOS not in step.ids  # the model's turn goes on after the plan


def test_a_plan_step_that_a_limit_cuts_is_no_step():
    assert plan_step("1. Add them all up.\n", max_tokens=4).finish is Finish.CUT


# ---- what follows ----------------------------------------------------------------------------------------------------


def perform(engine, profile, requests):
    """The requests in turn, each for the node that the one before added last; the tree."""
    policy = Policy(engine, GSM8K, PROFILES[profile])
    worker, tree = PolicyWorker(PROBLEM, policy), Tree(State("p", (50, 51)))
    node = 0
    for action, unit in requests:
        request = tree.expand(node, action, unit)
        outcome = asyncio.run(worker.perform(tree, request, worker.most_tokens(tree, request)))
        tree.settle(request, outcome)
        node = tree.add_chain(request, outcome)[-1][0].id
    return tree, node


def test_a_solution_goes_on_from_its_plan():
    engine = ScriptedEngine("1. Add.\n", "Solution:", " 3+4=7\n#### 7\n\n")
    tree, leaf = perform(engine, "lines", [("plan", "step"), ("plan", "step"), ("solve", "answer")])
    assert tree.text(leaf) == "1. Add.\nSolution: 3+4=7\n#### 7\n\n"
    assert tree.nodes[leaf].step.answer == "7"
    ids = tuple(engine.tokenizer.encode("1. Add.\nSolution:"))
    assert engine.prompts[2] == (50, 51, *ids)
    assert [n.step.action for n in tree.path(leaf)] == ["plan", "plan", "solve", "solve"]


def test_between_an_unfinished_plan_and_its_solution_the_mark_is_written_as_tool_tokens():
    engine = ScriptedEngine("1. Add.\n", " 3+4=<<3+4=8>>8\n", "7\n#### 7\n\n")
    tree, leaf = perform(engine, "lines", [("plan", "step"), ("solve", "answer")])
    assert tree.text(leaf) == "1. Add.\nSolution: 3+4=<<3+4=7>>7\n#### 7\n\n"
    first = tree.path(leaf)[1].step
    assert [s.source for s in first.segments] == ["tool", "model", "tool", "model"]
    assert engine.tokenizer.decode(first.segments[0].ids) == "Solution:"
    assert first.mean_logprob == -0.5
    assert engine.prompts[1] == (50, 51, *engine.tokenizer.encode("1. Add.\nSolution:"))


def test_a_plan_that_ended_with_the_turn_gets_a_line_of_its_own_for_the_mark():
    engine = ScriptedEngine("1. Add.<eos>", "So \\boxed{7}<eos>")
    tree, leaf = perform(engine, "chat", [("plan", "step"), ("solve", "answer")])
    assert tree.text(leaf) == "1. Add.\nSolution:So \\boxed{7}"


def test_an_answer_within_the_plan_does_not_count():
    engine = ScriptedEngine("1. Write \\boxed{3}.\n", "Solution:", "I do not know.<eos>")
    tree, leaf = perform(engine, "chat", [("plan", "step"), ("plan", "step"), ("solve", "answer")])
    assert (tree.nodes[leaf].finish, tree.nodes[leaf].step.answer) == (Finish.END, None)


def test_a_draft_that_cannot_be_shown_is_sampled_anew_from_its_own_prompt():
    engine = ScriptedEngine("#### 7\n", "#### 8\n")
    policy = Policy(engine, GSM8K, PROFILES["lines"])
    tree = Tree(State("p", (50, 51), 0, ((60, 61),)))
    worker = PolicyWorker(PROBLEM, policy)
    tree.expand(0)
    draft = tree.expand(0)
    node = tree.add_chain(draft, asyncio.run(worker.perform(tree, draft, 50)))[-1][0].id
    anew = asyncio.run(worker.perform(tree, Expand(9, node, 0, "refine", "answer"), 50))
    assert engine.prompts == [(60, 61), (60, 61)]
    assert anew.steps[-1].answer == "8"


# ---- whole searches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["plan", "refine"])
def test_the_toy_policy_plans_and_refines(method):
    with Solver("gsm8k", method, "toy", "logprob", engine={"error": "0.3"}) as solver:
        solved = solver.solve(PROBLEM)
    assert solved.answer is not None
    assert solved.result.failed is None
    if method == "plan":
        assert "3." in solved.text  # the plan is part of what is shown
        assert PLAN_END in solved.text
        root = ToyEngine().tokenizer.decode(solved.result.prompt_ids)
        assert root.endswith("Plan:\n")


def test_a_run_of_a_nested_search_is_shown_from_its_log(tmp_path, monkeypatch, capsys):
    from reasoning.runs.__main__ import main as runs
    from reasoning.solve import main

    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps({"question": PROBLEM.question, "answer": "12"}))
    given = ["--method", "plan", "--param", "iterations=3", "--param", "rollout=beam", "--param", "rollout.width=2"]
    assert main([str(path), "--policy", "toy", "--reward", "logprob", *given, "--run", "r"]) == 0
    assert "rollout=beam" in capsys.readouterr().out
    assert runs(["show", "r", "--problem", "0"]) == 0
    shown = capsys.readouterr().out
    assert "Add 3." in shown or "Take 3." in shown


def test_a_policy_that_cannot_plan_is_refused_when_it_starts():
    with pytest.raises(UserError, match="'lines-zero-shot' has no prompt for 'plan'"):
        Solver("gsm8k", "plan", "toy", profile="lines-zero-shot").solve(PROBLEM)
