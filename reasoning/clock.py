"""An engine's time, shared evenly among the requests it works on at once."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["EngineClock"]


class EngineClock:
    """Counts the seconds an engine has work, and each request's part of them.

    While n requests are in flight each of them is charged 1/n of the time (processor sharing), so the requests' seconds
    add up to the time in which at least one was in flight: the engine's, however many problems were searched at once.
    O(1) a request: a request's part is how far the integral of 1/n went while it was in flight.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._last = 0.0
        self._share = 0.0  # the integral of 1/n over the busy time
        self._flying = 0

    def begin(self) -> float:
        """A request goes to the engine; give what this returns to `end`."""
        self._advance()
        self._flying += 1
        return self._share

    def end(self, begun: float) -> float:
        """The request is back: its seconds."""
        self._advance()
        self._flying -= 1
        return self._share - begun

    def _advance(self) -> None:
        now = self._now()
        if self._flying:
            self._share += (now - self._last) / self._flying
        self._last = now
