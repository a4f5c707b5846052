"""What the adapters of the peers share. Standard library only: it is imported in the peers' own environments.

An adapter is run as `python ADAPTER.py JOB.json RESULT.json [MODE]`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Job", "Server", "main", "peak_mib", "run_async"]


@dataclass(frozen=True)
class Job:
    """What every system is asked: the same questions on the same server with the same budget.

    A beam search keeps `width` beams, samples `expand` steps of at most `step_tokens` tokens from each, and goes
    `depth` steps deep; a method without steps may sample `samples` solutions of `answer_tokens` tokens. A step ends at
    a newline, a solution at a line with `####`. `judge` is the text after which the tokens `good` and `bad` (ids) are
    compared: the reward of a partial solution is P(good) / (P(good) + P(bad)).
    """

    url: str  # ends in /v1
    model: str
    tokenizer: str
    questions: list[str]
    width: int
    expand: int
    depth: int
    samples: int
    step_tokens: int
    answer_tokens: int
    temperature: float
    judge: str
    good: int
    bad: int


class Server:
    """The server by plain HTTP, from any thread."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._address = urlsplit(job.url)
        self._local = threading.local()

    def step(self, question: str, so_far: str) -> str:
        """One sampled step, its newline included."""
        body = {
            "prompt": f"Question: {question}\nAnswer:{so_far}",
            "max_tokens": self.job.step_tokens,
            "temperature": self.job.temperature,
            "stop": ["\n"],
            "include_stop_str_in_output": True,
        }
        return str(self._post(body)["choices"][0]["text"])

    def judge(self, question: str, so_far: str) -> float:
        """The reward of a partial solution, in [0, 1]; 0 where it is too long to be judged."""
        tokens = sorted({self.job.good, self.job.bad})
        body = {
            "prompt": f"Question: {question}\nAnswer:{so_far}{self.job.judge}",
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": 0,
            "logprob_token_ids": tokens,
            "return_tokens_as_token_ids": True,
        }
        try:
            top = self._post(body)["choices"][0]["logprobs"]["top_logprobs"][0]
        except RuntimeError as error:
            if "maximum context length" not in str(error):
                raise
            return 0.0  # a step without end, of a system that knows no token limit per step
        good, bad = (float(top[f"token_id:{t}"]) for t in (self.job.good, self.job.bad))
        return 1.0 / (1.0 + math.exp(min(bad - good, 700.0)))

    @staticmethod
    def finished(text: str) -> bool:
        """Whether a solution has ended: with an answer, or without one at an empty line or the model's own end."""
        last = text.removesuffix("\n").rpartition("\n")[2]
        return "####" in text or not text.endswith("\n") or not last.strip()

    def _post(self, body: dict[str, Any]) -> Any:
        data = json.dumps({"model": self.job.model, **body})
        try:
            answer = self._send(data)
        except (ConnectionError, http.client.BadStatusLine):
            # The server closes connections that were idle for some seconds; a new one is not idle.
            del self._local.connection
            answer = self._send(data)
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status}: {text[:300]}")
        return json.loads(text)

    def _send(self, data: str) -> http.client.HTTPResponse:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            assert self._address.hostname is not None
            connection = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=600)
            self._local.connection = connection
        connection.request("POST", f"{self._address.path}/completions", data, {"content-type": "application/json"})
        return connection.getresponse()


def run_async(work: Any) -> Any:
    """`asyncio.run` with threads enough that blocking calls never wait for one."""

    async def everything() -> Any:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(256))
        return await work

    return asyncio.run(everything())


def peak_mib() -> float:
    """The peak memory of this process. Not getrusage's, in which the peak of the process that started it lives on."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(solve: Callable[[Job, Server, str], list[str]]) -> None:
    """Solve the job's questions and write texts, seconds (without imports) and the peak memory of this process."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    begun = time.perf_counter()
    texts = solve(job, Server(job), sys.argv[3] if len(sys.argv) > 3 else "")
    seconds = time.perf_counter() - begun
    result = {"texts": texts, "seconds": seconds, "peak_mib": peak_mib()}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")
