"""Prompt sets: how a prompt is put, the file, and what it is refused for."""

import dataclasses
import json

import pytest

from data.errors import DataError, UserError
from data.records import Problem
from reasoning.engine.toy import ByteTokenizer
from reasoning.profiles import PROFILES
from reasoning.prompts import PLAIN, Prompt, PromptSet, read_prompts, write_prompts
from reasoning.prompts.__main__ import PLAN_AND_SOLVE
from reasoning.prompts.sets import tokenizer_digest
from reasoning.tasks.base import Example
from reasoning.tasks.gsm8k import Gsm8k

from ..scripted_engine import GreedyTokenizer

QUESTION = Problem("q", "How many?")
FULL = Prompt("full", "Do this.", "Let's go.", (Example("1 + 1?", "1+1=<<1+1=2>>2\n#### 2"),))
SET = PromptSet("gsm8k", "toy", None, "lines", tokenizer_digest(ByteTokenizer()), (PLAIN, PLAN_AND_SOLVE, FULL))


class ChatTokenizer(ByteTokenizer):
    """Shows the turns of a conversation as they are."""

    def chat(self, messages):
        return self.encode(json.dumps([[m["role"], m["content"]] for m in messages]))


def put(profile: str, manner: Prompt) -> str:
    tokenizer = ChatTokenizer()
    return tokenizer.decode(PROFILES[profile].prompt(Gsm8k(), QUESTION, tokenizer, manner))


def test_a_model_of_lines_reads_instruction_examples_question_and_lead():
    assert put("lines", FULL) == (
        "Do this.\n\nQuestion: 1 + 1?\nAnswer: 1+1=<<1+1=2>>2\n#### 2\n\nQuestion: How many?\nAnswer: Let's go.\n"
    )


def test_a_chat_model_reads_examples_as_turns_and_the_lead_after_the_question():
    form = Gsm8k().instruction
    assert json.loads(put("chat", FULL)) == [
        ["user", f"1 + 1?\n\n{form}"],
        ["assistant", "1+1=<<1+1=2>>2\n#### 2"],
        ["user", f"Do this.\n\nHow many?\n\nLet's go.\n\n{form}"],
    ]


@pytest.mark.parametrize("profile", ["lines", "lines-zero-shot", "chat"])
def test_the_plain_prompt_is_the_profile_s_own(profile):
    shots = "".join(f"Question: {e.question}\nAnswer: {e.solution}\n\n" for e in Gsm8k().examples[:4])
    assert (
        put(profile, PLAIN)
        == {
            "lines": f"{shots}Question: How many?\nAnswer:",
            "lines-zero-shot": "Question: How many?\nAnswer:",
            "chat": json.dumps([["user", f"How many?\n\n{Gsm8k().instruction}"]]),
        }[profile]
    )


def test_plan_and_solve_keeps_the_profile_s_examples_and_begins_the_answer():
    text = put("lines", PLAN_AND_SOLVE)
    assert text.startswith(put("lines", PLAIN))
    assert text.endswith("Answer: " + PLAN_AND_SOLVE.lead + "\n")
    assert PLAN_AND_SOLVE.lead.startswith("Let's first understand the problem, extract relevant variables")


def test_a_set_is_read_as_it_was_written(tmp_path):
    write_prompts(tmp_path / "p.json", SET)
    assert read_prompts(tmp_path / "p.json") == SET
    assert read_prompts(tmp_path / "p.json").digest == SET.digest
    assert dataclasses.replace(SET, prompts=(PLAIN,)).digest != SET.digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": "math500"}, "of the task math500, not gsm8k"),
        ({"policy": "other/model"}, "of the policy other/model, not toy"),
        ({"adapter": "shipped adapter x (0)"}, r"of the adapter shipped adapter x \(0\), not none"),
        ({"profile": "chat"}, "of the profile chat, not lines"),
        ({"tokenizer": tokenizer_digest(GreedyTokenizer())}, "another tokenizer"),
    ],
)
def test_a_set_of_another_task_policy_profile_or_tokenizer_is_refused(change, said):
    with pytest.raises(UserError, match=said) as caught:
        found = dataclasses.replace(SET, **change)
        found.check_task("gsm8k")
        found.check_policy("toy", None, "lines", ByteTokenizer())
    assert "\n" not in str(caught.value)


def test_a_server_may_have_moved():
    dataclasses.replace(SET, policy="m").check_policy("m@http://elsewhere:9/v1", None, "lines", ByteTokenizer())


def stored(**change) -> str:
    return json.dumps({"format": "stepsolver prompts 1", **dataclasses.asdict(SET), **change})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no file of prompts"),
        ('{"format": "stepsolver prompts 9"}', "no file of prompts"),
        (stored(task=3), "malformed"),
        (stored(prompts=None), "malformed"),
        (stored(prompts=[]), "at least one"),
        (stored(prompts=[{"name": "a"}]), "malformed"),
        (stored(prompts=[dataclasses.asdict(PLAIN)] * 2), "a name of its own"),
        (stored(prompts=[dataclasses.asdict(FULL) | {"examples": ["x"]}]), "malformed"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, text, said):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read_prompts(path)
    assert "broken.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="absent"):
        read_prompts(tmp_path / "absent.json")
