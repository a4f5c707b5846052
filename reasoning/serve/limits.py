"""Who may ask, from where, how much at a time and how slowly: checked before a request reaches its route."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.errors import UserError
from reasoning.serve.errors import ApiError, error_response
from reasoning.serve.settings import ServeConfig

__all__ = ["Guard", "read_keys"]

# What a client needs before it has a key: whether the server lives and wants one, and the page that asks for it.
_OPEN: Final = frozenset({"/", "/health", "/ready", "/v1/config", "/openapi.json"})
_LEAST_KEY: Final = 8


def read_keys(file: Path | None, variable: str | None) -> tuple[str, ...]:
    """The keys in a file, one a line, and in an environment variable. Raises UserError for one that is no key."""
    lines = [variable.strip()] if variable and variable.strip() else []
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"--api-key-file {file} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        of_file = [line.strip() for line in text.splitlines() if line.strip()]
        if not of_file:
            raise UserError(f"--api-key-file {file} holds no key: write one a line")
        lines += of_file
    if any(len(key) < _LEAST_KEY or not key.isascii() or not key.isprintable() or " " in key for key in lines):
        raise UserError(f"a key has at least {_LEAST_KEY} characters, all of them printable ASCII other than a space")
    return tuple(lines)


class SlowClient(OSError):
    """A client that does not take in what it asked for."""


class Guard:
    """Middleware: keys (401), other sites' pages (403), size of the body (413), and clients that stall.

    Where a client sends no word of the body's type, or curl's default, the body is taken for the JSON it has to be.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self.app = app
        self.config = config
        self._keys = [key.encode() for key in config.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on with bounds on its body and on the time of its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await error_response(refusal)(scope, receive, send)
            return
        if scope["method"] == "POST":
            scope["headers"] = _as_json(scope["headers"])
        try:
            await self.app(scope, self._bounded(receive), self._timed(send))
        except SlowClient:
            return  # the server closes a connection whose answer was left unfinished

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.config.hosts and _name(host) not in self.config.hosts:
            # Another name for this address is how a web page reaches a server that listens on loopback only.
            return ApiError(403, f"this server is not asked for as {host[:100]!r}", code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return ApiError(403, "pages of other sites may not ask this server", code="cross_origin")
        if self._keys and not self._let_in(scope["path"], headers):
            return ApiError(
                401,
                "send a valid key: Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self.config.max_body_bytes:
            return ApiError(413, self._too_large, code="body_too_large", headers={"Connection": "close"})
        return None

    def _let_in(self, path: str, headers: Headers) -> bool:
        if path in _OPEN or path.startswith("/static/"):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        sent = given.strip().encode("latin-1", "replace")
        # All keys are compared, so that the time tells nothing of them.
        found = [hmac.compare_digest(sent, key) for key in self._keys]
        return scheme.lower() == "bearer" and any(found)

    @property
    def _too_large(self) -> str:
        return f"the body has more than {self.config.max_body_bytes} bytes, which is all this server takes"

    def _bounded(self, receive: Receive) -> Receive:
        """The body's parts, while they are not too much in all and come in time; then whatever comes."""
        left, whole = self.config.max_body_bytes, False
        deadline = asyncio.get_running_loop().time() + self.config.client_timeout

        async def bounded() -> Message:
            nonlocal left, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                whole = True
                raise HTTPException(408, "the request did not come in time", {"Connection": "close"}) from None
            left -= len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if left < 0:
                whole = True
                raise HTTPException(413, self._too_large, {"Connection": "close"})
            return message

        return bounded

    def _timed(self, send: Send) -> Send:
        async def timed(message: Message) -> None:
            try:
                async with asyncio.timeout(self.config.client_timeout):
                    await send(message)
            except TimeoutError:
                raise SlowClient("the client does not take in its answer") from None

        return timed


def _as_json(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = dict(headers).get(b"content-type", b"application/x-www-form-urlencoded")
    if not given.startswith(b"application/x-www-form-urlencoded"):
        return list(headers)
    return [*((k, v) for k, v in headers if k != b"content-type"), (b"content-type", b"application/json")]


def _name(host: str) -> str:
    """A Host header without its port; brackets of an IPv6 address stay."""
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
