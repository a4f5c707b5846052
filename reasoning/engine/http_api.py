"""JSON requests to a model server: bounded in flight, timed out, tried again where that can help, and counted."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TypeVar

import httpx

from reasoning.engine.base import EngineError, Usage
from search.types import Cancelled

__all__ = ["Api", "Broken", "Meter", "Refused", "is_loopback"]

_CONNECT_TIMEOUT = 10.0  # seconds
# Back-off doubles from the first delay to the largest; a server's Retry-After goes before it, up to its own bound.
_FIRST_DELAY, _MAX_DELAY, _MAX_RETRY_AFTER = 0.5, 8.0, 60.0

T = TypeVar("T")


class Refused(EngineError):
    """The server answered with an error that a second try would meet again. `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Broken(Exception):
    """A try that failed in a way that another may not: no connection, a stream that broke off, 429, 5xx."""

    def __init__(self, reason: str, *, delay: float | None = None, worked: bool = True) -> None:
        super().__init__(reason)
        self.delay = delay  # seconds the server asked to wait
        self.worked = worked  # the server may have computed something for it


@dataclass(slots=True)
class Meter:
    """What a request has cost so far, over all its tries. A try's code counts `completion` tokens as they arrive."""

    prompt: int
    completion: int = 0
    sent: bool = False
    before: Usage = field(default_factory=Usage)

    @property
    def spent(self) -> Usage:
        """What is known to be spent, the try in progress included; its cached tokens are unknown before its end."""
        return self.before + Usage(self.prompt, None, self.completion) if self.sent else self.before

    def begin(self) -> None:
        """A new try."""
        self.before, self.completion, self.sent = self.spent, 0, True

    def refused(self) -> None:
        """The try never reached the model."""
        self.completion, self.sent = 0, False

    def finished(self, usage: Usage) -> Usage:
        """The cost of all tries, where the last one reports `usage`."""
        return self.before + usage


class Api:
    """The HTTP side of a server engine, for `url` (with its `/v1`)."""

    def __init__(self, url: str, *, api_key: str | None, timeout: float, retries: int, max_in_flight: int) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._retries = retries
        self._slots = asyncio.Semaphore(max_in_flight)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT),  # whole tries are timed in `tried`
            limits=httpx.Limits(
                max_connections=max_in_flight,
                max_keepalive_connections=max_in_flight,
                keepalive_expiry=4.0,  # below the 5 seconds after which uvicorn drops an idle connection
            ),
            trust_env=not is_loopback(self.url),  # a proxy for the outer world is none for this machine
        )

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        await self._client.aclose()

    async def tried(
        self,
        once: Callable[[Meter], Awaitable[T]],
        prompt: int,
        *,
        retries: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- per try, so the caller cannot set it around the call
    ) -> T:
        """Call `once` until it succeeds, for a prompt of so many tokens. `timeout` is seconds for one try.

        Raises EngineError when tries run out, and Cancelled with the spent tokens when cancelled.
        """
        retries = self._retries if retries is None else retries
        timeout = timeout or self._timeout
        meter = Meter(prompt)
        try:
            async with self._slots:
                for number in range(retries + 1):
                    meter.begin()
                    try:
                        async with asyncio.timeout(timeout):
                            return await once(meter)
                    except Broken as error:
                        if not error.worked:
                            meter.refused()
                        if number == retries:
                            raise EngineError(
                                f"the model server {self.url} {error}; see that it runs, and its log"
                            ) from error
                        delay = _back_off(number) if error.delay is None else min(error.delay, _MAX_RETRY_AFTER)
                    except TimeoutError as error:
                        raise EngineError(
                            f"the model server {self.url} gave no whole answer within {timeout:g} s; "
                            "see its log, or pass --engine timeout=SECONDS"
                        ) from error
                    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                        raise EngineError(
                            f"the model server {self.url} gave an answer that is no OpenAI completion "
                            f"({type(error).__name__}: {str(error)[:80]}); see that the address is right"
                        ) from error
                    await asyncio.sleep(delay)
                raise AssertionError("the last try returns or raises")
        except Cancelled:
            raise
        except asyncio.CancelledError:
            raise Cancelled(meter.spent) from None

    async def get(self, path: str) -> Any:
        """The JSON answer to GET `path`. One try's worth: raises Broken and Refused."""
        return await self._json("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to POST `path`. One try's worth: raises Broken and Refused."""
        return await self._json("POST", path, body)

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """The messages of a streamed answer (server-sent events), to their `[DONE]`."""
        async with self._asked("POST", path, body) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                data = line[5:].strip()
                if data == "[DONE]":
                    return
                message = json.loads(data)
                if "error" in message:
                    raise Broken(f"stopped in the middle of an answer ({_said(message)})")
                yield message
        raise Broken("broke off in the middle of an answer")

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        async with self._asked(method, path, body) as response:
            return json.loads(await response.aread())

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> AsyncGenerator[httpx.Response, None]:
        try:
            async with self._client.stream(method, f"{self.url}/{path}", json=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise self._failure(
                        response.status_code, _body_said(response), _seconds(response.headers.get("retry-after"))
                    )
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Broken("cannot be reached (no connection)", worked=False) from error
        except httpx.RequestError as error:
            raise Broken(f"closed the connection ({type(error).__name__})") from error
        except (httpx.InvalidURL, RuntimeError) as error:  # httpx says RuntimeError of a closed client
            raise EngineError(f"cannot ask the model server {self.url}: {str(error)[:100]}") from error

    def _failure(self, status: int, said: str, delay: float | None) -> Exception:
        detail = f"{status}: {said}" if said else str(status)
        if status == 429 or status >= 500:
            return Broken(f"answers with an error ({detail})", delay=delay, worked=False)
        if status in (401, 403):
            return Refused(f"the model server {self.url} refuses the API key ({status}); set OPENAI_API_KEY", status)
        hint = "; see that the address (it mostly ends in /v1) and the model are right" if status == 404 else ""
        return Refused(f"the model server {self.url} refused the request ({detail}){hint}", status)


def _back_off(number: int) -> float:
    """Seconds to wait after try `number`, with jitter so that many requests do not come back at once."""
    return min(_FIRST_DELAY * 2.0**number, _MAX_DELAY) * random.uniform(0.5, 1.0)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is left to the back-off."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _body_said(response: httpx.Response) -> str:
    try:
        return _said(response.json())
    except ValueError:
        return _line(response.text)


def _said(body: Any) -> str:
    """The message inside an error body of OpenAI's or FastAPI's form."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error.get("detail", error)) if isinstance(error, dict) else error
    return _line(str(message))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    host = httpx.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
