"""From completions to steps: borders, calculator splices, cuts and untrusted text."""

import asyncio
import math
import time

import pytest

from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.rewards.base import Partial
from reasoning.rewards.own_value import OwnValue
from reasoning.tasks import get_task
from search.types import Finish

from .scripted_engine import EOS, ScriptedEngine

PREFIX = (50, 51)


def sample(*texts, unit="step", profile="lines", max_tokens=200, before="", value_ids=None):
    engine = ScriptedEngine(*texts)
    policy = Policy(engine, get_task("gsm8k"), PROFILES[profile], value_ids=value_ids)
    expanded = asyncio.run(policy.sample(PREFIX, before, unit, 1, max_tokens))
    assert not engine.texts, "the policy asked for less than the test expected"
    return expanded, engine


def test_a_line_is_a_step_and_its_ids_are_as_sampled():
    out, engine = sample(" She has 3 + 4 = <<3+4=7>>7.\n")
    (step,) = out.steps
    assert (step.finish, step.text) == (Finish.STEP, " She has 3 + 4 = <<3+4=7>>7.\n")
    assert list(step.ids) == engine.tokenizer.encode(step.text)
    assert out.usage.completion == len(step.ids)
    assert step.mean_logprob == -0.5


@pytest.mark.parametrize(
    ("text", "finish", "answer"),
    [
        ("#### 72\n", Finish.ANSWER, "72"),
        ("#### $1,072.00<eos>", Finish.ANSWER, "1072"),
        (" #### 72<eos>", Finish.ANSWER, "72"),
        ("#### many\n", Finish.END, None),
        ("So it is 72.<eos>", Finish.END, None),
        ("\n", Finish.END, None),
        ("Question: what else\n", Finish.END, None),
        ("<eos>", Finish.END, None),
        ("a line without end", Finish.CUT, None),
    ],
)
def test_how_a_line_ends_a_solution(text, finish, answer):
    (step,) = sample(text)[0].steps
    assert (step.finish, step.answer) == (finish, answer)


def test_a_whole_answer_becomes_a_chain_of_steps():
    out, engine = sample(" 3+4 = <<3+4=7>>7\n 7*2 = <<7*2=14>>14\n#### 14\n\n", unit="answer")
    assert [s.finish for s in out.steps] == [Finish.STEP, Finish.STEP, Finish.ANSWER]
    assert out.steps[-1].answer == "14"
    assert "".join(s.text for s in out.steps) == " 3+4 = <<3+4=7>>7\n 7*2 = <<7*2=14>>14\n#### 14\n\n"
    assert engine.samplings[0].stop == ("\n\n", "\nQuestion:")


def test_what_follows_the_answer_is_dropped_but_counted():
    out, engine = sample("#### 14\nQuestion: more\nAnswer: x", unit="answer")
    assert [s.text for s in out.steps] == ["#### 14\n"]
    assert out.usage.completion == len(engine.tokenizer.encode("#### 14\nQuestion: more\nAnswer: x"))


def test_a_wrong_calculation_is_cut_at_its_value_and_the_right_one_spliced_in():
    out, engine = sample(" 96*2 = <<96*2=184>>184 cups\n", "192 cups\n")
    (step,) = out.steps
    assert step.text == " 96*2 = <<96*2=192>>192 cups\n"
    assert [s.source for s in step.segments] == ["model", "tool", "model"]
    assert engine.tokenizer.decode(step.segments[1].ids) == "192>>"
    assert step.segments[1].logprobs is None
    # The second request goes on from the tokens kept and the tool's, and has another seed.
    assert engine.prompts[1] == PREFIX + step.segments[0].ids + step.segments[1].ids
    assert engine.samplings[0].seed != engine.samplings[1].seed
    # The discarded tail was paid for.
    assert out.usage.completion == len(engine.tokenizer.encode(" 96*2 = <<96*2=184>>184 cups\n192 cups\n"))


def test_the_cut_falls_on_a_token_border_before_the_value():
    out, engine = sample("<<3-5=-3>>-3\n", "-2\n")
    (step,) = out.steps
    assert step.text == "<<3-5=-2>>-2\n"
    assert engine.tokenizer.decode(step.segments[0].ids) == "<<3-5"  # `=-` is one token and had to go
    assert engine.tokenizer.decode(step.segments[1].ids) == "=-2>>"


def test_every_wrong_calculation_of_a_step_is_corrected():
    out, _ = sample("<<1+1=3>>3 <<2+2=5>>5\n", "2 <<2+2=5>>5\n", "4\n")
    assert out.steps[0].text == "<<1+1=2>>2 <<2+2=4>>4\n"


def test_a_slip_in_the_middle_of_an_answer_discards_the_rest():
    out, _ = sample("<<1+1=2>>2\n<<2*3=7>>7\n#### 7\n\n", "6\n#### 6\n\n", unit="answer")
    assert [s.text for s in out.steps] == ["<<1+1=2>>2\n", "<<2*3=6>>6\n", "#### 6\n\n"]
    assert out.steps[-1].answer == "6"


