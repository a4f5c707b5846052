"""A small real HTTP server for tests: it answers on a loopback socket whatever a test scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Headers = Mapping[str, str]


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, path: str, headers: Headers, body: Any, reader: Any, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self._reader = reader
        self._writer = writer

    async def send(self, status: int, body: Any, headers: Headers | None = None) -> None:
        """A whole answer; `body` is JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [
            f"HTTP/1.1 {status} X",
            f"content-length: {len(data)}",
            *(f"{k}: {v}" for k, v in (headers or {}).items()),
        ]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await self._writer.drain()

    async def begin(self) -> None:
        """The head of a streamed answer, which ends with its connection."""
        self._writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        await self._writer.drain()

    async def event(self, message: Any) -> None:
        """One message of a streamed answer."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._writer.write(f"data: {text}\n\n".encode())
        await self._writer.drain()

    async def left(self) -> None:
        """Wait until the client has closed the connection."""
        await self._reader.read()

    def close(self) -> None:
        self._writer.close()


Answer = Callable[[Exchange], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """Answer every request by `answer`; yields the address."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.decode().split()[1]
                headers = {}
                while (field := (await reader.readline()).decode().strip()) != "":
                    name, _, value = field.partition(":")
                    headers[name.lower()] = value.strip()
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                await answer(Exchange(path, headers, json.loads(raw) if raw else None, reader, writer))
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


# ---- one that is like vLLM's -----------------------------------------------------------------------------------------


def bytewise(folder: Path, chat: str | None = None) -> str:
    """The folder with a tokenizer of single bytes in it, and a template of chats where one is given."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    single = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    single.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    single.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=single, eos_token="<eos>", chat_template=chat).save_pretrained(folder)
    return str(folder)


async def sse(
    exchange: Exchange,
    ids: list[int],
    *,
    usage: dict[str, Any] | None = None,
    end: bool = True,
    finish: str = "length",
) -> None:
    """Stream `ids` one by one as vLLM does, to a limit or to `finish`; without `end` the answer breaks off."""
    await exchange.begin()
    for number, token in enumerate(ids):
        last = end and number == len(ids) - 1
        choice = {"token_ids": [token], "logprobs": {"token_logprobs": [-0.5]}, "text": "?"}
        await exchange.event({"choices": [{**choice, "finish_reason": finish if last else None}]})
    if end:
        await exchange.event({"choices": [], "usage": usage})
        await exchange.event("[DONE]")
    exchange.close()


def like_vllm(folder: str, complete: Answer, **card: Any) -> Answer:
    """A server with exact ids, whose streamed completions are `complete`."""

    async def answer(exchange: Exchange) -> None:
        if exchange.path == "/v1/models":
            await exchange.send(200, {"data": [{"id": "m", "root": folder, "max_model_len": 100, **card}]})
        elif exchange.body.get("stream"):
            await complete(exchange)
        else:
            named = {f"token_id:{i}": -1.0 for i in exchange.body.get("logprob_token_ids", ())}
            choice = {"token_ids": [1], "logprobs": {"token_logprobs": [-1.0], "top_logprobs": [named]}}
            await exchange.send(200, {"choices": [{**choice, "prompt_logprobs": [None]}], "usage": {}})

    return answer
