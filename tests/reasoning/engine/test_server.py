"""The server engine: what it says of servers that misbehave (real sockets), and what it does on a real vLLM server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from data.records import Problem
from reasoning import Solver
from reasoning.engine import server_engine
from reasoning.engine.base import EngineError, PromptTooLong, Sampling, Usage
from reasoning.engine.server_engine import ServerEngine, open_server
from search.types import Cancelled
from tests.reasoning.engine.conformance import Conformance, reference
from tests.reasoning.engine.web import Answer, Exchange, bytewise, like_vllm, serving, sse

__all__ = ["reference"]

PROMPT = (5, 6, 7)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tokenizer of single bytes."""
    return bytewise(tmp_path_factory.mktemp("tokenizer"))


async def opened(url: str, **options: str) -> ServerEngine:
    return await open_server("m", url, options=options)


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error) and len(str(error)) < 500
    return str(error)


# ---- opening --------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_a_server_that_is_down_is_one_line_at_once() -> None:
    async def test() -> None:
        begin = time.monotonic()
        with pytest.raises(EngineError, match="cannot be reached") as caught:
            await opened(f"http://127.0.0.1:{free_port()}/v1")
        one_line(caught.value)
        assert time.monotonic() - begin < 5

    run(test())


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, {"error": {"message": "out of\nmemory"}}, r"500: out of memory"),
        (503, b"<html>\n<h1>down</h1>", r"503: <html> <h1>down"),
        (404, {"detail": "Not Found"}, r"404: Not Found.*/v1"),
        (401, {"error": "no key"}, r"set OPENAI_API_KEY"),
        (200, b"<html>hello</html>", r"no OpenAI"),
        (200, {"models": []}, r"no OpenAI"),
        (200, [1, 2], r"no OpenAI"),
        (200, {"data": [{"id": "a"}, {"id": "b"}]}, r"does not serve 'm'; it serves a, b"),
        (200, {"data": [{"id": "m"}]}, r"max_context=TOKENS"),
        (200, {"data": [{"id": "m", "root": "/no/where", "max_model_len": 10}]}, r"tokenizer=FOLDER_OR_NAME"),
        (200, {"data": [{"id": "m", "root": None, "max_model_len": "10"}]}, r"max_context=TOKENS"),
    ],
)
def test_a_server_that_cannot_serve_is_one_line(status: int, body: Any, says: str) -> None:
    asked = []

    async def answer(exchange: Exchange) -> None:
        asked.append(exchange.path)
        await exchange.send(status, body)

    async def test() -> None:
        async with serving(answer) as url:
            with pytest.raises(EngineError, match=says) as caught:
                await opened(url)
            one_line(caught.value)
            assert asked == ["/v1/models"]

    run(test())


def test_a_server_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_engine, "_OPEN_TIMEOUT", 0.2)

    async def test() -> None:
        async with serving(Exchange.left) as url:
            with pytest.raises(EngineError, match=r"within 0\.2 s"):
                await opened(url)

    run(test())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"block_size": "32"}, "no option 'block_size'"),
        ({"timeout": "soon"}, "timeout=soon must be a number"),
        ({"timeout": "-1"}, "timeout=-1 must be a number"),
        ({"retries": "1.5"}, "retries=1.5 must be"),
        ({"max_in_flight": "0"}, "at least 1"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, str], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        run(opened("http://127.0.0.1:1/v1", **options))  # type: ignore[arg-type]


def test_the_api_key_is_sent_and_never_shown(tokenizer: str) -> None:
    keys = []

    async def answer(exchange: Exchange) -> None:
        keys.append(exchange.headers.get("authorization"))
        await exchange.send(403, {"error": {"message": "who are you?"}})

    async def test() -> None:
        async with serving(answer) as url:
            with pytest.raises(EngineError) as caught:
                await opened(url, api_key="secret")
            assert keys == ["Bearer secret"] and "secret" not in one_line(caught.value)

    run(test())


# ---- completing -----------------------------------------------------------------------------------------------------