def test_a_model_that_never_calculates_right_is_stopped():
    out, _ = sample(*["<<1+1=3>>"] * 17, max_tokens=10_000)
    assert out.steps[-1].finish is Finish.INVALID
    assert "16 wrong calculations" in out.steps[-1].note


@pytest.mark.parametrize(
    "text", ["<<__import__('os')=1>>1\n", "<<9**9**9=1>>1\n", "<<" + "9" * 150 + "=1\n", "<<x+3=7>>7\n", "<<1/0=0>>0\n"]
)
def test_an_annotation_that_is_no_arithmetic_is_a_failed_step_at_once(text):
    begun = time.perf_counter()
    (step,) = sample(text)[0].steps
    assert step.finish is Finish.INVALID
    assert step.note
    assert time.perf_counter() - begun < 0.1  # an event loop is started, too


def test_a_step_that_the_limit_cuts_is_cut_even_in_an_annotation():
    (step,) = sample(" a long line <<12*3=3", max_tokens=12)[0].steps
    assert step.finish is Finish.CUT
    (step,) = sample("<<2*3=7>>7\n", max_tokens=9)[0].steps  # nothing is left to go on with after the correction
    assert (step.finish, step.text) == (Finish.CUT, "<<2*3=6>>")


def test_chat_steps_end_at_blank_lines_and_answers_are_boxed():
    out, _ = sample("First.\n\n", profile="chat")
    assert out.steps[0].finish is Finish.STEP
    out, _ = sample("So \\boxed{72}.<eos>", profile="chat", before="First.\n\n")
    assert (out.steps[0].finish, out.steps[0].answer) == (Finish.ANSWER, "72")
    out, _ = sample("A.\n\nB.\n\n\\boxed{7}<eos>", profile="chat", unit="answer")
    assert [s.finish for s in out.steps] == [Finish.STEP, Finish.STEP, Finish.ANSWER]


def test_an_answer_within_thinking_does_not_count():
    (step,) = sample("Maybe \\boxed{1}?\n\n", profile="think")[0].steps
    assert step.finish is Finish.STEP
    (step,) = sample("</think>So \\boxed{2}<eos>", profile="think", before="Maybe \\boxed{1}?\n\n")[0].steps
    assert (step.finish, step.answer) == (Finish.ANSWER, "2")
    (step,) = sample("Maybe \\boxed{1}<eos>", profile="think")[0].steps
    assert step.finish is Finish.END


def test_end_of_sequence_stays_in_the_ids():
    (step,) = sample("#### 5<eos>")[0].steps
    assert step.ids[-1] == EOS
    assert step.text == "#### 5"


# ---- the policy's own value ------------------------------------------------------------------------------------------


def value_at(position):
    """What the scripted engine's watched tokens say at a position of a completion."""
    return pytest.approx(1 / (1 + math.exp(-position / 10)), abs=1e-6)


def test_a_step_s_value_is_read_where_its_last_token_was_sampled():
    out, engine = sample(" 3+4=7\n", value_ids=(7, 8))
    assert engine.samplings[0].watch == (7, 8)
    assert out.steps[0].value == value_at(len(" 3+4=7\n") - 1)
    out, _ = sample("#### 7<eos>", value_ids=(7, 8))
    assert out.steps[0].value == value_at(3)  # "####", " ", "7", end of sequence


def test_every_step_of_a_whole_answer_has_its_value():
    out, engine = sample("a\nbc\n#### 14<eos>", unit="answer", value_ids=(7, 8))
    assert [s.value for s in out.steps] == [value_at(1), value_at(4), value_at(9)]
    assert len(engine.prompts) == 1


def test_a_corrected_step_s_value_comes_from_the_request_that_ended_it():
    out, _ = sample("a\n<<1+1=3>>3\nmore\n", "2\n#### 2<eos>", unit="answer", value_ids=(7, 8))
    assert [s.text for s in out.steps] == ["a\n", "<<1+1=2>>2\n", "#### 2"]
    assert [s.value for s in out.steps] == [value_at(1), value_at(1), value_at(5)]


def test_a_step_that_is_not_whole_has_no_value():
    for texts, limit in ((["a line without end"], 200), (["<<2*3=7>>7\n"], 9), (["<<x+3=7>>7\n"], 200)):
        (step,) = sample(*texts, max_tokens=limit, value_ids=(7, 8))[0].steps
        assert step.finish in (Finish.CUT, Finish.INVALID)
        assert step.value is None


def test_a_policy_without_a_value_watches_nothing_and_gives_none():
    out, engine = sample(" 3+4=7\n")
    assert engine.samplings[0].watch == ()
    assert out.steps[0].value is None
    with pytest.raises(ValueError, match="no value"):
        asyncio.run(OwnValue().evaluate(Partial(None, PREFIX, out.steps)))


def test_the_own_value_reward_is_the_last_step_s_and_costs_nothing():
    out, _ = sample("a\nbc\n", unit="answer", value_ids=(7, 8))
    outcome = asyncio.run(OwnValue().evaluate(Partial(None, PREFIX, out.steps)))
    assert outcome.value == out.steps[-1].value
    assert outcome.usage.computed == 0
