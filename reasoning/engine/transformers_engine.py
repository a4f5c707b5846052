"""Plain transformers: the slow, exact reference the other engines are measured against."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from data.errors import one_line
from reasoning.engine.base import Capabilities, Completion, EngineError, PromptTooLong, Sampling
from reasoning.engine.flops import size_of_folder
from reasoning.engine.tokenizer import HFTokenizer
from search.types import Cancelled, Usage

__all__ = ["TransformersEngine", "open_transformers"]

MAX_TOKEN_IDS = 128  # as in vLLM, so that what works here works there
CLOSED = "this engine is closed: open a new one"


def open_transformers(
    model: str,
    *,
    name: str | None = None,
    adapter: Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> TransformersEngine:
    """Load `model` (a local folder or hub name), with the LoRA folder `adapter` on top of it where one is given.

    `device` is a torch device (default: cuda where there is one, else cpu); `dtype` a torch type such as `bfloat16`
    (default: float32 on a CPU, the model's own elsewhere). Raises EngineError where the model cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kind: Any = dtype or ("float32" if where == "cpu" else "auto")
    if kind != "auto":
        kind = getattr(torch, kind, None)
        if not isinstance(kind, torch.dtype):
            raise EngineError(f"torch has no dtype {dtype}: use float32, bfloat16 or float16")
    tokenizer = HFTokenizer(model)
    try:
        network = AutoModelForCausalLM.from_pretrained(model, dtype=kind)
        if adapter is not None:
            from peft import PeftModel

            network = PeftModel.from_pretrained(network, str(adapter))
        network = network.to(where).eval()
    except Exception as error:  # a missing file, a torn file, an unknown architecture, too little memory
        raise EngineError(f"transformers cannot load {model}: {one_line(error)}") from error
    return TransformersEngine(network, tokenizer, name=name or Path(model).name)


class TransformersEngine:
    """One model, one request at a time in one worker thread; made by `open_transformers`.

    It keeps no cache from one request to the next, so `Usage.cached` is always 0.
    """

    def __init__(self, network: Any, tokenizer: HFTokenizer, *, name: str) -> None:
        self.name = name
        self.device: str = network.device.type
        self.capabilities = Capabilities(watch=True, grammar=True)
        self.tokenizer = tokenizer
        self.max_context: int = network.config.get_text_config().max_position_embeddings
        self.size = size_of_folder(network.config._name_or_path)
        self._network: Any = network
        self._compiler: Any = None  # of grammars, made for the first
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="transformers")

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Sample one completion of `prompt_ids`."""
        room = self._room(prompt_ids, 1)
        if sampling.max_tokens < 1:
            raise EngineError(f"max_tokens is {sampling.max_tokens}: ask for at least one token")
        if any(not text for text in sampling.stop):
            raise EngineError("a stop string is empty: leave it out")
        if len(sampling.watch) > MAX_TOKEN_IDS:
            raise EngineError(f"{len(sampling.watch)} token ids to watch: watch at most {MAX_TOKEN_IDS}")
        grammar = self._grammar(sampling.grammar) if sampling.grammar else None
        job = _Sampling(self._network, self.tokenizer, list(prompt_ids), sampling, room, grammar)
        with self._spent(job):
            await self._work(job.run)
        return job.completion()

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Raw log-softmax of each of `token_ids` (at most 128) as the token after `prompt_ids`, and the cost."""
        self._room(prompt_ids, 1)
        if not 1 <= len(token_ids) <= MAX_TOKEN_IDS:
            raise EngineError(f"{len(token_ids)} token ids to look up: ask for 1 to {MAX_TOKEN_IDS} at once")
        job = _Job(self._network, list(prompt_ids))
        with self._spent(job):
            row = await self._work(lambda: job.logprobs(1)[-1])
        job.spent += 1
        return row[list(token_ids)].tolist(), job.usage()

    async def score(self, prompt_ids: Sequence[int], continuation_ids: Sequence[int]) -> tuple[list[float], Usage]:
        """Raw log-softmax of every continuation token given all tokens before it, and the cost."""
        self._room(prompt_ids, len(continuation_ids))
        if not continuation_ids:
            return [], Usage()
        job = _Job(self._network, [*prompt_ids, *continuation_ids])
        with self._spent(job):
            rows = await self._work(lambda: job.logprobs(len(continuation_ids) + 1)[:-1])
        return [rows[i, token].item() for i, token in enumerate(continuation_ids)], job.usage()

    async def close(self) -> None:
        """Free the model. May be called twice."""
        self._network = None
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _grammar(self, grammar: str) -> _Grammar:
        try:
            import xgrammar
        except ImportError:
            raise EngineError("grammars need the package xgrammar: install it, or use vLLM") from None
        width = self._network.config.get_text_config().vocab_size
        if self._compiler is None:
            pretrained = self.tokenizer.pretrained
            info = xgrammar.TokenizerInfo.from_huggingface(
                pretrained, vocab_size=width, stop_token_ids=sorted(self.tokenizer.eos_ids)
            )
            self._compiler = xgrammar.GrammarCompiler(info)
        try:
            return _Grammar(xgrammar.GrammarMatcher(self._compiler.compile_grammar(grammar)), width)
        except RuntimeError as error:
            raise EngineError(f"the grammar cannot be used: {one_line(error)}") from None

    def _room(self, prompt_ids: Sequence[int], needed: int) -> int:
        """New tokens that fit after the prompt; at least `needed`, or PromptTooLong."""
        if self._network is None:
            raise EngineError(CLOSED)
        if not prompt_ids:
            raise EngineError("the prompt is empty: send at least one token")
        room = self.max_context - len(prompt_ids)
        if room < needed:
            raise PromptTooLong(
                f"a prompt of {len(prompt_ids)} tokens and {needed} more do not fit the context of {self.max_context}: "
                "shorten it"
            )
        return room

    async def _work(self, function: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, function)

    @contextmanager
    def _spent(self, job: _Job) -> Iterator[None]:
        """Turn a cancellation into `Cancelled` with what the job had cost, and stop it at its next token."""
        try:
            yield
        except asyncio.CancelledError:
            job.stop.set()
            raise Cancelled(job.usage()) from None
        except (IndexError, RuntimeError) as error:  # an id outside the vocabulary, too little memory
            raise EngineError(f"transformers could not run the request: {one_line(error)}") from error


