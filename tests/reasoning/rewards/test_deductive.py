"""Deductive verification: what a step rests on, what the judge is shown, and what its verdict is worth."""

import asyncio
import json
import time

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning import Solver
from reasoning.engine.base import Capabilities
from reasoning.engine.toy import ToyEngine
from reasoning.rewards.base import Partial
from reasoning.rewards.deductive import VERIFICATION, Deductive, premises, sentences, statement
from reasoning.rewards.generative import Judgement
from search.types import Step

from ..scripted_engine import ScriptedEngine

QUESTION = "Tom has 3 boxes of 12 pencils. He gives 5 away. How many are left?"
TOLD = ["Tom has 3 boxes of 12 pencils.", "He gives 5 away.", "How many are left?"]
BOXES = " 3*12=<<3*12=36>>36 pencils.\n"
COST = " A box costs 1,200/8=$<<1200/8=150>>150.00.\n"
LEFT = " So 36-5=<<36-5=31>>31 are left.\n"
ANSWER = "#### 31\n"


def evaluated(*steps: str, engine=None, **kwargs):
    engine = engine or ScriptedEngine()
    partial = Partial(Problem("p", QUESTION), (), tuple(Step((), text) for text in steps))
    return asyncio.run(Deductive(engine, **kwargs).evaluate(partial)), engine


def test_a_question_is_its_sentences():
    assert sentences(QUESTION) == TOLD
    assert sentences("It costs $2.50.\nA line\n\n without a stop ") == ["It costs $2.50.", "A line", "without a stop"]
    assert sentences("") == []


@pytest.mark.parametrize(
    ("steps", "rests_on"),
    [
        # The question is 1 to 3; the steps are 4, 5, ...
        ([BOXES], [1, 2, 3]),
        ([BOXES, COST, LEFT], [1, 2, 3, 4]),  # 36 is the first step's result; 150 is not used
        ([BOXES, COST, LEFT, ANSWER], [1, 2, 3, 6]),
        (["<<3*12=36>>\n", "<<36-5=31>>\n"], [1, 2, 3, 4]),  # nothing but annotations
        (["3*12 = 36", "36*1,000 = 36,000", "36000/10 = 3600"], [1, 2, 3, 5]),  # one number however it is written
        (["x = \\$2.50", "2.5 + 4 = 6.5"], [1, 2, 3, 4]),
        # A step's own result is not what it uses: 36 comes out twice.
        (["3*12 = 36", "4*9 = 36"], [1, 2, 3]),
        # Prose without a result gives all of its numbers.
        (["He starts with 40.", "Then there are 7 friends.", "Of the 40 he keeps 2."], [1, 2, 3, 4]),
        # No number says nothing of what it rests on.
        (["He starts with 40.", "Then 7 friends come.", "So they share."], [1, 2, 3, 4, 5]),
        # Citations say it all.
        (["3*12 = 36", "12 = 12", "36-5 = 31 (by #2, #4)"], [2, 4]),
        (["3*12 = 36 [#1]"], [1]),
        (["36-5 = 31, using #1 and #2; so many."], [1, 2]),
        # What is not there yet is no premise; nor is a number sign a citation by itself.
        (["3*12 = 36", "36-5 = 31 (by #5, #9)"], [1, 2, 3, 4]),
        (["Box #2 holds 12."], [1, 2, 3]),
        (["####1"], [1, 2, 3]),
    ],
)
def test_what_a_step_rests_on(steps, rests_on):
    assert premises(TOLD, steps) == rests_on


def test_the_judge_sees_the_premises_and_nothing_else():
    assert statement(QUESTION, [BOXES, COST, LEFT]) == (
        "Here is some information:\n"
        "#1. Tom has 3 boxes of 12 pencils.\n#2. He gives 5 away.\n#3. How many are left?\n#4. 3*12=36 pencils.\n"
        "\nA statement:\n#6. So 36-5=31 are left."
    )
    last = statement(QUESTION, [BOXES, LEFT, ANSWER]).splitlines()[-4:]
    assert last == ["#5. So 36-5=31 are left.", "", "A statement:", "#6. The answer is 31"]


