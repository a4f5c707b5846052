"""Searches from raw prompts: nothing is added to them, `until` ends them, and every text has an answer to vote on."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.records import Problem
from reasoning.integrations.prompted import AnyText, Ending, PromptedProfile, PromptedSolver, Repeats, truncate
from reasoning.profiles import get_profile
from search.types import Finish
from tests.reasoning.scripted_engine import ScriptedEngine

LINES = PromptedProfile.of(get_profile("lines"))
CHAT = PromptedProfile.of(get_profile("chat"))
THINK = PromptedProfile.of(get_profile("think"))


def until(profile: PromptedProfile, *strings: str) -> PromptedProfile:
    return profile.ending(Ending(strings), None)


def reply(engine: ScriptedEngine, prompt: str, ending: Ending, **settings: object) -> str:
    async def run() -> str:
        async with PromptedSolver(policy=engine, profile="lines", **settings) as solver:
            text, _ = await solver.reply(Problem("p", prompt), ending)
            return text

    return asyncio.run(run())


@given(st.text("ab\n", max_size=12), st.lists(st.text("ab\n", max_size=3), max_size=3))
def test_a_truncated_text_is_the_longest_beginning_in_which_no_end_begins(text: str, ends: list[str]) -> None:
    kept = truncate(text, ends)
    assert text.startswith(kept)
    real = [e for e in ends if e]
    assert not any(e in kept for e in real)
    assert kept == text or any(text.startswith(e, len(kept)) for e in real)


def test_the_prompt_is_raw() -> None:
    engine = ScriptedEngine(" 4\n#### 4\n")
    context = "Q: 2+2?\nLet us think.\nA:"
    reply(engine, context, Ending(("Q:",)), method="greedy")
    assert engine.prompts == [tuple(engine.tokenizer.encode(context))]
    assert engine.samplings[0].stop == ("Q:",)


def test_until_ends_the_text_also_across_two_steps() -> None:
    profile = until(LINES, "\n\n")
    assert profile.read("a line\n", "next\n", False) == (Finish.STEP, None)
    assert profile.read("so it is 5\n", "\nmore", False) == (Finish.ANSWER, "so it is 5")
    engine = ScriptedEngine(" so it is 5\n\nQuestion: another")
    assert reply(engine, "x", Ending(("\n\n",)), method="greedy") == " so it is 5"


def test_a_blank_line_or_the_next_question_ends_nothing_by_itself() -> None:
    profile = until(LINES, "STOP")
    assert profile.read("a\n", "\n", False) == (Finish.STEP, None)
    assert profile.read("a\n", "Question: b\n", False) == (Finish.STEP, None)


def test_a_marked_answer_wins_over_the_last_line() -> None:
    assert until(LINES, "\n\n").read("a\n", "#### 72\n", False) == (Finish.ANSWER, "72")
    assert CHAT.read("", "so \\boxed{7} it is", True) == (Finish.ANSWER, "7")
    # A mark behind the end of the text was never said.
    assert until(LINES, "Q:").read("", "It is 3. Q: b\n#### 4\n", False) == (Finish.ANSWER, "It is 3.")


def test_an_unmarked_text_has_its_last_line_for_an_answer() -> None:
    assert CHAT.read("First.\n\n", "The answer is 72.\n", True) == (Finish.ANSWER, "The answer is 72.")
    assert THINK.read("<think>so 5\n", "</think>\nIt is 6", True) == (Finish.ANSWER, "It is 6")
    assert LINES.read("", " \n", True) == (Finish.END, None)


def test_answers_are_the_same_where_number_or_words_are() -> None:
    same = AnyText().canonical
    assert same("The answer is 72.") == same("72.0") == "72"
    assert same("  it   depends ") == "it depends"
    assert same(" \n") is None


def test_unmarked_solutions_are_voted_on() -> None:
    engine = ScriptedEngine(" The answer is 5.\n\n", " The answer is 6.\n\n", " It is 5\n\n")
    text = reply(engine, "x", Ending(("\n\n",)), method="best-of-n", n=3)
    assert text in (" The answer is 5.", " It is 5")


@pytest.mark.parametrize(("asked", "own", "limit"), [(7, None, 7), (7, 5, 5), (5, 7, 5), (None, 9, 9)])
def test_the_smaller_limit_of_tokens_holds(asked: int | None, own: int | None, limit: int) -> None:
    profile = LINES.ending(Ending(max_tokens=asked), own)
    assert (profile.max_answer_tokens, profile.max_step_tokens) == (limit, limit)


def test_a_longer_limit_than_the_profiles_is_granted() -> None:
    profile = LINES.ending(Ending(max_tokens=2048), None)
    assert (profile.max_answer_tokens, profile.max_step_tokens) == (2048, LINES.max_step_tokens)


def test_the_harness_temperature_is_for_strategies_that_sample_and_have_none() -> None:
    for settings, temperature in (
        ({"method": "greedy"}, 0.0),
        ({"method": "best-of-n", "n": 1}, 0.3),
        ({"method": "best-of-n", "n": 1, "temperature": 0.9}, 0.9),
    ):
        engine = ScriptedEngine(" 4\n#### 4\n")
        reply(engine, "x", Ending(("Q:",), temperature=0.3), **settings)
        assert engine.samplings[0].temperature == temperature


def test_a_repeated_prompt_gets_other_seeds() -> None:
    repeats = Repeats()
    names = [repeats.name("a"), repeats.name("b"), repeats.name("a")]
    assert len(set(names)) == 3
    assert Repeats().name("a") == names[0]


def test_the_harness_brings_the_questions() -> None:
    with pytest.raises(UserError, match="leave out the setting 'task'"):
        PromptedSolver(task="gsm8k")
