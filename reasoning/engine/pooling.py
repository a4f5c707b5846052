"""A process reward model behind vLLM's `/pooling`, which gives a head's outputs at tokens instead of new tokens.

What such a server is started with decides which rows come back: step pooling gives those of the step separator's
tokens (`Qwen2ForProcessRewardModel` by itself), other models one row a token. Both are read. vLLM 0.32 reads no prefix
cache for these requests, so every token of a text is computed.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from reasoning.engine.base import EngineError, PromptTooLong
from reasoning.engine.flops import ModelSize, size_of_folder
from reasoning.engine.http_api import Api, Meter
from reasoning.engine.server_engine import model_card, server_settings, server_tokenizer
from reasoning.engine.tokenizer import HFTokenizer
from search.types import Cancelled, Usage

__all__ = ["PoolingServer", "open_pooling"]


async def open_pooling(model: str, url: str, *, options: Mapping[str, str] | None = None) -> PoolingServer:
    """Connect to the server at `url` (with its `/v1`) that serves `model` for pooling.

    Options as of `reasoning.engine.server_engine.open_server`. Raises EngineError in one line that says what to do.
    """
    settings = server_settings(options or {})
    api_key = settings.api_key or os.environ.get("OPENAI_API_KEY")

    def api(address: str) -> Api:
        return Api(
            address,
            api_key=api_key,
            timeout=settings.timeout,
            retries=settings.retries,
            max_in_flight=settings.max_in_flight,
        )

    listing = api(url)
    try:
        card, root = await model_card(listing, model)
    finally:
        await listing.close()
    max_context = settings.max_context or card.get("max_model_len")
    if not isinstance(max_context, int):
        raise EngineError(
            f"the server {url} does not say how long a text may be; pass --reward-engine max_context=TOKENS"
        )
    tokenizer = await asyncio.to_thread(server_tokenizer, settings.tokenizer, root, model)
    # `/pooling` stands beside `/v1`, not below it.
    size = size_of_folder(root) if root else None  # where the server runs on this machine
    return PoolingServer(model, api(url.removesuffix("/v1")), tokenizer, max_context, size)


class PoolingServer:
    """A token classifier behind a server. Open one with `open_pooling`."""

    def __init__(
        self, name: str, api: Api, tokenizer: HFTokenizer, max_context: int, size: ModelSize | None = None
    ) -> None:
        self.name = name
        self.device = api.url
        self.tokenizer = tokenizer
        self.max_context = max_context
        self.size = size  # what a token costs, where its folder tells
        self._api = api

    async def score(self, ids: Sequence[int], positions: Sequence[int]) -> tuple[list[float], Usage]:
        """The probability of "good" after each of `positions` of `ids`, and the cost."""
        if len(ids) > self.max_context:
            raise PromptTooLong(
                f"a solution of {len(ids)} tokens does not fit the {self.max_context} of {self.name}: shorten it, or "
                "serve the model with a longer context"
            )
        body = {
            "model": self.name,
            "input": list(ids),
            "task": "token_classify",
            "use_activation": True,
            "encoding_format": "float",
        }

        async def once(_: Meter) -> tuple[list[Any], int]:
            answer = await self._api.post("pooling", body)
            rows = answer["data"][0]["data"]
            return [list(row) for row in rows], int((answer.get("usage") or {}).get("prompt_tokens") or len(ids))

        try:
            rows, prompt = await self._api.tried(once, len(ids))
        except Cancelled as error:
            raise Cancelled(Usage(prompt=error.usage.prompt)) from None
        chosen = _at(rows, ids, positions)
        if chosen is None:
            raise EngineError(
                f"the server {self.device} gave {len(rows)} rows for {len(ids)} tokens and {len(positions)} steps: "
                "serve the model with the step separator as its step_tag_id, or with pooling type ALL"
            )
        return [self._probability(row) for row in chosen], Usage(prompt=prompt)

    async def close(self) -> None:
        """Close the connections. The server stays up. May be called twice."""
        await self._api.close()

    def _probability(self, row: Sequence[float]) -> float:
        """The good class of a row of probabilities; NaN stays NaN."""
        if any(math.isnan(x) for x in row):
            return math.nan
        if (
            len(row) not in (1, 2)
            or not all(0.0 <= x <= 1.0 for x in row)
            or (len(row) == 2 and abs(sum(row) - 1) > 0.02)
        ):
            raise EngineError(
                f"the server {self.device} answers {row[:4]} for a step, which are no probabilities of one or two "
                "classes: see that it serves a process reward model, with its activation"
            )
        return float(row[-1])


def _at(rows: Sequence[Any], ids: Sequence[int], positions: Sequence[int]) -> list[Any] | None:
    """The rows of `positions`, where there is one for every token or one for every separator; else None."""
    if len(rows) == len(ids):
        return [rows[position] for position in positions]
    separators = {ids[position] for position in positions}
    marked = [index for index, token in enumerate(ids) if token in separators]
    if len(separators) != 1 or len(rows) != len(marked):
        return None
    return [rows[marked.index(position)] for position in positions]
