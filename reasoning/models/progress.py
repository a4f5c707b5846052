"""How far a download is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["Progress"]

_EVERY: Final = 15.0  # seconds between lines where there is no terminal


class Progress:
    """Bytes of `total` that are there. On standard error; nothing at all without `report`."""

    def __init__(self, name: str, total: int, report: bool) -> None:
        self._name, self._total = name, total
        self._done, self._next = 0, time.monotonic() + 1.0
        self._report = report
        self._bar: Any = None
        if report and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            columns = (
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
            )
            self._bar = progress.Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(name, total=total)

    def advance(self, count: int) -> None:
        """Count bytes."""
        self._done += count
        if self._bar is not None:
            self._bar.start()
            self._bar.update(self._task, completed=self._done)
        elif self._report and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._line(f"{self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB")

    def say(self, what: str) -> None:
        """Tell what is being done now."""
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self._name}, {what}")

    def _line(self, text: str) -> None:
        print(f"pulling {self._name}: {text}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
