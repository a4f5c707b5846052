"""A real server and the real OpenAI client."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from .serving import ChatToy, counted, server


@pytest.fixture(scope="module")
def running():
    with server(ChatToy(error=0.0, latency=0.0005), max_body_bytes=10_000) as found:
        yield found


def client_of(address):
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60)


def ask(client, i, **more):
    return client.chat.completions.create(
        model="toy/beam",
        messages=[{"role": "user", "content": f"{i} + 500"}],
        extra_body={"stepsolver": {"task": "gsm8k"}},
        **more,
    )


def test_the_client_reads_models_and_answers(running):
    with client_of(running[0]) as client:
        assert "toy/mcts" in [model.id for model in client.models.list()]
        answer = ask(client, 7, n=1, seed=1, temperature=0.5)
        assert answer.choices[0].message.content.endswith("#### 507")
        assert answer.model_extra["stepsolver"]["answer"] == "507"
        assert answer.usage.total_tokens > 0
        text = client.completions.create(model="toy/greedy", prompt="Question: 5 + 6\nAnswer:")
        assert text.choices[0].text.endswith("#### 11")


def test_the_client_reads_streams(running):
    with client_of(running[0]) as client:
        chunks = list(ask(client, 8, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).endswith("#### 508")
    assert chunks[-1].usage.total_tokens > 0
    assert chunks[-2].model_extra["stepsolver"]["answer"] == "508"


def test_the_client_reads_errors(running):
    with client_of(running[0]) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "1"}])
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            ask(client, 1, logprobs=True)
        assert refused.value.param == "logprobs"


def test_clients_that_ask_together_each_get_their_own_answer(running):
    def one(i):
        with client_of(running[0]) as client:
            if i % 2:
                return ask(client, i).choices[0].message.content
            return "".join(c.choices[0].delta.content or "" for c in ask(client, i, stream=True))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(16)))
    assert [a.rpartition("#### ")[2] for a in answers] == [str(i + 500) for i in range(16)]


def test_a_huge_body_is_refused_by_its_announced_length(running):
    answer = httpx.post(f"{running[0]}/v1/chat/completions", content=b" " * 20_000)
    assert answer.status_code == 413


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_closes_cancels_its_search(stream):
    import time

    with server(ChatToy(latency=5.0)) as (address, app):
        with pytest.raises(httpx.ReadTimeout):
            body = {"model": "toy/greedy", "messages": [{"role": "user", "content": "1 + 1"}], "stream": stream}
            with httpx.stream("POST", f"{address}/v1/chat/completions", json=body, timeout=2.5) as answer:
                for line in answer.iter_lines():
                    if "event" in line:
                        raise httpx.ReadTimeout("seen enough")
        deadline = time.monotonic() + 30
        while counted(app, "stepsolver_searches_total", outcome="cancelled") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert counted(app, "stepsolver_searches_running") == 0


def test_the_command_serves_until_a_signal_and_finishes_what_runs():
    root = Path(__file__).resolve().parents[3]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "reasoning.serve",
        "--policy",
        "toy",
        "--engine",
        "latency=0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        assert f"http://127.0.0.1:{port}" in lines[1], lines
        address = f"http://127.0.0.1:{port}"
        with client_of(address) as client, ThreadPoolExecutor(1) as pool:
            running = pool.submit(ask, client, 3, max_tokens=40)
            while "stepsolver_searches_running 1.0" not in httpx.get(f"{address}/metrics").text:
                assert not running.done()
            process.send_signal(signal.SIGTERM)
            assert running.result(60).choices[0].message.content
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
