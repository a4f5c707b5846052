"""What is asked of a model, what code finds wrong with its texts, and which of them become rows."""

import copy

import pytest

from data.synthesis.checks import faults
from data.synthesis.generators import GENERATORS
from data.synthesis.names import mentions_of
from data.synthesis.relocation import Refused, relocated
from data.synthesis.rewriting import Told, conversation, criticise, judged, listing, said
from data.synthesis.samples import make
from formulation.model import load
from formulation.schema import read_problem

from .told import ANEW, SHORT, SWAPPED, TEXT, TURNED, row

ROW = row()


def talk(answers, rounds=2, critic=False):
    """The requests of a conversation, and how it ended."""
    going, asked = conversation(ROW, rounds, critic=critic), []
    request = next(going)
    for answer in answers:
        asked.append(request)
        try:
            request = going.send(answer)
        except StopIteration as end:
            return asked, end.value
    raise AssertionError("it goes on")


def spans(problem):
    """Field and span of every number of a problem's statements."""
    statements = [("objective", problem["objective"]), *((c["id"], c) for c in problem["constraints"])]
    return [
        (o, field, s["span"]) for o, one in statements for field, s in one["sources"].items() if field and "span" in s
    ]


# ---- what is asked ----


def test_the_listing_says_every_variable_number_and_statement():
    told = listing(read_problem(ROW["problem"])).splitlines()
    assert told[:3] == ["To decide:", "- desks: a whole number", "- chairs: a whole number"]
    assert [line for line in told if "40" in line and "25" in line]
    assert [line for line in told if "5 desks + 3 chairs must be at most 240" in line]
    assert [line for line in told if "chairs must be at least 10" in line]


def test_a_good_text_ends_a_conversation_of_one_request():
    asked, told = talk([ANEW])
    assert told == Told(ANEW, (), 0)
    assert TEXT in asked[0]


def test_what_is_missing_is_sent_back_with_the_text():
    asked, told = talk([SHORT, ANEW])
    assert told == Told(ANEW, (), 1)
    assert SHORT in asked[1]
    assert "The number 240 is missing." in asked[1]


def test_a_text_that_stays_wrong_ends_with_its_complaints():
    asked, told = talk([SHORT] * 3)
    assert len(asked) == 3
    assert told == Told(SHORT, ("The number 240 is missing.",), 2)


def test_a_critic_is_asked_about_texts_that_code_finds_whole_and_refuses_none():
    asked, told = talk([ANEW, "- It does not say who pays.", SHORT, SHORT], critic=True)
    assert "Which statements does the description leave out" in asked[1]
    assert "It does not say who pays." in asked[2]
    assert told == Told(ANEW, (), 0)  # the one that code had no complaint about


@pytest.mark.parametrize("answer", ["OK", "OK.", "<think>hm</think>\nOK, it says everything.", "Nothing.", ""])
def test_a_critic_that_has_nothing_to_say_ends_it(answer):
    assert talk([ANEW, answer], critic=True)[1] == Told(ANEW, (), 0)


def test_a_critics_words_are_bounded():
    asked, _ = talk([ANEW, "too long " * 5000, ANEW, "OK"], critic=True)
    assert len(asked[2]) < len(asked[0]) + len(ANEW) + 1000


@pytest.mark.parametrize(
    "answer",
    [
        ANEW,
        f"  {ANEW}\n\n",
        f'"{ANEW}"',
        f"Here is the description:\n\n{ANEW}",
        f"**Description:** {ANEW}",
        f"<think>desks, so V1</think>{ANEW}",
        f"```text\n{ANEW}\n```",
        ANEW.replace(". ", ".\n"),
        ANEW.replace("desks and", "desks\x1b and"),
    ],
)
def test_the_description_is_taken_out_of_an_answer(answer):
    assert said(answer) == ANEW


# ---- what a text must hold ----


def test_nothing_is_wrong_with_a_right_text():
    assert criticise(ROW, ANEW) == ()


def test_numbers_count_by_value():
    assert criticise(ROW, ANEW.replace("240", "two hundred and forty").replace("10.", "ten.")) == ()
    assert criticise(ROW, ANEW.replace("$25", "$25.00")) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "There is no description."),
        (ANEW[:-1], "It stops in the middle of a sentence."),
        (ANEW.replace("chair", "stool"), "It does not name 'chairs'."),
        (ANEW.replace("$40", "money"), "The number 40 is missing."),
        (ANEW + " It has been there for 12 years.", "The number 12 is not of the problem."),
        (ANEW + " So 240 it is.", "The number 240 must occur once only."),
        (ANEW + " That is V1 <= N3.", "It has symbols, which must be said in words: <= N3 V1"),
        (TEXT, "It repeats the description that was given: use other words and another order."),
        (ANEW + " Go on." * 1000, "It is far too long: write at most 2000 characters."),
    ],
)
def test_what_is_wrong_is_said(text, complaint):
    assert criticise(ROW, text) == (complaint,)


