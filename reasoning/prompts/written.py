"""Prompts that a model writes for a task: instructions (AgentInstruct) and reasoning modules (Auto-Evolve)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from data.errors import UserError
from data.records import Problem
from reasoning.collect.sampler import Sampler
from reasoning.engine.base import Sampling
from reasoning.prompts.sets import Prompt, prompt_name

__all__ = ["instructions", "listed", "modules"]

T = TypeVar("T")

SHOWN: Final = 4  # training questions that the writer sees
TRIES: Final = 3
REFINEMENTS: Final = 2
MAX_TOKENS: Final = 512
MAX_ENTRIES: Final = 12
MAX_ENTRY: Final = 300  # characters
_ENTRY = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s*(.+)$", re.MULTILINE)
_LETTERS = re.compile(r"[^\W\d_]{2}")


async def instructions(sampler: Sampler, problems: Sequence[Problem], count: int) -> list[Prompt]:
    """`count` prompts with instructions for the task (AgentInstruct, arXiv 2310.03710).

    The model is told a few of the task's questions, without answers, and the form of an answer, and writes step-by-step
    instructions once; they then stand before every question. In the paper an agent also searches the web for what is
    known of the task, which is left out here. Raises UserError where the model writes no list in three tries.
    """

    async def one(number: int) -> list[str]:
        request = _about(sampler, _shown(problems, number)) + _INSTRUCT
        return await _list(sampler, f"instructions {number}", request, "instructions")

    texts = await asyncio.gather(*(one(number) for number in range(count)))
    return [
        Prompt(prompt_name("instructions", number, count), "Follow these instructions.\n" + _numbered(text))
        for number, text in enumerate(texts)
    ]


async def modules(sampler: Sampler, problems: Sequence[Problem], count: int) -> list[Prompt]:
    """`count` prompts with a reasoning structure made of modules that the model wrote (Auto-Evolve, arXiv 2410.06328).

    Three kinds of requests, each once for the task: *generate* modules, ways of thinking that such questions ask for;
    *implement* them as one structure, the parts of a solution in order; *refine* the structure, twice. What a solver is
    then asked is to fill the structure in. In the paper it is filled as JSON; here the parts are a numbered list, as a
    solution keeps the form of the policy's steps. A refinement that cannot be read leaves the structure as it was.
    Raises UserError where the model writes no modules, or no structure, in three tries.
    """
    parts = await asyncio.gather(*(_structure(sampler, problems, number) for number in range(count)))
    lead = "Solve by this plan: fill in each part in turn.\n"
    return [
        Prompt(prompt_name("modules", number, count), lead + _numbered(found)) for number, found in enumerate(parts)
    ]


_INSTRUCT: Final = "Write step-by-step instructions for solving any question of this kind. Do not solve these ones."
_GENERATE: Final = (
    "Which ways of thinking do questions of this kind ask for? List reasoning modules, one short line each. "
    "Do not solve the questions."
)
_IMPLEMENT: Final = (
    "Make of these modules one plan for solving any question of this kind: the parts of a solution in their order, "
    "one short line each, to be filled in for a question. Do not solve the questions."
)
_REFINE: Final = (
    "Improve this plan: make each part precise, add what is missing and leave out what no question of this kind needs. "
    "One short line for each part, in their order."
)


async def _structure(sampler: Sampler, problems: Sequence[Problem], number: int) -> list[str]:
    about = _about(sampler, _shown(problems, number))
    found = await _list(sampler, f"generate {number}", about + _GENERATE, "modules")
    told = f"{about}Reasoning modules:\n{_numbered(found)}\n\n"
    structure = await _list(sampler, f"implement {number}", told + _IMPLEMENT, "structure")
    for turn in range(REFINEMENTS):
        told = f"{about}Plan:\n{_numbered(structure)}\n\n"
        structure = await _written(sampler, f"refine {number} {turn}", told + _REFINE, listed) or structure
    return structure


async def _list(sampler: Sampler, key: str, request: str, what: str) -> list[str]:
    """What the model lists, in the first of three tries that gives anything."""
    for turn in range(TRIES):
        if found := await _written(sampler, f"{key} try {turn}", request, listed):
            return found
    raise UserError(f"the policy wrote no {what} in {TRIES} tries: take a larger model, or another --kind")


async def _written(sampler: Sampler, key: str, request: str, read: Callable[[str], T]) -> T:
    """One answer of the model to a request of its own, read; a chat model is asked as such, any other goes on."""
    policy = sampler.policy
    tokenizer, profile = policy.engine.tokenizer, policy.profile
    # A model that only continues text is led into a list.
    lead = "" if profile.chat else "1."
    if profile.chat:
        ids = tuple(tokenizer.chat([{"role": "user", "content": request}]))
    else:
        ids = (*tokenizer.bos_ids, *tokenizer.encode(f"{request}\n\n{lead}"))
    digest = hashlib.blake2b(f"{sampler.salt}\0{key}".encode(), digest_size=4).digest()
    limit = MAX_TOKENS if profile.think_end is None else profile.max_answer_tokens
    sampling = Sampling(
        limit,
        policy.temperature,
        policy.top_p,
        int.from_bytes(digest, "big") >> 1,
        () if profile.chat else ("\n\n",),
        logprobs=False,
    )
    completion = await policy.engine.complete(ids, sampling)
    sampler.usage += completion.usage
    text = lead + completion.text
    return read(text if profile.think_end is None else text.rpartition(profile.think_end)[2])


def listed(text: str) -> list[str]:
    """The entries of a list that a model wrote: numbered or marked lines, else the keys of a JSON object.

    Each once, at most twelve of at most 300 characters; what holds no word is no entry.
    """
    entries = _ENTRY.findall(text) or _keys(text)
    clean = [" ".join(entry.replace("*", "").split())[:MAX_ENTRY] for entry in entries]
    return list(dict.fromkeys(entry for entry in clean if _LETTERS.search(entry)))[:MAX_ENTRIES]


def _keys(text: str) -> list[str]:
    try:
        found = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return []
    return list(found) if isinstance(found, dict) else []


def _about(sampler: Sampler, questions: Sequence[str]) -> str:
    form = sampler.policy.task.instruction
    return f"Questions of one kind:\n\n{_numbered(questions)}\n\nThe form of an answer: {form}\n\n"


def _shown(problems: Sequence[Problem], number: int) -> list[str]:
    """Questions for the prompt of this number: others than for the one before, in turn."""
    return [problems[(number * SHOWN + i) % len(problems)].question for i in range(min(SHOWN, len(problems)))]


def _numbered(entries: Sequence[str]) -> str:
    return "\n".join(f"{number}. {entry}" for number, entry in enumerate(entries, 1))
