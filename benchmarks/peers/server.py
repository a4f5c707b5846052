"""One vLLM server for all systems, and its counters."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from reasoning.engine.base import EngineError

__all__ = ["ServerError", "Tokens", "forget", "serving", "tokens"]

CHAT = Path(__file__).parent / "chat.jinja"
START_SECONDS = 600.0
# Eager as compiling takes minutes; whole prompts in one step as vLLM 0.32 ends on a CPU when a prompt of a request with
# a seed is computed in two; a cache of fixed size as vLLM would else want 92% of the memory, and not start without.
CPU = (
    *("--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192", "--dtype", "bfloat16"),
    *("--kv-cache-memory-bytes", str(4 * 2**30)),
)
IDLE_SECONDS = 60.0
_COUNTER = re.compile(r"^vllm:(prompt_tokens|prompt_tokens_cached|generation_tokens)_total(?:\{[^}]*\})? (\S+)$", re.M)


class ServerError(EngineError):
    """The server does not start, has ended, or does not answer as it should: one line."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens as the server counts them, the same way for every client."""

    prompt: int
    cached: int
    completion: int

    def __sub__(self, before: Tokens) -> Tokens:
        return Tokens(self.prompt - before.prompt, self.cached - before.cached, self.completion - before.completion)

    @property
    def computed(self) -> int:
        """What went through the model."""
        return self.prompt - self.cached + self.completion


def tokens(url: str) -> Tokens:
    """The counters of the server's /metrics. Raises ServerError."""
    return read(_ask("GET", url, "metrics", timeout=30).text)


def read(text: str) -> Tokens:
    """The counters in Prometheus' text format, summed over engines. Raises ServerError where one is not there."""
    sums: dict[str, float] = {}
    for name, value in _COUNTER.findall(text):
        sums[name] = sums.get(name, 0.0) + float(value)
    try:
        return Tokens(*(int(sums[n]) for n in ("prompt_tokens", "prompt_tokens_cached", "generation_tokens")))
    except KeyError as error:
        raise ServerError(f"the server's /metrics has no counter {error}: serve with vLLM 0.32") from None


def forget(url: str) -> None:
    """Empty the prefix cache, so that no system reads what another one has computed. Raises ServerError.

    The server refuses while requests run, as those of a system that was ended may for a moment.
    """
    end = time.monotonic() + IDLE_SECONDS
    while not _ask("POST", url, "reset_prefix_cache", timeout=60).json().get("success"):
        if time.monotonic() > end:
            raise ServerError(f"the server's prefix cache is still in use after {IDLE_SECONDS:.0f} s")
        time.sleep(0.2)


def _ask(method: str, url: str, path: str, *, timeout: float) -> httpx.Response:
    try:
        answer = httpx.request(method, f"{url.removesuffix('/v1')}/{path}", timeout=timeout, trust_env=False)
        return answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ServerError(f"the server does not answer /{path} ({type(error).__name__})") from None


@contextmanager
def serving(model: Path, name: str, port: int, log: Path, options: Sequence[str]) -> Iterator[str]:
    """Start vLLM's OpenAI server for a model folder; yields its address. ServerError where it does not start."""
    with socket.socket() as probe:  # another server there would answer in this one's place
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ServerError(f"port {port} is taken: choose another with --port")
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--served-model-name", name, "--port", str(port), "--host", "127.0.0.1"),
        *("--chat-template", str(CHAT), "--enable-prefix-caching", "--block-size", "32"),
        *("--enable-prompt-tokens-details", "--max-num-seqs", "64", "--max-model-len", "2048", *options),
    ]
    environment = {
        "VLLM_NO_USAGE_STATS": "1",
        "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),  # unset, vLLM would try to serve a CPU with one thread
        # Eager means eager: else a few small functions are compiled at the first requests, for no gain.
        **({"TORCH_COMPILE_DISABLE": "1"} if "--enforce-eager" in options else {}),
        **os.environ,
        "VLLM_SERVER_DEV_MODE": "1",  # it has the endpoint that empties the cache
    }
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment, start_new_session=True)
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"the server ended with {process.returncode}: see {log}")
        try:
            if httpx.get(health, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1.0)
    raise ServerError(f"the server did not answer within {START_SECONDS:.0f} s: see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, and whatever of its processes is left then."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30.0)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10.0)