def test_idle_numbers_of_the_first_text_may_be_said_or_not_and_one_counts_little():
    idle = copy.deepcopy(ROW)
    idle["text"] = idle["problem"]["text"] = TEXT + " It was founded 12 years ago."
    at = idle["text"].index("12")
    idle["distractors"] = [{"span": [at, at + 2], "text": "12", "why": "background"}]
    assert faults(idle) == []
    assert criticise(idle, ANEW) == ()
    assert criticise(idle, ANEW + " It is 12 years old, and no one knows more.") == ()
    assert criticise(idle, ANEW + " It is 12 years old, or 12.") == ("The number 12 is not of the problem.",)


def test_names_are_found_in_the_singular_and_never_within_longer_ones():
    text = "Twin rooms cost more than a room. Boxes and berries, no glass."
    labels = {"a": "rooms", "b": "twin room", "c": "box", "d": "berry", "e": "glasses"}
    found = {name: [text[a:b] for a, b in places] for name, places in mentions_of(labels, text).items()}
    assert found == {"a": ["room"], "b": ["Twin rooms"], "c": ["Boxes"], "d": ["berries"], "e": ["glass"]}


# ---- what is accepted ----


def test_an_equivalent_text_is_a_row_without_faults():
    verdict = judged(ROW, Told(ANEW, (), 1))
    assert verdict.reason is None
    fresh = verdict.row
    assert faults(fresh) == []
    assert fresh["text"] == fresh["problem"]["text"] == ANEW
    said_of = {field: ANEW[slice(*span)] for owner, field, span in spans(fresh["problem"]) if owner == "c1"}
    assert said_of == {"limit": "240", "terms['desk']": "5", "terms['chair']": "3"}
    sentence = fresh["problem"]["constraints"][1]["sources"][""]["text"]
    assert sentence == "The number of chairs must be no less than 10."
    assert "maximize" in fresh["problem"]["objective"]["sources"][""]["text"]


@pytest.mark.parametrize(("text", "reason"), [(TURNED, "different: "), (SWAPPED, "swapped: ")])
def test_a_text_with_the_right_numbers_in_the_wrong_places_is_refused(text, reason):
    assert criticise(ROW, text) == ()
    assert judged(ROW, Told(text, (), 0)).reason.startswith(reason)


def test_a_refused_row_has_its_text_and_no_false_sources():
    verdict = judged(ROW, Told(SHORT, criticise(ROW, SHORT), 2))
    assert verdict.reason == "text: The number 240 is missing."
    assert verdict.row["text"] == verdict.row["problem"]["text"] == SHORT
    assert not read_problem(verdict.row["problem"]).constraints[0].sources


def test_any_reader_may_judge_and_its_failure_is_a_reason():
    told = Told(TURNED, (), 0)
    assert judged(ROW, told, lambda text: load(ROW["problem"])).reason is None
    assert judged(ROW, told, lambda text: None).reason == "the reader found no variables"
    assert judged(ROW, told, lambda text: 1 // 0).reason == (
        "the reader failed: ZeroDivisionError: integer division or modulo by zero"
    )


# ---- where things are said ----


def test_equal_numbers_go_by_what_stands_around_them():
    change = copy.deepcopy(ROW)
    # Chairs earn 5 too: the value stands for hours and for dollars.
    change["problem"]["objective"]["terms"]["chair"] = 5
    text = TEXT.replace("$25", "$5")
    place = text.index("$5") + 1
    change["text"] = change["problem"]["text"] = text
    change["problem"]["objective"]["sources"]["terms['chair']"] = {"span": [place, place + 1], "text": "5"}
    problem, idle = relocated(change, ANEW.replace("$25", "$5"))
    found = {(owner, field): span[0] for owner, field, span in spans(problem)}
    assert found["objective", "terms['chair']"] == ANEW.index("$25") + 1
    assert found["c1", "terms['desk']"] == ANEW.replace("$25", "$5").index("5 hours")
    assert idle == []


def test_equal_numbers_with_nothing_to_tell_them_apart_are_refused():
    text = ANEW.replace("240 hours of labor available", "240 or 240")
    with pytest.raises(Refused, match="nothing says which is which"):
        relocated(ROW, text)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_sources_of_a_text_are_found_again_in_itself(seed):
    """Where two ways are as good, nothing is said; else every number stands where the grammar put it."""
    told = 0
    for index in range(25):
        made = make(GENERATORS, seed, index)
        try:
            problem, _ = relocated(made, made["text"])
        except Refused:
            continue
        told += 1
        assert spans(problem) == spans(made["problem"])
        assert faults({**made, "problem": problem}) == []
    assert told >= 15
