"""The 0.5B model of the catalogue, for real: pulled, converted to eight bits, asked for programs through vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning.engine import models, open_engine
from reasoning.engine.base import Engine
from reasoning.policy import Policy
from reasoning.profiles import choose_profile
from reasoning.tasks import get_task
from search.types import Finish

NAME = "qwen2.5-coder-0.5b"
QUESTIONS = {
    "A box holds 12 pencils. How many pencils are in 5 boxes?": 60,
    "Ann has 30 dollars and buys 4 books at 6 dollars each. How many dollars are left?": 6,
    "A car drives 60 miles an hour for 3 hours. How many miles does it drive?": 180,
    "Tom has 8 apples and Sue has twice as many. How many apples have they together?": 24,
}

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def folder() -> Path:
    pytest.importorskip("vllm")
    try:
        return models.folder(models.resolve(NAME), "int8")
    except UserError as error:
        if "cannot be had" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="module")
def engine(loop: asyncio.Runner, folder: Path) -> Iterator[Engine]:
    opened = loop.run(open_engine(NAME, options={"weights": "int8", "max_model_len": "1024", "max_num_seqs": "8"}))
    yield opened
    loop.run(opened.close())


def test_the_tokenizer_is_qwen_s(engine: Engine) -> None:
    # Ids of the publisher's own table (the ranks of qwen.tiktoken, and the special tokens after them).
    assert engine.tokenizer.encode("Tom has 1234 apples") == [24732, 702, 220, 16, 17, 18, 19, 40676]
    assert engine.tokenizer.encode("e\u0301") == engine.tokenizer.encode("é") == [963]
    assert engine.tokenizer.eos_ids == {151645, 151643}
    assert engine.tokenizer.bos_ids == ()


def test_eight_bits_say_nearly_what_the_file_s_weights_say(loop: asyncio.Runner, engine: Engine, folder: Path) -> None:
    """Log-probabilities of vLLM's eight-bit kernels against plain transformers on the same file in bfloat16."""
    prompt = engine.tokenizer.encode("Question: How many days has a week?\nAnswer: A week has")
    text = engine.tokenizer.encode(" seven days. There are 24 hours in a day and 60 minutes in an hour.\n")
    ours, _ = loop.run(engine.score(prompt, text))

    async def theirs() -> list[float]:
        plain = await open_engine(NAME, backend="transformers", options={"device": "cpu", "dtype": "bfloat16"})
        try:
            return (await plain.score(prompt, text))[0]
        finally:
            await plain.close()

    differences = [abs(a - b) for a, b in zip(ours, loop.run(theirs()), strict=True)]
    assert sum(differences) / len(differences) < 0.15
    assert max(differences) < 1.5


def test_programs_solve_easy_questions(loop: asyncio.Runner, engine: Engine) -> None:
    task = get_task("gsm8k")
    policy = Policy(engine, task, choose_profile(NAME, None, engine, task), temperature=0.0)
    assert policy.profile.name == "program-chat"

    async def answers() -> list[str | None]:
        found = []
        for number, question in enumerate(QUESTIONS):
            prompt = policy.prompt(Problem(str(number), question))
            steps = (await policy.sample(prompt, "", "answer", 1, 100)).steps
            assert all(step.meaning for step in steps if step.finish in (Finish.STEP, Finish.ANSWER))
            found.append(steps[-1].answer)
        return found

    right = [
        given is not None and Fraction(given) == known
        for given, known in zip(loop.run(answers()), QUESTIONS.values(), strict=True)
    ]
    assert sum(right) >= 2  # of a model that solves a fifth of GSM8K
