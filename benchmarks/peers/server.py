"""One vLLM server for all systems, and its counters."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

__all__ = ["Tokens", "forget", "serving", "tokens"]

CHAT = Path(__file__).parent / "chat.jinja"
START_SECONDS = 600.0
_COUNTER = re.compile(r"^vllm:(prompt_tokens|prompt_tokens_cached|generation_tokens)_total(?:\{[^}]*\})? (\S+)$", re.M)


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
    """The counters of the server's /metrics."""
    answer = httpx.get(f"{url.removesuffix('/v1')}/metrics", timeout=30)
    answer.raise_for_status()
    return read(answer.text)


def read(text: str) -> Tokens:
    """The counters in Prometheus' text format, summed over engines."""
    sums = dict.fromkeys(("prompt_tokens", "prompt_tokens_cached", "generation_tokens"), 0.0)
    for name, value in _COUNTER.findall(text):
        sums[name] += float(value)
    return Tokens(*(int(sums[n]) for n in ("prompt_tokens", "prompt_tokens_cached", "generation_tokens")))


def forget(url: str) -> None:
    """Empty the prefix cache, so that no system reads what another one has computed."""
    httpx.post(f"{url.removesuffix('/v1')}/reset_prefix_cache", timeout=60).raise_for_status()


@contextmanager
def serving(model: Path, name: str, port: int, log: Path, options: list[str]) -> Iterator[str]:
    """Start vLLM's OpenAI server for a model folder; yields its address. RuntimeError where it does not start."""
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
            raise RuntimeError(f"the server ended with {process.returncode}: see {log}")
        try:
            if httpx.get(health, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1.0)
    raise RuntimeError(f"the server did not answer within {START_SECONDS:.0f} s: see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and the engine process behind it."""
    for kind, patience in ((signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, kind)
            process.wait(patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
