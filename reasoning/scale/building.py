"""Groups of training data built by Ray actors, each with its own sampler; rows go home, where one file is written."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import partial
from typing import Generic, TypeVar

from data.scale import Lost, Scale
from data.scale.on_ray import on_ray
from reasoning.collect.sampler import Built, Busy, adapter_of, attempt
from reasoning.scale.searching import gpus_needed

__all__ = ["Building", "build_scaled"]

S = TypeVar("S", bound=Busy)
J = TypeVar("J")


class Building(Generic[S, J]):
    """What one worker does (a `data.scale.on_ray.Work`): build groups with what `opened` opens, such as a sampler."""

    def __init__(
        self, opened: Callable[[], AbstractAsyncContextManager[S]], work: Callable[[S, J], Awaitable[Built]]
    ) -> None:
        self._opened, self._work = opened, work
        self._stack = AsyncExitStack()
        self._sampler: S | None = None
        self._told = 0

    async def start(self) -> None:
        """Open the engine."""
        self._sampler = await self._stack.enter_async_context(self._opened())

    async def do(self, job: tuple[str, J], /) -> tuple[Built, int]:
        """A group, and the completion tokens spent since the last one was told."""
        assert self._sampler is not None
        _, built = await attempt(partial(self._work, self._sampler), job)
        before, self._told = self._told, self._sampler.usage.completion
        return built, self._told - before

    async def aclose(self) -> None:
        """Close the engine."""
        await self._stack.aclose()


async def build_scaled(
    args: argparse.Namespace,
    opened: Callable[[], AbstractAsyncContextManager[S]],
    jobs: Sequence[tuple[str, J]],
    work: Callable[[S, J], Awaitable[Built]],
    scale: Scale,
) -> AsyncGenerator[tuple[str, Built, int], None]:
    """Groups as they finish, with the completion tokens that all workers have spent so far.

    `args` are a command's, with the policy's options. A group that was given up is one without rows.
    """
    settings = {"policy": args.policy, "adapter": adapter_of(args), "engine": dict(args.engine)}
    found = on_ray(jobs, partial(Building, opened, work), scale, ahead=args.concurrency, gpus=gpus_needed(settings))
    spent = 0
    async with aclosing(found):
        async for (group, _), result in found:
            if isinstance(result, Lost):
                yield group, Built((), {"lost": 1}), spent
            else:
                built, tokens = result
                spent += tokens
                yield group, built, spent
