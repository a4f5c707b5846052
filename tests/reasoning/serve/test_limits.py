"""Keys, other sites, sizes, stalled clients, the queue, and the end of the server."""

import asyncio
import json

import pytest

from data.errors import UserError
from reasoning.serve.app import create_app
from reasoning.serve.limits import Guard, read_keys
from reasoning.serve.settings import ServeConfig

from .serving import ChatToy, GatedToy, chat, counted, served, until

PATH = "/v1/chat/completions"
KEY = "sk-correct-horse"


def test_a_key_is_needed_where_there_are_keys():
    async def main():
        async with served(api_keys=("another-key", KEY)) as (client, app):

            async def status(path, **headers):
                return (await client.get(path, headers=headers)).status_code

            for path in ("/v1/models", "/v1/runs", "/metrics"):
                assert await status(path) == 401
                assert await status(path, authorization="Bearer wrong-key") == 401
                assert await status(path, authorization=KEY) == 401
                assert await status(path, authorization=f"Bearer {KEY}é".encode()) == 401
            assert await status("/v1/models", authorization=f"Bearer {KEY}") == 200
            assert await status("/v1/models", authorization="bearer another-key") == 200
            for path in ("/health", "/ready", "/v1/config", "/openapi.json", "/", "/static/main.js"):
                assert await status(path) == 200, path
            assert (await client.get("/v1/config")).json()["key_needed"]
            answer = await client.post(PATH, json=chat())
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
            assert counted(app, "stepsolver_searches_total", outcome="answered") == 0

    asyncio.run(main())


def test_keys_come_from_a_file_and_a_variable(tmp_path):
    file = tmp_path / "keys"
    file.write_text("first-key\n\n  second-key  \n")
    assert read_keys(file, " third-key ") == ("third-key", "first-key", "second-key")
    assert read_keys(None, None) == read_keys(None, " ") == ()
    with pytest.raises(UserError, match="cannot be read"):
        read_keys(tmp_path / "none", None)
    file.write_text("\n")
    with pytest.raises(UserError, match="holds no key"):
        read_keys(file, None)
    for bad in ("short", "with space in it", "schlüssel-lang"):
        with pytest.raises(UserError, match="at least 8"):
            read_keys(None, bad)


def test_pages_of_other_sites_and_other_names_are_refused():
    async def main():
        async with served(hosts=("server",)) as (client, _):
            for origin in ("http://evil.example", "null", "http://server:81"):
                assert (await client.post(PATH, json=chat(), headers={"origin": origin})).status_code == 403
            assert (await client.post(PATH, json=chat(), headers={"origin": "http://server"})).status_code == 200
            assert (await client.get("/v1/models", headers={"host": "evil.example"})).status_code == 403
            assert (await client.get("/v1/models", headers={"host": "server:8123"})).status_code == 200

    asyncio.run(main())


def test_a_huge_body_is_a_413_however_it_is_sent():
    async def pieces():
        for _ in range(100):
            yield b" " * 100

    async def main():
        async with served(max_body_bytes=1000) as (client, _):
            assert (await client.post(PATH, content=b" " * 1001)).status_code == 413
            answer = await client.post(PATH, content=pieces(), headers={"content-type": "application/json"})
            assert (answer.status_code, list(answer.json())) == (413, ["error"])

    asyncio.run(main())


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "application/json; charset=utf-8"])
def test_a_body_is_json_whether_or_not_the_client_says_so(kind):
    async def main():
        async with served() as (client, _):
            headers = {} if kind is None else {"content-type": kind}
            return await client.post(PATH, content=json.dumps(chat()), headers=headers)

    assert asyncio.run(main()).status_code == 200


def test_a_client_that_never_ends_its_request_is_told_408():
    async def main():
        app = create_app(ServeConfig(policy="toy", client_timeout=0.05), ChatToy())
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
        await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
        return sent[0]["status"]

    assert asyncio.run(main()) == 408


def test_a_client_that_takes_nothing_in_loses_its_search():
    async def main():
        async with served(GatedToy(), client_timeout=0.05) as (_, app):
            engine = app.state.service._engine
            parts = [{"type": "http.request", "body": json.dumps(chat(stream=True)).encode(), "more_body": False}]

            async def receive():
                if parts:
                    return parts.pop()
                return await asyncio.Event().wait()

            async def send(message):
                await asyncio.Event().wait()

            scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
            await app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
            assert engine.working == 0
            assert counted(app, "stepsolver_searches_total", outcome="cancelled") == 1

    asyncio.run(main())


