"""Sync use of what is async: a mixin for things that are opened, used and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Synchronous"]

T = TypeVar("T")


class Synchronous:
    """A context manager, sync and async, over `start` and `aclose`.

    The sync methods run their own event loop and must not be called inside another.
    """

    _runner: asyncio.Runner | None = None

    async def start(self) -> None:
        """Open it. Called on first use; calling it twice does nothing."""

    async def aclose(self) -> None:
        """Close what was opened. May be called twice."""

    def close(self) -> None:
        """`aclose`, for programs without an event loop."""
        self._run_sync(self.aclose())
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        self._run_sync(self.start())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _run_sync(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this thing's own loop."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(work)
