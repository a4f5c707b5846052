"""Work that must not stall the server: a few processes that do one job at a time and are killed when time is up.

A job is a function at the top level of a module; it returns the bytes of its answer, or raises UserError or `Refused`.
A process ends by itself when the server is gone, because its standard input does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, Final

from data.errors import UserError, one_line

__all__ = ["Job", "Refused", "Workers"]

Job = Callable[..., bytes]
START_SECONDS: Final = 120.0  # what a process may take to import what it needs, on a loaded machine
MEMORY_BYTES: Final = 6 << 30  # address space of a process
_LENGTH: Final = struct.Struct(">Q")
_DONE, _REFUSED, _BROKEN = b"+", b"!", b"?"


class Refused(Exception):
    """A job that is not done, with the HTTP status and the line that say why."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def _too_long(seconds: float) -> Refused:
    return Refused(422, f"this took more than {seconds:g} s: make it smaller", code="time_limit")


def _out_of_memory() -> Refused:
    return Refused(422, "this needs too much memory: make it smaller", code="memory_limit")


def _nobody() -> Refused:
    return Refused(499, "nobody waits for the answer any more")


class Workers:
    """`count` processes, each started when it is first needed; at most `waiting` jobs are kept waiting for them.

    `warm` is called by a new process before its first job, so that no job pays for what is only loaded once.
    """

    def __init__(self, count: int = 2, waiting: int = 16, warm: Callable[[], None] | None = None) -> None:
        self._most = count + waiting
        self._jobs = 0
        self._lock = threading.Lock()  # guards `_jobs`
        # A thread per process waits for it, so that no event loop has to.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._workers = [_Worker(warm) for _ in range(count)]
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()  # the one used last is warm
        for worker in reversed(self._workers):
            self._idle.put(worker)

    async def run(self, job: Job, *given: Any, seconds: float) -> bytes:
        """What `job(*given)` returns. Raises `Refused`, also where it takes longer, and RuntimeError where it breaks.

        A cancelled caller frees its process at once.
        """
        with self._lock:
            if self._jobs >= self._most:
                raise Refused(429, "the server has too much to calculate: try again soon", code="queue_full")
            self._jobs += 1
        task = _Task(pickle.dumps((job, given, seconds)), seconds)
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._do, task)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            task.abandon()
            raise

    def close(self) -> None:
        """Kill the processes. May be called twice."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)

    def _do(self, task: _Task) -> bytes:
        worker = self._idle.get()
        try:
            return worker.do(task)
        finally:
            self._idle.put(worker)
            with self._lock:
                self._jobs -= 1


class _Task:
    """A job on its way. `abandon` may be called from another thread at any time."""

    def __init__(self, pickled: bytes, seconds: float) -> None:
        self.pickled = pickled
        self.seconds = seconds
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self.abandoned = False

    def begin(self, stop: Callable[[], None]) -> bool:
        """Whether somebody still waits for it; `stop` then ends its work early."""
        with self._lock:
            self._stop = None if self.abandoned else stop
            return not self.abandoned

    def end(self) -> None:
        with self._lock:
            self._stop = None

    def abandon(self) -> None:
        with self._lock:
            self.abandoned = True
            if self._stop is not None:
                self._stop()


class _Worker:
    """One process, replaced when it dies. `do` is called by one thread at a time, `close` by any."""

    def __init__(self, warm: Callable[[], None] | None) -> None:
        self._warm = warm
        self._lock = threading.Lock()  # guards starting against closing
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def do(self, task: _Task) -> bytes:
        if task.abandoned:
            raise _nobody()
        process = self._process if self._process is not None and self._process.poll() is None else self._start()
        overrun = threading.Event()

        def stop() -> None:
            overrun.set()
            process.kill()

        timer = threading.Timer(task.seconds, stop)
        try:
            if not task.begin(process.kill):
                raise _nobody()
            timer.start()
            assert process.stdin is not None and process.stdout is not None
            _send(process.stdin, task.pickled)
            reply = _receive(process.stdout)
        except OSError:
            self._stop()
            if overrun.is_set():
                raise _too_long(task.seconds) from None
            raise _out_of_memory() from None
        finally:
            timer.cancel()
            task.end()
            if overrun.is_set() or task.abandoned:  # it may have been killed just after its answer
                self._stop()
        kind, body = reply[:1], reply[1:]
        if kind == _DONE:
            return body
        if kind == _REFUSED:
            raise Refused(**json.loads(body))
        raise RuntimeError(body.decode())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        self._stop()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._lock:
            if self._closed:
                raise Refused(503, "the server is shutting down")
            command = [sys.executable, "-c", f"from {__name__} import main; main()"]
            pipe = subprocess.PIPE
            self._process = process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        timer = threading.Timer(START_SECONDS, process.kill)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            _send(process.stdin, pickle.dumps(self._warm))
            failed = _receive(process.stdout)
        except OSError:
            raise Refused(503, "a process that calculates could not be started") from None
        finally:
            timer.cancel()
        if failed:
            raise RuntimeError(f"a process that calculates did not start: {failed.decode()}")
        return process

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    assert pipe is not None
                    pipe.close()


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(_LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """The next message. Raises EOFError, an OSError here, where there is none."""
    head = pipe.read(_LENGTH.size)
    if len(head) == _LENGTH.size:
        body = pipe.read(length := _LENGTH.unpack(head)[0])
        if len(body) == length:
            return body
    raise BrokenPipeError


# ---- in the process --------------------------------------------------------------------------------------------------


def main() -> None:
    """Do jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    _limit_memory()
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Solvers print, also from C: fd 1 leads nowhere from here on.
    nowhere = open(os.devnull, "wb")  # noqa: PTH123, SIM115 - open for the life of the process
    os.dup2(nowhere.fileno(), 1)
    # In any thread but the main one `formulation` gives its models to HiGHS without Pyomo, which takes seconds to load.
    with ThreadPoolExecutor(1) as thread, suppress(OSError):
        warm = pickle.loads(_receive(given))
        _send(answers, thread.submit(_warmed, warm).result())
        while True:
            _send(answers, thread.submit(_answer, _receive(given), nowhere).result())


def _warmed(warm: Callable[[], None] | None) -> bytes:
    """Why a process cannot do its jobs; nothing where it can."""
    try:
        if warm is not None:
            warm()
    except Exception as error:
        return f"{type(error).__name__}: {one_line(error)}".encode("utf-8", "replace")
    return b""


def _answer(pickled: bytes, nowhere: IO[bytes]) -> bytes:
    """What a job came to; whatever it raises is an answer, too."""
    try:
        job, given, seconds = pickle.loads(pickled)
        # The server kills a job that takes too long. If the server is gone, this timer, which needs neither the
        # interpreter nor a signal, ends the process.
        faulthandler.dump_traceback_later(seconds + 5.0, exit=True, file=nowhere)
        return _DONE + bytes(job(*given))
    except Refused as error:
        return _refusal(error)
    except UserError as error:
        return _refusal(Refused(400, one_line(error)))
    except RecursionError:
        return _refusal(Refused(400, "this is nested too deeply: write it flatter"))
    except MemoryError:
        return _refusal(_out_of_memory())
    except Exception:  # a mistake of ours: the server logs it, and tells its client no more than that
        return _BROKEN + traceback.format_exc().encode("utf-8", "replace")
    finally:
        faulthandler.cancel_dump_traceback_later()


def _refusal(error: Refused) -> bytes:
    return _REFUSED + json.dumps(vars(error)).encode()


def _limit_memory() -> None:
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    except (ImportError, ValueError, OSError):
        pass  # a platform without this limit still has the time limit
