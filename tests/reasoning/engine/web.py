"""A small real HTTP server for tests: it answers on a loopback socket whatever a test scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
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
