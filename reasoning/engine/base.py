"""What every engine offers: tokens in, tokens out, log-probabilities, and an honest count of what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from data.errors import UserError
from search.types import Usage

__all__ = ["Capabilities", "Completion", "Engine", "EngineError", "Sampling", "Tokenizer", "Usage", "single_token"]


class EngineError(Exception):
    """The engine could not do its work. The message is one line that says what to change."""


class PromptTooLong(EngineError):
    """The prompt (with at least one new token) does not fit the model's context."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can report. A method that needs what is missing refuses in one line."""

    exact_ids: bool = True  # takes and returns token ids, so a prompt is never re-encoded
    logprobs: bool = True  # log-probability of each sampled token
    token_logprobs: bool = True  # `next_token_logprobs` of any named token
    score: bool = True  # `score` of a given continuation
    cached_usage: bool = True  # says how many prompt tokens came from the prefix cache
    adapters: bool = False  # takes LoRA adapters at run time
    watch: bool = False  # log-probabilities of `Sampling.watch` beside each sampled token
    grammar: bool = False  # samples only what `Sampling.grammar` allows


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one completion.

    `temperature` 0 is greedy. Generation ends after `max_tokens` tokens, after any of the `stop` strings (which stay
    at the end of the ids and text), or at the model's end-of-sequence token. `seed` None leaves it to the engine.
    `watch` (at most 128 token ids) asks for the log-probabilities of those tokens too, wherever a token is sampled.
    `grammar`, a GBNF grammar, is what the text must follow from its first character to the end-of-sequence token.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = True
    watch: tuple[int, ...] = ()
    grammar: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion.

    `ids` are the sampled token ids, an end-of-sequence token included; `text` is exactly what `ids` decode to without
    special tokens; `logprobs` are natural logs, one per id, of the model's distribution at temperature 1 (raw
    log-softmax), or None where the engine does not report them. `watched` holds, for every id, the same of each of
    `Sampling.watch` at the position that sampled it (shape `[ids, watch]`), or None where nothing was watched.
    """

    ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] | None
    finish: Literal["stop", "eos", "length"]
    usage: Usage = field(default_factory=Usage)
    watched: tuple[tuple[float, ...], ...] | None = None


class Tokenizer(Protocol):
    """The few tokenizer calls the rest of the project needs."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end a completion."""
        ...

    @property
    def checksum(self) -> str:
        """What tells it from any tokenizer whose ids mean something else: 16 hex digits, of its id → token table."""
        ...

    @property
    def bos_ids(self) -> tuple[int, ...]:
        """What the model expects at the very start of a plain prompt; often nothing."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with no special tokens added; special tokens spelled in `text` stay plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out, spaces untouched."""
        ...

    def chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Token ids of a conversation in the model's chat template, ready for the assistant's turn.

        Raises EngineError where the model has no chat template.
        """
        ...


class Engine(Protocol):
    """One model behind one runtime. All calls may run concurrently on one asyncio loop.

    An engine that knows its model's shape also has it as `size` (see `reasoning.engine.flops`); without, operations
    are unknown.

    A call that is cancelled raises `search.types.Cancelled` with the tokens it had spent. A request that cannot be
    served raises EngineError (PromptTooLong where that is the reason); the engine stays usable.
    """

    @property
    def name(self) -> str:
        """The model, as a user would name it."""
        ...

    @property
    def device(self) -> str:
        """cpu, cuda, or a server's address."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can report."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        ...

    @property
    def max_context(self) -> int:
        """Tokens of prompt and completion together."""
        ...

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Sample one completion of `prompt_ids`."""
        ...

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Raw log-softmax of each of `token_ids` (at most 128) as the token after `prompt_ids`, and the cost.

        The prompt may be read from the prefix cache. One token is computed, and counted as completion.
        """
        ...

    async def score(self, prompt_ids: Sequence[int], continuation_ids: Sequence[int]) -> tuple[list[float], Usage]:
        """Raw log-softmax of every continuation token given all tokens before it, and the cost.

        Uncached in vLLM: never in an inner loop.
        """
        ...

    async def close(self) -> None:
        """Free the model and every process behind it. May be called twice."""
        ...


def single_token(engine: Engine, text: str) -> int:
    """The id of a judgement token. Raises UserError where `text` is no single token of the engine's model."""
    ids = engine.tokenizer.encode(text)
    if len(ids) != 1:
        raise UserError(f"the judgement token {text!r} is {len(ids)} tokens for {engine.name}: name a single one")
    return ids[0]
