"""Rewards of drafts: what is right gets 1, what is nearly right less, and nothing that is written raises anything."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from formulation.drafts import problem_of
from formulation.quantities import numbers_in
from formulation.rewards import equivalent_reward, executes_reward, format_reward
from formulation.wire import parse

TEXT = (
    "A shop makes desks, chairs and lamps. A desk takes 4 hours, a chair 3 and a lamp half an hour of 220 hours. Desks "
    "bring $45, chairs $80, lamps $12.50. At least 30% are desks, and there are twice as many chairs as lamps. There "
    "are at most 20 desks."
)
NUMBERS = numbers_in(TEXT)
DRAFT = """var int desks
var int chairs
var int lamps
max N5*V1 + N6*V2 + N7*V3
linear <= N4 | N1*V1 + N2*V2 + N3*V3
share >= N8 | V1 / V1 + V2 + V3
times >= N9 | V2 : V3
bound <= N10 | V1
"""
LINES = DRAFT.splitlines(keepends=True)
IMPOSSIBLE = DRAFT + "sum >= N4 | V1 + V2\n"  # 220 pieces at no less than 3 hours each, of 220 hours
ENDLESS = "".join(LINES[:4])


def problem(draft: str) -> str:
    return problem_of(parse(draft, len(NUMBERS)), TEXT, NUMBERS).model_dump_json()


def formed(*completions) -> list[float]:
    return format_reward(completions=completions, text=[TEXT] * len(completions))


def executed(*completions) -> list[float]:
    return executes_reward(completions=completions, text=[TEXT] * len(completions))


def likened(*completions, to: str = DRAFT) -> list[float | None]:
    many = len(completions)
    return equivalent_reward(completions=completions, text=[TEXT] * many, problem=[problem(to)] * many)


def test_a_right_draft_gets_all_there_is():
    assert formed(DRAFT) == executed(DRAFT) == likened(DRAFT) == [1.0]


def test_messages_of_a_chat_are_read_by_the_last_one():
    chat = [{"role": "user", "content": "no draft"}, {"role": "assistant", "content": DRAFT}]
    parts = [{"role": "assistant", "content": [{"type": "text", "text": DRAFT[:9]}, {"text": DRAFT[9:]}]}]
    assert formed(chat, parts, DRAFT, []) == [1, 1, 1, 0]
    assert likened(chat, parts) == [1, 1]


# ---- form ------------------------------------------------------------------------------------------------------------


def test_well_formed_lines_are_counted():
    broken = DRAFT.replace("| V1 / V1", "| V1 V1").replace("N9", "N99")
    assert formed(broken) == [pytest.approx(0.9 * 6 / 8)]
    assert formed("Let x be the desks.\n" + DRAFT) == [pytest.approx(0.9 * 8 / 9)]
    assert formed(LINES[0] + "max V1\n" + LINES[1]) == [pytest.approx(0.9 * 2 / 3)]  # variables come first
    assert formed("Here is the model:", "") == [0, 0]


def test_lines_that_make_no_problem_together_are_not_worth_all():
    assert formed("".join(LINES[3:4])) == [0]  # V1 is no variable
    assert formed(DRAFT + LINES[3]) == [pytest.approx(0.9)]  # two objectives
    assert formed("\n") == [0]


def test_a_line_repeated_for_ever_is_worth_little():
    assert formed(DRAFT + "bound <= N10 | V1\n" * 180)[0] < 0.3


# ---- execution -------------------------------------------------------------------------------------------------------


def test_what_solves_is_worth_most_and_a_contradiction_more_than_a_model_without_end():
    assert executed(DRAFT, IMPOSSIBLE, ENDLESS) == [1, 0.5, 0.25]


def test_what_cannot_be_solved_is_worth_nothing():
    aimless = DRAFT.replace(LINES[3], "")
    assert executed(aimless, "no draft", "") == [0, 0, 0]


def test_the_trainer_is_told_the_shares():
    told = {}
    many = [DRAFT, DRAFT, ENDLESS, "x"]
    executes_reward(completions=many, text=[TEXT] * 4, log_metric=told.__setitem__)
    equivalent_reward(completions=many, text=[TEXT] * 4, problem=[problem(DRAFT)] * 4, log_metric=told.__setitem__)
    assert told["drafts/optimal"] == told["drafts/equivalent"] == 0.5
    assert told["drafts/unbounded"] == 0.25 and told["drafts/infeasible"] == 0


# ---- likeness --------------------------------------------------------------------------------------------------------


def test_the_order_of_variables_and_lines_does_not_count():
    swapped = {"V1": "V2", "V2": "V1"}
    lines = [LINES[1], LINES[0], LINES[2], *reversed(LINES[3:])]
    moved = re.sub(r"V[12]", lambda match: swapped[match.group()], "".join(lines))
    assert moved != DRAFT and likened(moved) == [1]


def test_the_same_model_in_other_rows_is_the_reference():
    twice = DRAFT + "linear <= N4 | N1*V1 + N2*V2\n"  # follows from the hours
    assert likened(twice) == [1]
    assert likened(DRAFT, to=twice) == [1]
    assert likened(DRAFT.replace(LINES[6], "linear >= 0 | V2 - N9*V3\n")) == [1]


def test_rows_that_match_are_counted():
    missing, wrong = DRAFT.replace(LINES[7], ""), DRAFT.replace("N10", "N4")
    assert likened(missing, wrong) == [pytest.approx(4 / 5)] * 2
    assert likened(DRAFT.replace("max", "min")) == [pytest.approx(4 / 5)]
    assert likened(ENDLESS) == [pytest.approx(1 / 5)]
    assert likened("".join(LINES[:3])) == [0]


def test_another_domain_is_another_model():
    assert likened(DRAFT.replace("int lamps", "real lamps")) == [0.9]


def test_variables_stand_for_what_they_are_called():
    exchanged = DRAFT.replace("desks", "?").replace("chairs", "desks").replace("?", "chairs")
    assert likened(exchanged)[0] < 0.5


def test_models_without_a_point_are_alike_by_rows_alone():
    assert likened(IMPOSSIBLE, to=IMPOSSIBLE) == [1]
    other = DRAFT.replace("bound <= N10", "bound >= N4")
    assert executed(other) == [0.5]
    assert likened(other, to=IMPOSSIBLE)[0] < 1


def test_logic_is_compared_by_what_it_allows():
    logic = DRAFT + "if V1 : not V2\ncharge N5 | V3\nleast N1 | V2\n"
    assert likened(logic, to=logic) == [1]
    assert likened(logic.replace("if V1 : not V2", "if V2 : not V1"), to=logic) == [1]
    assert likened(logic.replace("if V1 : not V2", "if V1 : V2"), to=logic)[0] < 1


def test_a_row_without_a_reference_is_left_out():
    given = [problem(DRAFT), None, json.loads(problem(DRAFT))]
    assert equivalent_reward(completions=[DRAFT] * 3, text=[TEXT] * 3, problem=given) == [1, None, 1]


@pytest.mark.parametrize("bad", ["{", "[]", '{"variables": {}, "constraints": [{"kind": "nothing"}]}', 7])
def test_a_reference_that_is_none_is_a_mistake_of_the_row(bad):
    with pytest.raises(UserError, match=r"^row 1: problem: .+") as caught:
        equivalent_reward(completions=[DRAFT] * 2, text=[TEXT] * 2, problem=[problem(DRAFT), bad])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reward", [format_reward, executes_reward, equivalent_reward])
def test_missing_columns_are_named(reward):
    with pytest.raises(UserError, match=r"no column 'text'|no column 'problem'"):
        reward(prompts=["?"], completions=[DRAFT])


# ---- what a policy may write -----------------------------------------------------------------------------------------

HOSTILE = {
    "a megabyte": "a" * 10**6,
    "no characters": "\0" * 100,
    "a draft with a null": DRAFT.replace("desks", "de\0sks"),
    "half a character": DRAFT.replace("desks", "de\ud800sks"),
    "too many lines": "var int a\n" * 10**5,
    "empty lines": "\n" * 10**6,
    "a long tag": f"var int a\nmax N{'9' * 3000}*V1",
    "code": "__import__('os').system('true')",
    "chat without text": [{"role": "assistant", "content": None}],
    "chat of parts without text": [{"role": "assistant", "content": [{"type": "image"}]}],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_completion_costs_nothing_and_is_worth_nothing(kind):
    likened(DRAFT)  # what is loaded once is loaded
    start = time.process_time()
    rewards = [executed(HOSTILE[kind]), likened(HOSTILE[kind])]
    whole = formed(HOSTILE[kind])
    assert time.process_time() - start < 0.25
    assert rewards == [[0], [0]]
    assert whole == [pytest.approx(0.45)] if kind == "a long tag" else whole == [0]


WORDS = ["var", "int", "real", "yes", "max", "linear", "if", "share", "<=", ">=", "N1", "N4", "N11", "V1", "V2", "V3"]
PIECES = [*WORDS, "|", "/", ":", "+", "-", "*", "not", "0", "1", "desks", "\n", "\n", "\r", "\t", "{", "٣", "\x00"]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)), st.booleans())
def test_any_completion_has_rewards_from_0_to_1(written, behind):
    completion = DRAFT + written if behind else written
    (a,), (b,) = formed(completion), likened(completion)
    assert 0 <= a <= 1 and 0 <= b <= 1
    assert a == 1 or b == 0  # what is no draft is like nothing
