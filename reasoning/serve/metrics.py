"""What the server counts, for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.driver import Tell
from search.types import Expand

__all__ = ["Measured", "Metrics"]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The counters of one app, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("stepsolver_requests", "Answered requests", ("route", "status"), registry=self.registry)
        self.seconds = Histogram(
            "stepsolver_request_seconds",
            "Seconds from a request to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "stepsolver_tokens",
            "Tokens of all searches; cached ones are part of the prompt's, reward is what rewards computed",
            ("kind",),
            registry=self.registry,
        )
        self.searches = Counter(
            "stepsolver_searches",
            "Ended searches: answered, unanswered, failed, cancelled",
            ("outcome",),
            registry=self.registry,
        )
        self.running = Gauge("stepsolver_searches_running", "Searches that run now", registry=self.registry)
        self.queued = Gauge("stepsolver_searches_queued", "Searches that wait for their turn", registry=self.registry)

    def told(self, tell: Tell) -> None:
        """Count the tokens of one outcome."""
        usage = tell.outcome.usage
        if isinstance(tell.request, Expand):
            self.tokens.labels("prompt").inc(usage.prompt)
            self.tokens.labels("cached").inc(usage.cached or 0)
            self.tokens.labels("completion").inc(usage.completion)
        else:
            self.tokens.labels("reward").inc(usage.computed or 0)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class Measured:
    """Middleware that counts and times every request by its route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500  # what nobody catches becomes a 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            # By the route's pattern: paths that nobody serves must not become labels.
            route = getattr(scope.get("route"), "path", None) or "other"
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - begun)