def completing(
    tokenizer: str, complete: Answer, test: Callable[[ServerEngine], Awaitable[None]], **options: str
) -> None:
    """Run `test` on an engine whose completions are answered by `complete`."""

    async def whole() -> None:
        async with serving(like_vllm(tokenizer, complete)) as url:
            engine = await opened(url, **options)
            try:
                await test(engine)
            finally:
                await engine.close()

    run(whole())


def test_ids_text_and_cost_come_from_the_stream(tokenizer: str) -> None:
    bodies = []

    async def complete(exchange: Exchange) -> None:
        bodies.append(exchange.body)
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
        await sse(exchange, [40, 41], usage=usage)

    async def test(engine: ServerEngine) -> None:
        assert engine.capabilities.exact_ids and engine.capabilities.token_logprobs and engine.capabilities.score
        assert not engine.capabilities.cached_usage
        done = await engine.complete(PROMPT, Sampling(500, seed=2**64 - 1, stop=("\n",)))
        assert done.ids == (40, 41) and done.logprobs == (-0.5, -0.5) and done.finish == "length"
        assert done.text == engine.tokenizer.decode([40, 41]) and done.usage == Usage(3, 1, 2)
        (body,) = bodies
        assert body["prompt"] == list(PROMPT) and body["max_tokens"] == 97  # all that is left of the context
        assert body["stop"] == ["\n"] and body["include_stop_str_in_output"] and 0 <= body["seed"] < 2**63
        with pytest.raises(PromptTooLong):
            await engine.complete(range(100), Sampling(1))
        with pytest.raises(EngineError, match="at least one token"):
            await engine.complete(PROMPT, Sampling(0))

    completing(tokenizer, complete, test)


@pytest.mark.parametrize("fault", ["429", "500", "disconnect", "broken"])
def test_a_passing_fault_is_tried_again_and_counted(tokenizer: str, fault: str) -> None:
    times = []

    async def complete(exchange: Exchange) -> None:
        times.append(time.monotonic())
        if len(times) > 2:
            await sse(exchange, [40, 41], usage={"prompt_tokens": 3, "completion_tokens": 2})
        elif fault == "429":
            await exchange.send(429, {"error": {"message": "slow down"}}, {"retry-after": "0.01"})
        elif fault == "500":
            await exchange.send(500, b"")
        elif fault == "disconnect":
            exchange.close()
        else:
            await sse(exchange, [40], end=False)

    async def test(engine: ServerEngine) -> None:
        done = await engine.complete(PROMPT, Sampling(5))
        assert done.ids == (40, 41) and len(times) == 3
        if fault == "429":  # as the server asked, not the back-off's own delay
            assert times[2] - times[0] < 0.4
        else:
            assert times[2] - times[1] > 0.45
        # What a broken try computed is counted too; a refused one computed nothing.
        expected = {"429": (3, 2), "500": (3, 2), "disconnect": (9, 2), "broken": (9, 4)}[fault]
        assert (done.usage.prompt, done.usage.completion) == expected

    completing(tokenizer, complete, test)


def test_a_lasting_fault_ends_in_one_line(tokenizer: str) -> None:
    tries = []

    async def complete(exchange: Exchange) -> None:
        tries.append(1)
        await exchange.send(500, {"error": {"message": "EngineDeadError"}}, {"retry-after": "0"})

    async def test(engine: ServerEngine) -> None:
        with pytest.raises(EngineError, match="500: EngineDeadError") as caught:
            await engine.complete(PROMPT, Sampling(5))
        one_line(caught.value)
        assert len(tries) == 3

    completing(tokenizer, complete, test, retries="2")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [(400, {"error": {"message": "bad seed"}}, "400: bad seed"), (200, b"data: {torn\n\n", "no OpenAI completion")],
)
def test_what_would_fail_again_is_not_tried_again(tokenizer: str, status: int, body: Any, says: str) -> None:
    tries = []

    async def complete(exchange: Exchange) -> None:
        tries.append(1)
        await exchange.send(status, body)

    async def test(engine: ServerEngine) -> None:
        with pytest.raises(EngineError, match=says) as caught:
            await engine.complete(PROMPT, Sampling(5))
        one_line(caught.value)
        assert len(tries) == 1

    completing(tokenizer, complete, test)


