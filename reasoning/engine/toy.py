"""A toy engine: no model, exact and instant. For dry runs of a whole configuration, and for tests.

It adds up the signed numbers of the last question of its prompt, one `<<4+3=7>>` line a step, and flips a sign or
slips in a sum with probability `error`; a plan names the numbers, one a line. Tokens are bytes. What it samples
depends on prompt and seed alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import re
from collections.abc import Mapping, Sequence

from data.errors import UserError
from reasoning.engine.base import Capabilities, Completion, EngineError, PromptTooLong, Sampling, Usage
from reasoning.engine.flops import ModelSize
from search.types import Cancelled

__all__ = ["ToyEngine", "open_toy"]

EOS = 256
_NUMBER = re.compile(r"([+-]?)\s*(\d+)")


class ByteTokenizer:
    """UTF-8 bytes as token ids; 256 ends the sequence."""

    checksum = hashlib.sha256(b"bytes, 256 ends").hexdigest()[:16]
    eos_ids = frozenset({EOS})
    bos_ids: tuple[int, ...] = ()

    def encode(self, text: str) -> list[int]:
        """The bytes of `text`."""
        return list(text.encode("utf-8", "replace"))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the bytes, end-of-sequence left out."""
        return bytes(i for i in ids if i < EOS).decode("utf-8", "replace")

    def chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """The toy has no chat template."""
        raise EngineError("the toy policy has no chat template: use --profile lines")


class ToyEngine:
    """See the module. `latency` is seconds per completion token, to stand in for a real engine's."""

    name = "toy"
    device = "none"
    capabilities = Capabilities(score=False, watch=True)
    max_context = 8192
    size = ModelSize(body=1_000_000, head=1_000, attention=100)  # made up, so that costs can be tried out

    def __init__(self, error: float = 0.25, latency: float = 0.0) -> None:
        self.error = error
        self.latency = latency
        self.tokenizer = ByteTokenizer()

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Continue the solution of the last question in the prompt."""
        self._check(prompt_ids)
        if sampling.grammar:
            raise EngineError("the toy policy follows no grammar")
        rng = random.Random(f"{sampling.seed}")
        error = self.error if sampling.temperature > 0 else 0.0
        ids: list[int] = []
        logprobs: list[float] = []
        finish = "eos"
        text = ""
        for piece, logprob in self._solution(self.tokenizer.decode(prompt_ids), rng, error):
            new = self.tokenizer.encode(piece) if piece else [EOS]
            for position, token in enumerate(new):
                ids.append(token)
                logprobs.append(logprob if position == 0 else 0.0)
                text += chr(token) if token < EOS else ""
                if token < EOS and any(text.endswith(s) for s in sampling.stop):
                    finish = "stop"
                    break
                if len(ids) >= sampling.max_tokens:
                    finish = "length" if token < EOS else "eos"
                    break
            else:
                continue
            break
        await self._wait(len(prompt_ids), len(ids))
        usage = Usage(len(prompt_ids), 0, len(ids))
        assert finish in ("stop", "length", "eos")
        kept = tuple(logprobs) if sampling.logprobs else None
        watched = None
        if sampling.watch:
            prompt = tuple(prompt_ids)
            watched = tuple(
                tuple(_logprobs((*prompt, *ids[:position]), sampling.watch)) for position in range(len(ids))
            )
        text = self.tokenizer.decode(ids)
        return Completion(tuple(ids), text, kept, finish, usage, watched)  # type: ignore[arg-type]

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Arbitrary but fixed: a distribution that depends on the prompt alone."""
        self._check(prompt_ids)
        if len(token_ids) > 128:
            raise EngineError(f"{len(token_ids)} named tokens: at most 128 are possible")
        await self._wait(len(prompt_ids), 1)
        return _logprobs(tuple(prompt_ids), token_ids), Usage(len(prompt_ids), 0, 1)

    async def score(self, prompt_ids: Sequence[int], continuation_ids: Sequence[int]) -> tuple[list[float], Usage]:
        """Not offered."""
        raise EngineError("the toy policy scores no given continuation: use a real model")

    async def close(self) -> None:
        """Nothing to free."""

    def _solution(self, prompt: str, rng: random.Random, error: float) -> list[tuple[str, float]]:
        """What is left of the solution, in pieces, each with its log-probability; an empty piece ends it."""
        asked = prompt.rpartition("Question:")[2]
        question, planning, plan = asked.partition("\nPlan:\n")
        question, _, done = (question, "", plan.partition("Solution:")[2]) if planning else asked.partition("Answer:")
        terms = [int(sign + digits) for sign, digits in _NUMBER.findall(question)] or [0]
        if planning and "Solution:" not in plan:
            return self._plan(terms, plan.count("\n"), rng)
        results = re.findall(r"=(-?\d+)>>", done)
        if "<<" in done.rpartition("\n")[2]:  # in the middle of a line, as after a calculator's correction
            return [("\n", 0.0), *self._lines(terms, len(results), int(results[-1]) if results else 0, rng, error)]
        return self._lines(terms, len(results), int(results[-1]) if results else 0, rng, error)

    @staticmethod
    def _plan(terms: list[int], done: int, rng: random.Random) -> list[tuple[str, float]]:
        lines = [f"{n}. {rng.choice(('Add', 'Take'))} {term}.\n" for n, term in enumerate(terms[done:], done + 1)]
        return [*((line, math.log(0.5)) for line in lines), ("Solution:", 0.0), ("", 0.0)]

    @staticmethod
    def _lines(terms: list[int], done: int, total: int, rng: random.Random, error: float) -> list[tuple[str, float]]:
        pieces: list[tuple[str, float]] = []
        for term in terms[done:]:
            flipped, slipped = rng.random() < error, rng.random() < error
            term = -term if flipped else term
            pieces.append((f"<<{total}{term:+d}", math.log(error if flipped else 1 - error)))
            total += term
            pieces.append((f"={total + slipped}>>\n", math.log(error if slipped else 1 - error)))
            total += slipped
        return [*pieces, (f"#### {total}", 0.0), ("", 0.0)]

    def _check(self, prompt_ids: Sequence[int]) -> None:
        if len(prompt_ids) >= self.max_context:
            raise PromptTooLong(f"the prompt has {len(prompt_ids)} tokens and the context of toy {self.max_context}")

    async def _wait(self, prompt: int, tokens: int) -> None:
        try:
            await asyncio.sleep(self.latency * tokens)
        except asyncio.CancelledError:
            raise Cancelled(Usage(prompt, 0, 0)) from None


def _logprobs(prefix: tuple[int, ...], token_ids: Sequence[int]) -> list[float]:
    """A made-up distribution over `token_ids` after `prefix`, the same at every call."""
    digest = hashlib.blake2b(repr(prefix).encode(), digest_size=8).digest()
    weights = {t: 1 + digest[i % 8] for i, t in enumerate(token_ids)}
    total = sum(weights.values())
    return [math.log(weights[t] / total) for t in token_ids]


def open_toy(options: Mapping[str, str] | None = None) -> ToyEngine:
    """A toy engine; options are `error` (a probability) and `latency` (seconds per token)."""
    values = {"error": 0.25, "latency": 0.0}
    for key, text in (options or {}).items():
        if key not in values:
            raise UserError(f"--engine {key}: the toy policy knows only {' and '.join(values)}")
        try:
            values[key] = float(text)
        except ValueError:
            raise UserError(f"--engine {key}={text}: give a number") from None
        if not 0 <= values[key] < (1 if key == "error" else math.inf):
            raise UserError(f"--engine {key}={text}: out of range")
    return ToyEngine(**values)
