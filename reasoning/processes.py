"""Work that must not stall an event loop: a few processes that do one job at a time and are killed when time is up.

A job is a function at the top level of a module; it returns the bytes of its answer, or raises UserError or `Refused`.
Processes are spawned as multiprocessing does it: they import the script that runs, so that its own classes can be sent
to them, and what it does must stand under `if __name__ == "__main__":`. A process ends by itself when the one that
started it is gone, because its connection does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import IO, Any, Final

from data.errors import UserError, one_line

__all__ = ["Job", "Refused", "Workers"]

Job = Callable[..., bytes]
START_SECONDS: Final = 120.0  # what a process may take to import what it needs, on a loaded machine
MEMORY_BYTES: Final = 8 << 30  # address space of a process
_DONE, _REFUSED, _BROKEN = b"+", b"!", b"?"


class Refused(Exception):
    """A job that is not done, with the line that says why and the HTTP status that a server answers with."""

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


class Workers:
    """`count` processes, each started when it is first needed; at most `waiting` jobs are kept waiting for them.

    `warm` is called by a new process before its first job, so that no job pays for what is only loaded once. `name` is
    what errors call a process.
    """

    def __init__(
        self, count: int = 2, waiting: float = 16, warm: Callable[[], None] | None = None, name: str = "process"
    ) -> None:
        self._most = count + waiting
        self._jobs = 0
        self._lock = threading.Lock()  # guards `_jobs`
        # A thread per process waits for it, so that no event loop has to.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._workers = [_Worker(warm, name) for _ in range(count)]
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()  # the one used last is warm
        for worker in reversed(self._workers):
            self._idle.put(worker)

    async def run(self, job: Job, *given: Any, seconds: float) -> bytes:
        """What `job(*given)` returns. Raises `Refused`, also where it takes longer, and RuntimeError where it breaks.

        A cancelled caller frees its process at once.
        """
        task = _Task(pickle.dumps((job, given, seconds)), seconds)
        with self._lock:
            if self._jobs >= self._most:
                raise Refused(429, "the server has too much to calculate: try again soon", code="queue_full")
            self._jobs += 1
        future = self._threads.submit(self._do, task)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task.abandon()
            raise

    def close(self) -> None:
        """Kill the processes; jobs that wait are refused. May be called twice."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown()
        for worker in self._workers:
            worker.stop()

    def _do(self, task: _Task) -> bytes:
        worker = self._idle.get()
        try:
            return worker.do(task)
        finally:
            self._idle.put(worker)

    def _done(self, future: Future[bytes]) -> None:
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

    def end(self) -> bool:
        """Whether its work was ended early."""
        with self._lock:
            self._stop = None
            return self.abandoned

    def abandon(self) -> None:
        with self._lock:
            self.abandoned = True
            if self._stop is not None:
                self._stop()


class _Process(SpawnProcess):
    """Ends with the process that started it, as a daemon does. Unlike a daemon it may start others: a job may judge."""

    daemon = True


class _Worker:
    """One process, replaced when it dies. `do` and `stop` are called by one thread at a time, `close` by any."""

    def __init__(self, warm: Callable[[], None] | None, name: str) -> None:
        self._warm = warm
        self._name = name
        self._lock = threading.Lock()  # guards starting against closing
        self._process: _Process | None = None
        self._connection: Connection | None = None
        self._closed = False

    def do(self, task: _Task) -> bytes:
        process, connection = self._started()
        if not task.begin(process.kill):
            raise Refused(499, "nobody waits for the answer any more")
        try:
            connection.send_bytes(task.pickled)
            if not connection.poll(task.seconds):
                self.stop()
                raise _too_long(task.seconds)
            reply = connection.recv_bytes()
        except (EOFError, OSError):
            self.stop()
            raise self._closing() or _out_of_memory() from None
        finally:
            if task.end():  # it may have been killed just after its answer
                self.stop()
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

    def stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _started(self) -> tuple[_Process, Connection]:
        if self._process is not None and self._connection is not None and self._process.is_alive():
            return self._process, self._connection
        self.stop()
        try:
            self._connection, theirs = multiprocessing.Pipe()
            with self._lock:
                if (closing := self._closing()) is not None:
                    raise closing
                process = _Process(target=_work, args=(theirs, self._warm))
                process.start()
                self._process = process
            theirs.close()
            if not self._connection.poll(START_SECONDS):
                raise TimeoutError
            failed = self._connection.recv_bytes()
        except (EOFError, OSError):
            self.stop()
            raise self._closing() or Refused(503, f"the {self._name} could not be started") from None
        if failed:
            self.stop()
            raise RuntimeError(f"the {self._name} did not start: {failed.decode()}")
        return process, self._connection

    def _closing(self) -> Refused | None:
        return Refused(503, "the server is shutting down", code="closed") if self._closed else None


# ---- in the process --------------------------------------------------------------------------------------------------


def _work(connection: Connection, warm: Callable[[], None] | None) -> None:
    """Do jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _limit_memory()
    # Solvers and scorers print, also from C: fd 1 leads nowhere from here on.
    nowhere = open(os.devnull, "wb")  # noqa: PTH123, SIM115 - open for the life of the process
    os.dup2(nowhere.fileno(), 1)
    with suppress(EOFError, OSError):
        connection.send_bytes(_warmed(warm))
        while True:
            connection.send_bytes(_answer(connection.recv_bytes(), nowhere))


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
        # The parent kills a job that takes too long. If the parent is gone, this timer, which needs neither the
        # interpreter nor a signal, ends the process.
        faulthandler.dump_traceback_later(seconds + 1.0, exit=True, file=nowhere)
        return _DONE + bytes(job(*given))
    except Refused as error:
        return _refusal(error)
    except UserError as error:
        return _refusal(Refused(400, one_line(error)))
    except RecursionError:
        return _refusal(Refused(400, "this is nested too deeply: write it flatter"))
    except MemoryError:
        return _refusal(_out_of_memory())
    except Exception:  # a mistake of ours: a server logs it, and tells its client no more than that
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
