"""Prompts as records, and the file that holds a set of them: `--prompts FILE.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from data.errors import DataError, UserError, one_line
from reasoning.engine.base import Tokenizer
from reasoning.tasks.base import Example

__all__ = [
    "PLAIN",
    "Prompt",
    "PromptSet",
    "policy_name",
    "prompt_name",
    "read_prompts",
    "tokenizer_digest",
    "write_prompts",
]

FORMAT: Final = "stepsolver prompts 1"
_PROBE: Final = "Tom's 3 boxes cost $12.50 each:\n\n<<3*12.50=37.50>>37.50 ####"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is said around a question beside what the policy's profile says.

    `instruction` comes before everything, `lead` right after the question: a chat model reads it at the end of its
    user's turn, any other as the beginning of the answer. `examples` take the place of the profile's own (None: those
    stay). What is empty is left out.
    """

    name: str
    instruction: str = ""
    lead: str = ""
    examples: tuple[Example, ...] | None = None


PLAIN: Final = Prompt("plain")  # the profile's own prompt


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Prompts, and for what they were built: a task, a policy with its adapter (as a run records them) and a profile.

    `tokenizer` is the digest of how the policy's tokenizer splits one fixed text.
    """

    task: str
    policy: str
    adapter: str | None
    profile: str
    tokenizer: str
    prompts: tuple[Prompt, ...]

    @property
    def digest(self) -> str:
        """What tells one set from another: a digest of everything it says."""
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=8).hexdigest()

    def check_task(self, task: str) -> None:
        """Raise UserError where the set is of another task."""
        if self.task != task:
            raise UserError(f"the prompts are of the task {self.task}, not {task}: build a set for it")

    def check_policy(self, policy: str, adapter: str | None, profile: str, tokenizer: Tokenizer) -> None:
        """Raise UserError where the set is of another policy, profile or tokenizer."""
        pairs = (
            ("policy", self.policy, policy_name(policy)),
            ("adapter", self.adapter, adapter),
            ("profile", self.profile, profile),
        )
        for what, there, here in pairs:
            if there != here:
                raise UserError(f"the prompts are of the {what} {there or 'none'}, not {here or 'none'}: build others")
        if self.tokenizer != tokenizer_digest(tokenizer):
            raise UserError("the prompts were built with another tokenizer under the same name: build the set again")


def prompt_name(kind: str, number: int, count: int) -> str:
    """The name of prompt `number`, from 0, of the `count` prompts of a kind."""
    return kind if count == 1 else f"{kind}/{number + 1}"


def policy_name(policy: str) -> str:
    """A `--policy` without the address of its server, which may change between two commands."""
    return policy.partition("@")[0]


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """What tells one tokenizer from another: a digest of the ids of a fixed text."""
    return hashlib.blake2b(repr(list(tokenizer.encode(_PROBE))).encode(), digest_size=8).hexdigest()


def write_prompts(path: Path, found: PromptSet) -> None:
    """Write a set as JSON, for people to read too. Raises UserError where the file cannot be written."""
    try:
        path.write_text(json.dumps({"format": FORMAT, **asdict(found)}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def read_prompts(path: Path) -> PromptSet:
    """The set in a file. Raises DataError, which names the file, where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the prompts {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"the prompts {path} are not JSON: {one_line(error)}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError(f"{path} is no file of prompts: build one with python -m reasoning.prompts build")
    try:
        told: dict[str, Any] = {name: _text(found, name) for name in ("task", "policy", "profile", "tokenizer")}
        adapter = None if found["adapter"] is None else _text(found, "adapter")
        prompts = tuple(_prompt(entry) for entry in found["prompts"])
    except (KeyError, TypeError) as error:
        raise DataError(f"the prompts {path} are malformed ({one_line(error)}): build them again") from None
    names = [prompt.name for prompt in prompts]
    if not names or len(set(names)) < len(names):
        raise DataError(f"the prompts {path} must be at least one, each with a name of its own")
    return PromptSet(adapter=adapter, prompts=prompts, **told)


def _prompt(entry: dict[str, Any]) -> Prompt:
    given = entry["examples"]
    examples = None if given is None else tuple(Example(_text(e, "question"), _text(e, "solution")) for e in given)
    return Prompt(_text(entry, "name"), _text(entry, "instruction"), _text(entry, "lead"), examples)


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
