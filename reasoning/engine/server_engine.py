"""Any OpenAI-compatible server as an engine, over its `/completions` endpoint.

What a server can do is asked of it, not guessed from its name: one probe request at opening tells whether it takes and
returns token ids, reports named tokens' and prompt log-probabilities, and counts cached tokens. vLLM 0.32 does all of
it; cached tokens need `--enable-prompt-tokens-details` there and are unknown (None) without. Log-probabilities are raw
log-softmax unless the server was started with another `--logprobs-mode`. To any other server the prompt goes as text,
and only text and token counts come back.

Completions are streamed, a few tokens at a time: when a request is cancelled its connection is closed, on which the
server stops working, and the tokens received so far are known. That count can be short by what was not sent yet (less
than `STREAM_INTERVAL` tokens from vLLM); how much of the prompt was cached is only said at the end, so it is None then.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from data.errors import UserError
from reasoning.engine import models
from reasoning.engine.base import Capabilities, Completion, EngineError, PromptTooLong, Sampling, Tokenizer, Usage
from reasoning.engine.flops import ModelSize, size_of_folder
from reasoning.engine.http_api import Api, Meter, Refused
from reasoning.engine.tokenizer import HFTokenizer

__all__ = ["ServerEngine", "model_card", "open_server", "server_settings", "server_tokenizer"]

# Tokens per streamed message. One each would cost this process 0.15 ms a token, and the server about as much.
STREAM_INTERVAL = 8
MAX_NAMED = 128  # what vLLM allows in one request
_OPEN_TIMEOUT = 10.0  # seconds for a server to list its models


@dataclass(frozen=True, slots=True)
class _Settings:
    tokenizer: str | None = None
    timeout: float = 600.0
    retries: int = 3
    api_key: str | None = field(default=None, repr=False)
    max_in_flight: int = 256
    max_context: int | None = None


async def open_server(model: str, url: str, *, options: Mapping[str, str] | None = None) -> ServerEngine:
    """Connect to the server at `url` (such as http://localhost:8000/v1) that serves `model`.

    Options: `tokenizer` (folder or hub name; default: what the server says its model is), `timeout` (seconds one try
    of a request may take, 600), `retries` (3), `api_key` (default: OPENAI_API_KEY), `max_in_flight` (requests at once,
    256), `max_context` (tokens, where the server does not say). Raises EngineError in one line that says what to do.
    """
    settings = server_settings(options or {})
    api = Api(
        url,
        api_key=settings.api_key or os.environ.get("OPENAI_API_KEY"),
        timeout=settings.timeout,
        retries=settings.retries,
        max_in_flight=settings.max_in_flight,
    )
    try:
        card, root = await model_card(api, model)
        max_context = settings.max_context or card.get("max_model_len")
        if not isinstance(max_context, int):
            raise EngineError(
                f"the server {url} does not say how long a prompt may be; pass --engine max_context=TOKENS"
            )
        tokenizer = await asyncio.to_thread(server_tokenizer, settings.tokenizer, root, model)
        capabilities = await _probe(api, model, tokenizer)
    except BaseException:
        await api.close()
        raise
    size = size_of_folder(root) if root else None  # where the server runs on this machine
    return ServerEngine(model, api, tokenizer, max_context, capabilities, size)


class ServerEngine:
    """A model behind an OpenAI-compatible server. Open one with `open_server`."""

    def __init__(
        self,
        name: str,
        api: Api,
        tokenizer: HFTokenizer,
        max_context: int,
        capabilities: Capabilities,
        size: ModelSize | None = None,
    ) -> None:
        self.name = name
        self.device = api.url
        self.capabilities = capabilities
        self.tokenizer: Tokenizer = tokenizer
        self._spell = tokenizer.spell
        self.max_context = max_context
        self.size = size
        self._api = api

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Sample one completion of `prompt_ids`."""
        room = self._room(len(prompt_ids))
        if sampling.max_tokens < 1:
            raise EngineError(f"max_tokens is {sampling.max_tokens}; ask for at least one token")
        if sampling.watch:
            raise EngineError(f"the server {self.device} watches no tokens while it samples; use vLLM on this machine")
        if sampling.grammar and not self.capabilities.grammar:
            raise EngineError(f"the server {self.device} follows no grammar; serve the model with vLLM")
        body: dict[str, Any] = {
            "model": self.name,
            "max_tokens": min(sampling.max_tokens, room),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed % 2**63
        if not self.capabilities.exact_ids:
            return await self._complete_text(prompt_ids, body, sampling.stop)
        body |= {
            "prompt": list(prompt_ids),
            "stop": list(sampling.stop),
            "include_stop_str_in_output": True,
            "return_token_ids": True,
            "stream_interval": STREAM_INTERVAL,
            # Neutral values, said aloud because a server may start from the model's own generation config.
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        }
        if sampling.logprobs and self.capabilities.logprobs:
            body["logprobs"] = 0  # of the sampled token only
        if sampling.grammar:
            body["structured_outputs"] = {"grammar": sampling.grammar}

        async def once(meter: Meter) -> Completion:
            ids: list[int] = []
            logprobs: list[float] = []
            finish = reason = None
            usage: Mapping[str, Any] = {}
            async with aclosing(self._api.stream("completions", body)) as messages:
                async for message in messages:
                    usage = message.get("usage") or usage
                    for choice in message["choices"]:
                        ids += choice.get("token_ids") or ()
                        logprobs += (choice.get("logprobs") or {}).get("token_logprobs") or ()
                        finish, reason = choice.get("finish_reason"), choice.get("stop_reason")
                    meter.completion = len(ids)
            if finish is None or ("logprobs" in body and len(logprobs) != len(ids)):
                raise ValueError("an answer without its end")
            return Completion(
                ids=tuple(ids),
                text=self.tokenizer.decode(ids),
                logprobs=tuple(logprobs) if "logprobs" in body else None,
                finish=_finish(finish, stopped=isinstance(reason, str)),
                usage=meter.finished(_usage(usage, len(prompt_ids), len(ids))),
            )

        return await self._api.tried(once, len(prompt_ids))

    async def _complete_text(self, prompt_ids: Sequence[int], body: dict[str, Any], stop: Sequence[str]) -> Completion:
        """Complete over plain text.

        Such servers cut a stop string off and do not say which it was, so stops are looked for here, and the connection
        is closed at the first.
        """
        body = {**body, "prompt": self._spell(prompt_ids)}

        async def once(meter: Meter) -> Completion:
            text = ""
            finish = end = None
            usage: Mapping[str, Any] = {}
            async with aclosing(self._api.stream("completions", body)) as messages:
                async for message in messages:
                    usage = message.get("usage") or usage
                    for choice in message["choices"]:
                        text += choice.get("text") or ""
                        finish = choice.get("finish_reason") or finish
                    meter.completion = len(self.tokenizer.encode(text))
                    if (end := _end_of_first(stop, text)) is not None:
                        break
            if end is None and finish is None:
                raise ValueError("an answer without its end")
            ids = self.tokenizer.encode(text[:end])
            how = _finish(finish or "stop", stopped=end is not None)
            if how == "eos":
                ids += sorted(self.tokenizer.eos_ids)[:1]
            return Completion(
                ids=tuple(ids),
                text=self.tokenizer.decode(ids),
                logprobs=None,
                finish=how,
                usage=meter.finished(_usage(usage, len(prompt_ids), meter.completion)),
            )

        return await self._api.tried(once, len(prompt_ids))

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Raw log-softmax of each of `token_ids` (at most 128) as the token after `prompt_ids`, and the cost."""
        if not self.capabilities.token_logprobs:
            raise EngineError(
                f"the server {self.device} does not report named tokens' log-probabilities; use vLLM 0.32"
            )
        if not 1 <= len(token_ids) <= MAX_NAMED:
            raise EngineError(f"{len(token_ids)} named tokens in one request; name 1 to {MAX_NAMED}")
        self._room(len(prompt_ids))
        body = _named(self.name, prompt_ids, token_ids)

        async def once(meter: Meter) -> tuple[list[float], Usage]:
            answer = await self._api.post("completions", body)
            top = answer["choices"][0]["logprobs"]["top_logprobs"][0]
            values = [float(top[f"token_id:{token}"]) for token in token_ids]
            return values, meter.finished(_usage(answer.get("usage"), len(prompt_ids), 1))

        return await self._api.tried(once, len(prompt_ids))

    async def score(self, prompt_ids: Sequence[int], continuation_ids: Sequence[int]) -> tuple[list[float], Usage]:
        """Raw log-softmax of every continuation token given all tokens before it, and the cost. Never cached."""
        if not self.capabilities.score:
            raise EngineError(f"the server {self.device} cannot score a given text; use vLLM")
        if not continuation_ids:
            return [], Usage()
        ids = [*prompt_ids, *continuation_ids]
        self._room(len(ids) if prompt_ids else 0)  # the first token after an empty prompt has no value
        body = {"model": self.name, "prompt": ids, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}

        async def once(meter: Meter) -> tuple[list[float], Usage]:
            answer = await self._api.post("completions", body)
            rows = answer["choices"][0]["prompt_logprobs"][len(prompt_ids) :]
            values = [float(row[str(token)]["logprob"]) for row, token in zip(rows, continuation_ids, strict=True)]
            return values, meter.finished(_usage(answer.get("usage"), len(ids), 1))

        return await self._api.tried(once, len(ids))

    async def close(self) -> None:
        """Close the connections. The server stays up. May be called twice."""
        await self._api.close()

    def _room(self, prompt: int) -> int:
        """Tokens left for a completion. Raises PromptTooLong where there are none."""
        if not prompt:
            raise EngineError("the prompt is empty; give at least one token")
        if prompt >= self.max_context:
            raise PromptTooLong(
                f"the prompt has {prompt} tokens and the model's context holds {self.max_context}; shorten the prompt "
                "or serve the model with a longer context"
            )
        return self.max_context - prompt


def server_settings(options: Mapping[str, str]) -> _Settings:
    """The options of a server engine, read. Raises EngineError."""
    kinds: dict[str, type] = {
        "tokenizer": str,
        "timeout": float,
        "retries": int,
        "api_key": str,
        "max_in_flight": int,
        "max_context": int,
    }
    least = {"timeout": 0.001, "retries": 0, "max_in_flight": 1, "max_context": 1}
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in kinds:
            raise EngineError(f"a server engine has no option {key!r}; it takes {', '.join(kinds)}")
        try:
            values[key] = kinds[key](text)
        except ValueError:
            values[key] = float("nan")
        if key in least and not values[key] >= least[key]:
            raise EngineError(f"--engine {key}={text} must be a number of at least {least[key]:g}")
    return _Settings(**values)


async def model_card(api: Api, model: str) -> tuple[Mapping[str, Any], str | None]:
    """What `/models` says of `model`, and the folder or name its base was loaded from, where the server tells."""

    async def once(_: Meter) -> dict[str, Mapping[str, Any]]:
        return {str(card["id"]): card for card in (await api.get("models"))["data"]}

    cards = await api.tried(once, 0, retries=0, timeout=_OPEN_TIMEOUT)
    if model not in cards:
        served = ", ".join(sorted(cards)[:8]) or "no model"
        raise EngineError(f"the server {api.url} does not serve {model!r}; it serves {served}: write --policy NAME@URL")
    card = cards[model]
    base = cards.get(str(card.get("parent")), card)  # an adapter's own root is the adapter's folder
    return {**base, **{k: v for k, v in card.items() if v is not None}}, base.get("root")


def server_tokenizer(chosen: str | None, root: str | None, model: str) -> HFTokenizer:
    """The tokenizer the user chose, else the one of what the server loaded, else of the served name."""
    for candidate in [chosen] if chosen else dict.fromkeys(name for name in (root, model) if name):
        try:
            return HFTokenizer(str(models.tokenizer_folder(candidate)))
        except (UserError, EngineError) as error:
            if chosen:
                raise EngineError(f"--engine tokenizer={chosen} does not load ({error})") from error
    raise EngineError(
        f"the tokenizer of {model!r} is not on this machine; pass --engine tokenizer=FOLDER_OR_NAME (the model's own)"
    )


def _named(model: str, prompt_ids: Sequence[int], token_ids: Sequence[int]) -> dict[str, Any]:
    """A request for the log-probabilities of `token_ids` as the next token."""
    return {
        "model": model,
        "prompt": list(prompt_ids),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 0,
        "logprob_token_ids": sorted(set(token_ids)),
        "return_tokens_as_token_ids": True,
    }


async def _probe(api: Api, model: str, tokenizer: Tokenizer) -> Capabilities:
    """Ask for everything at once, for one token, and see what comes back."""
    ids = tokenizer.encode("1 + 1 =")
    everything = {**_named(model, ids, ids), "prompt_logprobs": 0, "return_token_ids": True}

    async def exact(_: Meter) -> Capabilities:
        answer = await api.post("completions", everything)
        choice = answer["choices"][0]
        if not isinstance(choice.get("token_ids"), list):
            return nothing
        logprobs = choice.get("logprobs") or {}
        top = (logprobs.get("top_logprobs") or [{}])[0] or {}
        return Capabilities(
            exact_ids=True,
            logprobs=bool(logprobs.get("token_logprobs")),
            token_logprobs=all(f"token_id:{token}" in top for token in ids),
            score=isinstance(choice.get("prompt_logprobs"), list),
            cached_usage=_usage(answer.get("usage"), len(ids), 1).cached is not None,
            grammar=True,  # a server that returns ids is vLLM
        )

    async def plain(_: Meter) -> Capabilities:
        answer = await api.post("completions", {"model": model, "prompt": "1 + 1 =", "max_tokens": 1})
        str(answer["choices"][0]["text"])
        return nothing

    nothing = Capabilities(exact_ids=False, logprobs=False, token_logprobs=False, score=False, cached_usage=False)
    try:
        return await api.tried(exact, len(ids))
    except Refused:  # a server that takes only what it knows
        return await api.tried(plain, len(ids))


def _finish(reason: str, *, stopped: bool) -> Literal["stop", "eos", "length"]:
    if reason == "length":
        return "length"
    return "stop" if stopped else "eos"


def _usage(reported: Mapping[str, Any] | None, prompt: int, completion: int) -> Usage:
    """A server's own count, and where it gives none, ours of what was sent and received."""
    reported = reported or {}
    details = reported.get("prompt_tokens_details") or {}
    return Usage(
        prompt=reported.get("prompt_tokens", prompt),
        cached=details.get("cached_tokens"),
        completion=reported.get("completion_tokens", completion),
    )


def _end_of_first(stop: Sequence[str], text: str) -> int | None:
    """Where the stop string that ends first in `text` ends, or None where there is none."""
    return min((at + len(s) for s in stop if (at := text.find(s)) >= 0), default=None)
