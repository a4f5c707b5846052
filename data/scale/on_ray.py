"""Workers that are Ray actors, on a cluster that is joined, or started here for the work's duration."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from data.errors import UserError, one_line
from data.scale.options import Scale
from data.scale.spreading import Limits, Lost, WorkerLost, spread

__all__ = ["Work", "cluster", "in_order", "on_ray"]

J = TypeVar("J")
J_contra = TypeVar("J_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_STORE_BYTES = 100 << 20  # of the object store: jobs and results are small, and by default Ray takes a third of memory
_GOODBYE = 20.0  # seconds in which an actor may close its engine before it is killed


class Work(Protocol[J_contra, R_co]):
    """What an actor does. It is made in the actor's process, by a factory that can be pickled."""

    async def start(self) -> None:
        """Get ready, such as to load a model."""
        ...

    async def do(self, job: J_contra, /) -> R_co:
        """One job; several run at the same time."""
        ...

    async def aclose(self) -> None:
        """Free everything."""
        ...


async def on_ray(
    jobs: Iterable[J], make: Callable[[], Work[J, R]], scale: Scale, *, ahead: int = 1, gpus: float = 0.0
) -> AsyncGenerator[tuple[J, R | Lost], None]:
    """Every job with its result, exactly once each, as they finish, from `scale.workers` actors.

    Each actor makes its own work by `make` and has `ahead` jobs at a time. `gpus` are what an actor needs where the
    user does not say. What `make`, `start` or `do` raises is raised here. Raises UserError where Ray is missing, does
    not start, or has not what is asked for.
    """
    with cluster(scale):
        hire = _hiring(make, scale, gpus)
        limits = Limits(scale.workers, ahead, restarts=scale.restarts)
        async with contextlib.aclosing(spread(jobs, hire, limits)) as found:
            async for item in found:
                yield item


def in_order(found: AsyncGenerator[tuple[int, R], None]) -> Iterator[R]:
    """The results of jobs numbered from 0, in the numbers' order, for programs without an event loop."""
    waiting: dict[int, R] = {}
    wanted = 0

    async def following() -> tuple[int, R] | None:
        return await anext(found, None)

    with asyncio.Runner() as runner:
        try:
            while (item := runner.run(following())) is not None:
                waiting[item[0]] = item[1]
                while wanted in waiting:
                    yield waiting.pop(wanted)
                    wanted += 1
        finally:
            runner.run(found.aclose())


# ---- the cluster -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def cluster(scale: Scale) -> Iterator[None]:
    """Ray, initialized: as it is where this process has it already, joined, or started here and ended again."""
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if scale.address is not None:
        try:
            ray.init(address=scale.address, **quiet)
        except Exception as error:
            raise UserError(f"--ray-address {scale.address}: no cluster answers ({one_line(error)})") from None
        try:
            yield
        finally:
            ray.shutdown()
        return
    # A folder of its own: Ray leaves its logs behind.
    folder = tempfile.mkdtemp(prefix="stepsolver-ray-")
    try:
        with _importable():
            try:
                ray.init(
                    num_cpus=math.ceil(scale.workers * _cpus(scale)),
                    include_dashboard=False,
                    object_store_memory=_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=folder,
                    **quiet,
                )
            except Exception as error:
                ray.shutdown()
                raise UserError(f"Ray does not start on this machine: {one_line(error)}") from None
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _ray() -> Any:
    for key, value in {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "120",  # a busy machine needs more than the default 30
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }.items():
        os.environ.setdefault(key, value)
    try:
        import ray
    except ImportError:
        raise UserError("--scale ray needs Ray: pip install 'stepsolver[ray]'") from None
    return ray


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """Lets processes that start meanwhile import this package, also from a checkout."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _cpus(scale: Scale) -> float:
    """Cores of an actor. Ray also limits its numeric libraries' threads to them."""
    if scale.cpus_per_worker is not None:
        return scale.cpus_per_worker
    return 1 if scale.address is not None else max(1, (os.cpu_count() or 1) // scale.workers)


# ---- actors ----------------------------------------------------------------------------------------------------------


class _Actor(Generic[J, R]):
    """One worker's process. Errors go home as values: Ray would wrap them in tracebacks."""

    async def begin(self, make: Callable[[], Work[J, R]]) -> BaseException | None:
        try:
            self.work = make()
            await self.work.start()
        except Exception as error:
            return _portable(error)
        return None

    async def do(self, job: J) -> tuple[R | None, BaseException | None]:
        try:
            return await self.work.do(job), None
        except Exception as error:
            return None, _portable(error)

    async def end(self) -> None:
        await self.work.aclose()


def _portable(error: Exception) -> Exception:
    """The error itself where it survives the way home, else its first line."""
    error.add_note(f"In a worker:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {one_line(error)}")
    return error.with_traceback(None)


@dataclass(frozen=True)
class _RayWorker(Generic[J, R]):
    """An actor, seen from here."""

    actor: Any

    async def do(self, job: J, /) -> R:
        result, error = await _answer(self.actor.do.remote(job))
        if error is not None:
            raise error
        found: R = result
        return found

    async def end(self) -> None:
        import ray

        with contextlib.suppress(Exception):
            await asyncio.wait_for(_answer(self.actor.end.remote()), _GOODBYE)
        with contextlib.suppress(Exception):
            ray.kill(self.actor)


def _hiring(make: Callable[[], Work[J, R]], scale: Scale, gpus: float) -> Callable[[], Awaitable[_RayWorker[J, R]]]:
    import ray

    wanted = gpus if scale.gpus_per_worker is None else scale.gpus_per_worker
    there = ray.cluster_resources().get("GPU", 0.0)
    # A cluster may grow; this machine will not. Without any GPU an engine falls back to the processor.
    if scale.gpus_per_worker is None and not there:
        wanted = 0.0
    if scale.address is None and wanted * scale.workers > there:
        raise UserError(
            f"{scale.workers} workers with {wanted:g} GPUs each are more than the {there:g} there are: "
            "lower --workers or --gpus-per-worker"
        )
    remote = ray.remote(_Actor).options(num_cpus=_cpus(scale), num_gpus=wanted, max_restarts=0, max_task_retries=0)

    async def hire() -> _RayWorker[J, R]:
        worker: _RayWorker[J, R] = _RayWorker(remote.remote())
        try:
            error = await _answer(worker.actor.begin.remote(make))
        except BaseException:
            await worker.end()
            raise
        if error is not None:
            await worker.end()
            raise error
        return worker

    return hire


async def _answer(reference: Any) -> Any:
    """What an actor's call returns. Raises WorkerLost where the actor is gone."""
    from ray.exceptions import RayActorError

    try:
        return await reference
    except RayActorError as error:
        raise WorkerLost(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Why an actor died, in few words."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