def test_a_hanging_request_times_out(tokenizer: str) -> None:
    async def test(engine: ServerEngine) -> None:
        with pytest.raises(EngineError, match="timeout=SECONDS"):
            await engine.complete(PROMPT, Sampling(5))

    completing(tokenizer, Exchange.left, test, timeout="0.3")


def test_a_cancelled_request_closes_its_connection_and_counts_what_it_spent(tokenizer: str) -> None:
    gone = asyncio.Event()

    async def complete(exchange: Exchange) -> None:
        await exchange.begin()
        for token in (40, 41, 42):
            await exchange.event({"choices": [{"token_ids": [token], "logprobs": {"token_logprobs": [-1]}}]})
        await exchange.left()
        gone.set()

    async def test(engine: ServerEngine) -> None:
        task = asyncio.create_task(engine.complete(PROMPT, Sampling(50)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(Cancelled) as caught:
            await task
        assert caught.value.usage == Usage(3, None, 3)
        await asyncio.wait_for(gone.wait(), 5)

    completing(tokenizer, complete, test)


def test_no_more_requests_are_in_flight_than_allowed(tokenizer: str) -> None:
    now, most = 0, 0

    async def complete(exchange: Exchange) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0.02)
        now -= 1
        await sse(exchange, [40])

    async def test(engine: ServerEngine) -> None:
        await asyncio.gather(*(engine.complete(PROMPT, Sampling(5)) for _ in range(20)))
        waiting = [asyncio.create_task(engine.complete(PROMPT, Sampling(5))) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[-1].cancel()
        with pytest.raises(Cancelled) as caught:
            await waiting[-1]
        assert caught.value.usage == Usage()  # it had not been sent
        await asyncio.gather(*waiting[:-1])

    completing(tokenizer, complete, test, max_in_flight="3")
    assert most == 3


# ---- servers that are not vLLM --------------------------------------------------------------------------------------


def test_a_plain_server_gets_text_and_declares_what_it_cannot_do(tokenizer: str) -> None:
    bodies = []

    async def answer(exchange: Exchange) -> None:
        if exchange.path == "/v1/models":
            return await exchange.send(200, {"data": [{"id": "m"}]})
        if "return_token_ids" in exchange.body:
            return await exchange.send(400, {"error": {"message": "unknown field return_token_ids"}})
        if not exchange.body.get("stream"):
            return await exchange.send(200, {"choices": [{"text": " 2"}]})
        bodies.append(exchange.body)
        await exchange.begin()
        for piece in ("3+4", "=7\nand", " on"):
            await exchange.event({"choices": [{"text": piece, "finish_reason": None}]})
        await exchange.event({"choices": [{"text": "", "finish_reason": "stop"}], "usage": {"completion_tokens": 9}})
        await exchange.event("[DONE]")
        return exchange.close()

    async def test() -> None:
        async with serving(answer) as url:
            engine = await opened(url, tokenizer=tokenizer, max_context="100")
            able = engine.capabilities
            assert not (able.exact_ids or able.logprobs or able.token_logprobs or able.score or able.cached_usage)
            prompt = engine.tokenizer.encode("3+4=?\n")
            line = await engine.complete(prompt, Sampling(50, stop=("\n",)))
            assert (line.text, line.finish, line.logprobs) == ("3+4=7\n", "stop", None)
            assert list(line.ids) == engine.tokenizer.encode("3+4=7\n") and line.usage.cached is None
            whole = await engine.complete(prompt, Sampling(50))
            assert (whole.text, whole.finish, whole.usage.completion) == ("3+4=7\nand on", "eos", 9)
            assert bodies[0]["prompt"] == "3+4=?\n" and "stop" not in bodies[0]
            watching = engine.complete(prompt, Sampling(50, watch=(1,)))
            for refused in (engine.next_token_logprobs(prompt, [1]), engine.score(prompt, [1]), watching):
                with pytest.raises(EngineError, match="vLLM") as caught:
                    await refused
                one_line(caught.value)
            await engine.close()

    run(test())


# ---- a real vLLM server ---------------------------------------------------------------------------------------------

SERVED = "smollm2"
QUESTION = "Question: Tom has 3 apples and buys 4 more. How many apples does he have now?\nAnswer:"
COUNTING = "".join(f"{number}\n" for number in range(1, 40))  # the model goes on with this for long


@dataclass(frozen=True)
class Served:
    """A running server: its address and its process."""

    url: str
    process: subprocess.Popen[bytes]

    async def engine(self, **options: str) -> ServerEngine:
        return await open_server(SERVED, self.url, options=options)


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory, embedded_model: str) -> Iterator[Served]:
    """One real vLLM server with the embedded model on a free port of this machine."""
    port, cores = free_port(), sorted(os.sched_getaffinity(0))
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", embedded_model]
    command += ["--served-model-name", SERVED, "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--enforce-eager", "--block-size", "32", "--max-model-len", "1024", "--enable-prompt-tokens-details"]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "2048"]  # see open_vllm's CPU defaults
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "OMP_NUM_THREADS": str(len(cores)),
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        until = time.monotonic() + 300
        while not up(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.3)
        yield Served(f"http://127.0.0.1:{port}/v1", process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server's engine process is of the same group
        process.wait()


def up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def on(server: Served, test: Callable[[ServerEngine], Awaitable[None]], **options: str) -> None:
    async def whole() -> None:
        engine = await server.engine(**options)
        try:
            await test(engine)
        finally:
            await engine.close()

    run(whole())


@pytest.mark.engine
class TestServer(Conformance):
    tolerance = 0.05  # its kernels sum in another order than the reference
    spread = 0.15
    prefix_cache = True
    cancel_after = 1.0

    @pytest.fixture(scope="class")
    def connected(self, loop: asyncio.Runner, vllm_server: Served) -> Iterator[ServerEngine]:
        engine = loop.run(vllm_server.engine())
        yield engine
        loop.run(engine.close())

    @pytest.fixture
    def engine(self, connected: ServerEngine) -> ServerEngine:
        return connected


@pytest.mark.engine
def test_vllm_can_do_everything(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        able = engine.capabilities
        assert able.exact_ids and able.logprobs and able.token_logprobs and able.score and able.cached_usage
        assert (engine.name, engine.device, engine.max_context) == (SERVED, vllm_server.url, 1024)
        with pytest.raises(EngineError, match=f"does not serve 'other'; it serves {SERVED}"):
            await open_server("other", vllm_server.url)

    on(vllm_server, test)


@pytest.mark.engine
def test_a_child_extends_its_parent_s_ids_and_reads_its_cache(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        prompt = engine.tokenizer.encode(COUNTING)
        first = await engine.complete(prompt, Sampling(20, stop=("\n",)))
        assert first.finish == "stop" and first.text.endswith("\n") and first.text == engine.tokenizer.decode(first.ids)
        assert (first.usage.prompt, first.usage.completion) == (len(prompt), len(first.ids))
        child = await engine.complete([*prompt, *first.ids], Sampling(20, stop=("\n",)))
        assert child.usage.prompt == len(prompt) + len(first.ids)
        assert child.usage.cached is not None and child.usage.cached >= len(prompt) // 32 * 32 > 0

    on(vllm_server, test)


@pytest.mark.engine
def test_the_three_ways_to_a_log_probability_agree(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        prompt = engine.tokenizer.encode(QUESTION)
        done = await engine.complete(prompt, Sampling(8))
        assert done.logprobs is not None and len(done.logprobs) == len(done.ids)
        scores, usage = await engine.score(prompt, done.ids)
        assert scores == pytest.approx(done.logprobs, abs=0.15)  # bfloat16, in other batches
        assert usage.prompt == len(prompt) + len(done.ids) and usage.cached == 0
        named, usage = await engine.next_token_logprobs(prompt, [0, done.ids[0], 2])
        assert named[1] == pytest.approx(done.logprobs[0], abs=0.05) and usage.completion == 1
        assert named[1] > max(named[0], named[2])
        some = list(range(100, 228))
        alone = dict(zip(some, (await engine.next_token_logprobs(prompt, some))[0], strict=True))
        turned, _ = await engine.next_token_logprobs(prompt, some[::-1])
        assert turned == pytest.approx([alone[token] for token in some[::-1]], abs=0.05)

    on(vllm_server, test)


@pytest.mark.engine
def test_a_seed_fixes_a_sample(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        prompt = engine.tokenizer.encode(QUESTION)
        seeds = (1, 2, 1, 2**63 + 1)
        samples = [await engine.complete(prompt, Sampling(30, temperature=1.0, seed=seed)) for seed in seeds]
        assert samples[0].ids == samples[2].ids != samples[1].ids

    on(vllm_server, test)


@pytest.mark.engine
def test_a_cancelled_completion_knows_its_tokens_and_frees_the_server(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        prompt = engine.tokenizer.encode(COUNTING)
        task = asyncio.create_task(engine.complete(prompt, Sampling(800)))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(Cancelled) as caught:
            await task
        spent = caught.value.usage
        assert spent.prompt == len(prompt) and spent.cached is None and 0 < spent.completion < 800
        await asyncio.sleep(0.5)
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = await client.get(vllm_server.url.removesuffix("/v1") + "/metrics")
        running = [line for line in metrics.text.splitlines() if line.startswith("vllm:num_requests_running")]
        assert running and all(float(line.split()[-1]) == 0 for line in running)

    on(vllm_server, test)


PROBLEMS = [Problem(f"p{n}", f"A box holds {n + 2} pens. How many pens do 3 boxes hold?", "6") for n in range(6)]


@pytest.mark.engine
def test_a_search_on_a_server_counts_what_it_cost(vllm_server: Served) -> None:
    async def test(engine: ServerEngine) -> None:
        settings: dict[str, Any] = {"beam_width": 2, "expand": 2, "max_depth": 2, "max_step_tokens": 32}
        async with Solver("gsm8k", "beam", engine, "self-eval", profile="lines", **settings) as solver:
            rows = await solver.arun(PROBLEMS[:2])
        for row in rows:
            assert row.failed is None
            assert row.cached_tokens is not None and 0 < row.cached_tokens < row.prompt_tokens
            assert row.reward_tokens

    on(vllm_server, test)


@pytest.mark.engine
def test_a_server_killed_in_the_middle_fails_each_problem_and_request_in_one_line(vllm_server: Served) -> None:
    """The last test on the server: it does not survive."""

    async def test(engine: ServerEngine) -> None:
        prompt = engine.tokenizer.encode(COUNTING)
        tasks = [asyncio.create_task(engine.complete([*prompt, 33 + n], Sampling(800))) for n in range(4)]
        solver = Solver("gsm8k", "best-of-n", engine, n=2, profile="lines", max_answer_tokens=700)
        run = asyncio.create_task(solver.arun(PROBLEMS))
        await asyncio.sleep(1.5)
        assert not any(task.done() for task in tasks)
        vllm_server.process.kill()
        begin = time.monotonic()
        failures = await asyncio.gather(*tasks, return_exceptions=True)
        rows = await run
        assert time.monotonic() - begin < 20
        for failure in failures:
            assert isinstance(failure, EngineError)
            assert vllm_server.url in one_line(failure) and "see that it runs" in str(failure)
        assert [row.problem for row in rows] == [problem.id for problem in PROBLEMS]
        lost = [row for row in rows if row.failed]
        assert lost
        assert all("see that it runs" in (row.failed or "") and "\n" not in (row.failed or "") for row in lost)
        with pytest.raises(EngineError, match="cannot be reached"):
            await engine.complete(prompt, Sampling(5))

    on(vllm_server, test)