def test_the_value_is_the_share_of_the_judgement_token():
    outcome, engine = evaluated(BOXES, COST, LEFT)
    # The scripted log-probabilities are -1 for the good and -2 for the bad token.
    assert outcome.value == pytest.approx(1 / (1 + 2.718281828**-1))
    assert (outcome.usage.prompt, outcome.usage.completion) == (len(engine.prompts[0]), 1)
    text = engine.tokenizer.decode(engine.prompts[0])
    assert text == statement(QUESTION, [BOXES, COST, LEFT]) + VERIFICATION.suffix


def test_the_lines_of_a_plan_are_no_premises():
    engine = ScriptedEngine()
    plan = Step((), "1. Find the pencils, as he is told.\n", action="plan")
    partial = Partial(Problem("p", QUESTION), (), (plan, Step((), "So he counts them.")))
    asyncio.run(Deductive(engine).evaluate(partial))
    assert "#4. So he counts them." in engine.tokenizer.decode(engine.prompts[0])
    assert "Find the pencils" not in engine.tokenizer.decode(engine.prompts[0])


def test_a_chat_model_is_asked_in_its_template():
    engine = ScriptedEngine()
    engine.tokenizer.chat = lambda messages: engine.tokenizer.encode(json.dumps(messages))
    evaluated(BOXES, engine=engine, chat=True, judgement=Judgement("\nTrue? ", "B", "A"))
    asked = json.dumps([{"role": "user", "content": statement(QUESTION, [BOXES])}])
    assert engine.tokenizer.decode(engine.prompts[0]) == asked + "True? "


@pytest.mark.parametrize(
    ("good", "bad", "said"), [("yes", "A", "3 tokens"), ("A", "A", "the same"), ("", "A", "0 tokens")]
)
def test_judgement_tokens_must_be_two_single_tokens(good, bad, said):
    with pytest.raises(UserError, match=said) as caught:
        Deductive(ScriptedEngine(), judgement=Judgement("?", good, bad))
    assert "\n" not in str(caught.value)


def test_an_engine_that_cannot_compare_tokens_is_refused():
    engine = ScriptedEngine()
    engine.capabilities = Capabilities(token_logprobs=False)
    with pytest.raises(UserError, match="'deductive' needs log-probabilities of named tokens"):
        Deductive(engine)


def test_untrusted_text_is_read_in_bounded_time():
    begun = time.process_time()
    for piece in ("#", "by #1, ", "by #1 and ", "=", "= ", "1,", "<<", "9", "(#1", "( ", "a.\n"):
        text = piece * 10_000
        assert premises(sentences(text), [text, text])
    assert time.process_time() - begun < 5


# ---- in a search -----------------------------------------------------------------------------------------------------

PROBLEMS = [Problem(f"p{i}", f"What is {i} + 2 - 5 + 7?", answer=str(i + 4)) for i in range(3)]


@pytest.mark.parametrize(("method", "aggregate"), [("beam", "last"), ("best-of-n", "min"), ("mcts", "product")])
def test_every_scored_step_has_the_verdict_on_its_own_premises(method, aggregate):
    engine = ToyEngine(0.5)
    settings = {"vote": "best"} if method == "best-of-n" else {}
    with Solver("gsm8k", method, engine, "deductive", aggregate=aggregate, **settings) as solver:
        solved = [solver.solve(problem) for problem in PROBLEMS]
        assert solver.describe()["reward"] == "deductive"
    judge, seen = Deductive(engine), 0
    for s in solved:
        assert s.result.failed is None
        for node in s.tree.nodes[1:]:
            if node.value is not None:
                steps = tuple(n.step for n in s.tree.path(node.id))
                asked = asyncio.run(judge.evaluate(Partial(Problem("", s.result.question), (), steps)))
                assert node.value == asked.value
                seen += 1
    assert seen > 10


def test_another_model_may_verify():
    settings = {"reward_policy": "toy", "reward_good": "+", "reward_bad": "-", "reward_suffix": "?"}
    with Solver("gsm8k", "beam", "toy", "deductive", **settings) as solver:
        solved = solver.solve(PROBLEMS[0])
        assert solver._reward.engine is not solver.engine
    assert solved.result.failed is None
    assert solved.result.reward_tokens > 0


def test_a_wrong_judgement_token_is_refused_before_the_search():
    with (
        pytest.raises(UserError, match="'yes' is 3 tokens"),
        Solver("gsm8k", "beam", "toy", "deductive", reward_good="yes"),
    ):
        pass
