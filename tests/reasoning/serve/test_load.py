"""Clients that vanish, dawdle and send nonsense, among clients that do not: what is left when all of them are done."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from .serving import ChatToy, GatedToy, chat, counted, served, server, until

PATH = "/v1/chat/completions"
REQUESTS = 160
AT_A_TIME = 24  # twice of what runs and waits, so that some are told to come back

NONSENSE = [
    (b'{"model": "toy/greedy", "messages": [', 400),
    (b"\xff\xfe\x00", 400),
    (b"[" * 5000, 400),
    (b"null", 400),
    (b"", 400),
    (b'{"model": "toy/greedy", "messages": [{"role": "king", "content": "1 + 1"}]}', 400),
    (json.dumps(chat(temperature=1e999)).encode(), 400),
    (json.dumps(chat(n=10**9)).encode(), 400),
    (json.dumps(chat(logprobs=True)).encode(), 400),
    (json.dumps(chat(model="toy/../../etc/passwd")).encode(), 404),
    (json.dumps(chat("9" * 20_000)).encode(), 400),
    (b" " * 200_000, 413),
]


def head(length, method="POST"):
    return (
        f"{method} {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


class Crowded(ChatToy):
    """Completes nothing before the server has had to send somebody away, and knows how many requests are at work."""

    def __init__(self):
        super().__init__(error=0.0, latency=0.0002)
        self.app = None
        self.working = 0

    async def complete(self, prompt_ids, sampling):
        self.working += 1
        try:
            await until(lambda: counted(self.app, "stepsolver_requests_total", route=PATH, status="429"))
            return await super().complete(prompt_ids, sampling)
        finally:
            self.working -= 1


class Clients:
    """Every kind of client of one server, and what they sent and saw."""

    def __init__(self, address):
        parts = urlsplit(address)
        self.host, self.port = parts.hostname, parts.port
        self.http = httpx.AsyncClient(base_url=address, timeout=120, limits=httpx.Limits(max_connections=None))
        self.sent = 0
        self.seen = Counter()
        self.stalled = []

    async def right(self, n):
        """Asks until it is let in, and reads its own answer."""
        for _ in range(10_000):
            self.sent += 1
            answer = await self.http.post(PATH, json=chat(f"{n} + 500", "toy/beam", seed=n))
            self.seen[answer.status_code] += 1
            if answer.status_code != 429:
                break
            await asyncio.sleep(0.01)
        assert answer.json()["stepsolver"]["answer"] == str(n + 500)

    async def right_in_a_stream(self, n):
        await self.slow(n, 1 << 16)

    async def slow(self, n, most=48):
        """Takes in its stream a few bytes at a time."""
        told = b""
        while b"#### " not in told:
            reader, writer = await self._send(chat(f"{n} + 500", "toy/beam", stream=True, events=True))
            told = b""
            while piece := await reader.read(most):
                told += piece
                await asyncio.sleep(0)
            await self._close(writer)
            status = int(told[9:12])
            self.seen[status] += 1
            assert status in (200, 429)
        assert f'"answer":"{n + 500}"'.encode() in told.rpartition(b'"steps"')[0]
        assert b"data: [DONE]" in told

    async def gone_at_once(self, n):
        _, writer = await self._send(chat(f"{n} + 500", stream=n % 2 == 0))
        await self._close(writer)

    async def gone_in_the_middle(self, n):
        reader, writer = await self._send(chat(f"{n} + 500", "toy/mcts", stream=True, events=True))
        await reader.readline()
        writer.transport.abort()

    async def gone_in_its_own_request(self, n):
        self.sent += 1
        _, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(head(1000) + b'{"model": ')
        await writer.drain()
        await self._close(writer)

    async def reads_nothing(self, n):
        """Holds its connection until all others are done."""
        self.stalled.append(await self._send(chat(f"{n} + 500", "toy/beam", stream=True, events=True)))

    async def nonsense(self, n):
        body, status = NONSENSE[n % len(NONSENSE)]
        self.sent += 1
        answer = await self.http.post(PATH, content=body)
        self.seen[answer.status_code] += 1
        # The server looks for room only after it has understood the request.
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]

    async def end(self):
        for _, writer in self.stalled:
            await self._close(writer)
        await self.http.aclose()

    async def _send(self, request):
        self.sent += 1
        body = json.dumps(request).encode()
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(head(len(body)) + body)
        await writer.drain()
        return reader, writer

    async def _close(self, writer):
        writer.close()
        with contextlib.suppress(ConnectionError):  # the server was quicker
            await writer.wait_closed()


def total(app, name):
    return {
        tuple(sample.labels.values()): sample.value
        for family in app.state.metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_after_all_kinds_of_clients_nothing_is_left_and_everything_is_counted(seed):
    engine = Crowded()

    async def main(address, app):
        clients = Clients(address)
        kinds = (
            *(clients.right,) * 4,
            *(clients.right_in_a_stream,) * 2,
            clients.slow,
            clients.gone_at_once,
            clients.gone_in_the_middle,
            clients.gone_in_its_own_request,
            clients.reads_nothing,
            *(clients.nonsense,) * 2,
        )
        rng = random.Random(seed)
        waiting = iter([(rng.choice(kinds), n) for n in range(REQUESTS)])

        async def one_after_another():
            for kind, n in waiting:
                await kind(n)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(one_after_another())
        await clients.end()
        await until(lambda: sum(total(app, "stepsolver_requests_total").values()) >= clients.sent)
        await until(lambda: not app.state.service._searches and not engine.working)

        requests = total(app, "stepsolver_requests_total")
        assert sum(requests.values()) == clients.sent
        assert set(requests) - {(PATH, status) for _, status in requests} <= {("other", "413")}
        by_status = Counter({int(status): int(count) for (_, status), count in requests.items()})
        assert by_status[500] == by_status[502] == 0
        for status, count in clients.seen.items():
            assert by_status[status] >= count
        searches = {outcome: count for (outcome,), count in total(app, "stepsolver_searches_total").items()}
        assert sum(searches.values()) == by_status[200] + by_status[499]
        assert searches.get("failed", 0) == 0
        assert counted(app, "stepsolver_searches_running") == counted(app, "stepsolver_searches_queued") == 0
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            answer = await http.post(PATH, json=chat("20 + 22"))
        assert answer.json()["stepsolver"]["answer"] == "42"

    with server(engine, max_running=4, max_queued=8, max_body_bytes=100_000) as (address, app):
        engine.app = app
        asyncio.run(main(address, app))


def test_a_stream_that_is_cancelled_again_and_again_ends_its_search():
    async def main():
        engine = GatedToy()
        async with served(engine) as (_, app):
            parts = [{"type": "http.request", "body": json.dumps(chat(stream=True)).encode(), "more_body": False}]

            async def receive():
                return parts.pop() if parts else await asyncio.Event().wait()

            async def send(message):
                if message["type"] == "http.response.body":
                    scope.cancel()  # from now on every await of this task is cancelled

            about = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
            with anyio.CancelScope() as scope:
                await app({**about, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
            await until(lambda: not app.state.service._searches and not engine.working)
            assert counted(app, "stepsolver_searches_total", outcome="cancelled") == 1

    asyncio.run(main())
