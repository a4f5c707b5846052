"""What the server's tests share: apps on the toy engine, clients of them, and a real server in a thread."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from reasoning.engine.toy import ByteTokenizer, ToyEngine
from reasoning.serve.app import create_app
from reasoning.serve.settings import ServeConfig
from search.types import Cancelled, Usage


class ChatTokenizer(ByteTokenizer):
    """A chat template of the plainest kind."""

    def chat(self, messages):
        turns = "".join(f"{'Question' if m['role'] == 'user' else m['role']}: {m['content']}\n" for m in messages)
        return self.encode(f"{turns}Answer:")


class ChatToy(ToyEngine):
    """The toy with a chat template."""

    def __init__(self, error=0.25, latency=0.0):
        super().__init__(error, latency)
        self.tokenizer = ChatTokenizer()
        self.samplings = []

    async def complete(self, prompt_ids, sampling):
        self.samplings.append(sampling)
        return await super().complete(prompt_ids, sampling)


class GatedToy(ChatToy):
    """Completes nothing before its gate is open, and knows how many requests are at work and were cancelled."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()
        self.working = self.cancelled = 0

    async def complete(self, prompt_ids, sampling):
        self.working += 1
        try:
            await self.gate.wait()
            return await super().complete(prompt_ids, sampling)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise Cancelled(Usage(len(prompt_ids), 0, 1)) from None
        finally:
            self.working -= 1


def chat(text="3 + 4 - 2", model="toy/best-of-n", task="gsm8k", events=None, **more):
    """A chat request about a sum."""
    options = {"task": task, **({} if events is None else {"events": events}), **more.pop("stepsolver", {})}
    return {"model": model, "messages": [{"role": "user", "content": text}], "stepsolver": options, **more}


@contextlib.asynccontextmanager
async def served(engine=None, **settings):
    """A client of an app on the toy policy, and the app."""
    app = create_app(ServeConfig(policy="toy", **settings), engine or ChatToy())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        yield client, app


async def until(condition, seconds=30.0):
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.005)


@contextlib.contextmanager
def server(engine=None, **settings):
    """The address of a real server in a thread, and its app."""
    app = create_app(ServeConfig(policy="toy", **settings), engine or ChatToy())
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not running.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", app
    finally:
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def counted(app, name, **labels):
    """A counter's or gauge's value."""
    return app.state.metrics.registry.get_sample_value(name, labels) or 0.0


@contextlib.contextmanager
def command(*options):
    """The address of `python -m reasoning.serve` with the embedded model. The command has to end with 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "reasoning.serve", "--port", str(port), *options],
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:  # ends when the process does
            said.append(line)
            if " models of embedded at http" in line:
                break
        else:
            raise AssertionError("".join(said[-20:]))
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