def test_more_requests_than_may_wait_are_told_when_to_come_back():
    async def main():
        engine = GatedToy()
        async with served(engine, max_running=2, max_queued=3) as (client, app):
            waiting = [asyncio.create_task(client.post(PATH, json=chat(f"{i} + 1", "toy/greedy"))) for i in range(5)]
            await until(lambda: counted(app, "stepsolver_searches_queued") == 3 and engine.working == 2)
            assert counted(app, "stepsolver_searches_running") == 2
            refused = await client.post(PATH, json=chat())
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
            assert int(refused.headers["retry-after"]) >= 1
            engine.gate.set()
            answers = [(await task).json()["stepsolver"]["answer"] for task in waiting]
            assert answers == [str(i + 1) for i in range(5)]
            assert (await client.post(PATH, json=chat())).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_the_engine_and_the_queue(stream):
    async def main():
        engine = GatedToy()
        async with served(engine, max_running=1) as (client, app):
            running = asyncio.create_task(client.post(PATH, json=chat(stream=stream, stepsolver={"n": 4})))
            await until(lambda: engine.working == 4)
            queued = asyncio.create_task(client.post(PATH, json=chat(stream=stream)))
            await until(lambda: counted(app, "stepsolver_searches_queued") == 1)
            for task in (queued, running):
                task.cancel()
            await asyncio.gather(queued, running, return_exceptions=True)
            await until(lambda: engine.working == 0)
            assert engine.cancelled == 4
            assert counted(app, "stepsolver_searches_running") == counted(app, "stepsolver_searches_queued") == 0
            assert counted(app, "stepsolver_searches_total", outcome="cancelled") == 2
            assert counted(app, "stepsolver_tokens_total", kind="completion") == 0
            engine.gate.set()
            assert (await client.post(PATH, json=chat())).status_code == 200

    asyncio.run(main())


def test_at_the_end_searches_are_finished_and_no_new_ones_taken():
    async def main():
        engine = GatedToy()
        async with served(engine) as (client, app):
            task = asyncio.create_task(client.post(PATH, json=chat("3 + 4", "toy/greedy")))
            await until(lambda: engine.working == 1)
            draining = asyncio.create_task(app.state.service.drain(60.0))
            await until(lambda: not app.state.service.ready)
            assert (await client.get("/ready")).status_code == 503
            assert (await client.get("/health")).status_code == 200
            late = await client.post(PATH, json=chat())
            assert (late.status_code, late.json()["error"]["code"]) == (503, "shutting_down")
            assert not draining.done()
            engine.gate.set()
            await draining
            assert (await task).json()["stepsolver"]["answer"] == "7"

    asyncio.run(main())


def test_what_is_not_finished_in_time_is_handed_back():
    async def main():
        engine = GatedToy()
        async with served(engine) as (client, app):
            whole = asyncio.create_task(client.post(PATH, json=chat()))
            streamed = asyncio.create_task(client.post(PATH, json=chat(stream=True)))
            await until(lambda: engine.working == 32)
            await app.state.service.drain(0.01)
            assert engine.working == 0
            answer = await whole
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")
            assert int(answer.headers["retry-after"]) > 0
            assert json.loads((await streamed).text.strip().rpartition("data: ")[2])["error"]["code"] == "shutting_down"

    asyncio.run(main())


def test_the_engine_is_closed_with_the_server_where_the_server_opened_it():
    async def main():
        closed = []

        class Closing(ChatToy):
            async def close(self):
                closed.append(True)

        app = create_app(ServeConfig(policy="toy"), Closing())
        async with app.router.lifespan_context(app):
            assert app.state.service.ready
        assert not closed  # what was passed in is not closed
        own = create_app(ServeConfig(policy="toy"))
        async with own.router.lifespan_context(own):
            engine = own.state.service._engine
            assert engine is not None
        assert own.state.service._engine is None
        assert not own.state.service.ready

    asyncio.run(main())


def test_metrics_count_requests_by_route_and_tokens_by_kind():
    async def main():
        async with served() as (client, app):
            answer = (await client.post(PATH, json=chat(model="toy/beam"))).json()
            await client.get("/no/such/page")
            await client.get("/another/one")
            usage = answer["stepsolver"]["usage"]
            for kind in ("prompt", "completion", "reward"):
                assert counted(app, "stepsolver_tokens_total", kind=kind) == usage[f"{kind}_tokens"]
            assert counted(app, "stepsolver_requests_total", route=PATH, status="200") == 1
            assert counted(app, "stepsolver_requests_total", route="other", status="404") == 2
            assert counted(app, "stepsolver_request_seconds_count", route=PATH) == 1
            text = (await client.get("/metrics")).text
            assert "stepsolver_searches_running 0.0" in text

    asyncio.run(main())


def test_a_guard_lets_other_protocols_pass():
    async def main():
        seen = []

        async def inner(scope, receive, send):
            seen.append(scope["type"])

        await Guard(inner, ServeConfig())({"type": "lifespan"}, None, None)
        return seen

    assert asyncio.run(main()) == ["lifespan"]