class _Job:
    """One request on the worker thread. `spent` counts sampled tokens and may be read from another thread."""

    def __init__(self, network: Any, prompt: list[int]) -> None:
        self.network, self.prompt = network, prompt
        self.spent = 0
        self.stop = threading.Event()
        self._cache: Any = None

    def usage(self) -> Usage:
        return Usage(prompt=len(self.prompt), cached=0, completion=self.spent)

    def logprobs(self, positions: int, ids: Sequence[int] | None = None) -> Any:
        """Log-softmax in float32 after each of the last `positions` of `ids` (default: the prompt), `[positions, V]`.

        What went before `ids` is read from this request's key-value cache.
        """
        import torch

        with torch.inference_mode():
            tokens = torch.tensor([list(self.prompt if ids is None else ids)], device=self.network.device)
            output = self.network(
                input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=positions
            )
            self._cache = output.past_key_values
            return torch.log_softmax(output.logits[0].float(), dim=-1)


class _Grammar:
    """What a grammar allows after the tokens so far."""

    def __init__(self, matcher: Any, width: int) -> None:
        import xgrammar

        self._matcher = matcher
        self._mask = xgrammar.allocate_token_bitmask(1, width)

    def allowed(self, row: Any) -> Any:
        """Log-probabilities, with minus infinity for the tokens that are not allowed."""
        import xgrammar

        self._matcher.fill_next_token_bitmask(self._mask)
        row = row.clone()
        xgrammar.apply_token_bitmask_inplace(row[None], self._mask.to(row.device))
        return row

    def accept(self, token: int) -> None:
        self._matcher.accept_token(token)


class _Sampling(_Job):
    """Token-by-token sampling."""

    def __init__(
        self,
        network: Any,
        tokenizer: HFTokenizer,
        prompt: list[int],
        sampling: Sampling,
        room: int,
        grammar: _Grammar | None = None,
    ) -> None:
        super().__init__(network, prompt)
        self.grammar = grammar
        self.tokenizer, self.sampling, self.limit = tokenizer, sampling, min(sampling.max_tokens, room)
        self.ids: list[int] = []
        self.values: list[float] = []
        self.watched: list[tuple[float, ...]] = []
        self.ended: Literal["stop", "eos", "length"] = "length"

    def run(self) -> None:
        import torch

        generator = torch.Generator(device=self.network.device)
        if self.sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(self.sampling.seed & (2**63 - 1))
        following: Sequence[int] | None = None
        while len(self.ids) < self.limit and not self.stop.is_set():
            row = self.logprobs(1, following)[-1]
            token = self._sample(row if self.grammar is None else self.grammar.allowed(row), generator)
            if self.grammar is not None:
                self.grammar.accept(token)
            self.ids.append(token)
            self.values.append(row[token].item())
            self.watched.append(tuple(row[list(self.sampling.watch)].tolist()))
            self.spent = len(self.ids)
            following = [token]
            if token in self.tokenizer.eos_ids:
                self.ended = "eos"
                return
            if self.sampling.stop and any(text in self.tokenizer.decode(self.ids) for text in self.sampling.stop):
                self.ended = "stop"
                return

    def completion(self) -> Completion:
        return Completion(
            ids=tuple(self.ids),
            text=self.tokenizer.decode(self.ids),
            logprobs=tuple(self.values) if self.sampling.logprobs else None,
            finish=self.ended,
            usage=self.usage(),
            watched=tuple(self.watched) if self.sampling.watch else None,
        )

    def _sample(self, row: Any, generator: Any) -> int:
        import torch

        if self.sampling.temperature == 0:
            return int(row.argmax())
        probabilities = torch.softmax(row / self.sampling.temperature, dim=-1)
        if self.sampling.top_p < 1:
            # The smallest set of most likely tokens that holds at least top_p; the first is always in it.
            ordered, order = probabilities.sort(descending=True)
            ordered[ordered.cumsum(0) - ordered >= self.sampling.top_p] = 0
            probabilities = torch.zeros_like(probabilities).scatter(0, order, ordered)
        return int(torch.multinomial(probabilities, 1, generator=generator))
