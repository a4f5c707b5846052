"""The application: routes, limits and one service in one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from reasoning.engine.base import Engine
from reasoning.serve import errors, formulation, openai, saved
from reasoning.serve.limits import Guard
from reasoning.serve.metrics import Measured, Metrics
from reasoning.serve.service import Service
from reasoning.serve.settings import ServeConfig
from reasoning.solver import version

__all__ = ["create_app"]

STATIC: Final = Path(__file__).parent / "static"
# The page loads nothing from anywhere else, and no other page may frame it.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the server lives, or takes searches."""

    status: Literal["ok"]


@router.get("/health")
async def health() -> Health:
    """The server lives."""
    return Health(status="ok")


@router.get("/ready", responses=errors.RESPONSES)
async def ready(request: Request) -> Health:
    """The server takes searches: its model is loaded, and it is not stopping."""
    service: Service = request.app.state.service
    if not service.ready:
        raise errors.ApiError(503, "the server does not take searches now", code="not_ready")
    return Health(status="ok")


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(request: Request) -> Response:
    """Everything the server counts, for Prometheus."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type="text/plain; version=0.0.4")


def create_app(config: ServeConfig, engine: Engine | None = None) -> FastAPI:
    """The server as an ASGI app. Its engine opens when it starts, or with the first request that needs it.

    An `engine` that is passed in is not closed. Raises UserError for settings that cannot be.
    """
    counted = Metrics()
    service = Service(config, counted, engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.start()
            yield
        finally:
            await service.close()

    # FastAPI's own pages of documentation load scripts from another host.
    app = FastAPI(
        title="stepsolver", version=version(), summary=__doc__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.config, app.state.service, app.state.metrics = config, service, counted
    errors.install(app)
    bearer = HTTPBearer(auto_error=False, description="A key of the server's")
    needs_key = [Security(bearer)] if config.api_keys else []  # told to clients; `Guard` is who checks it
    app.include_router(router)
    for part in (openai, formulation, saved):
        app.include_router(part.router, dependencies=needs_key)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=_PAGE_HEADERS)

    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Guard, config=config)
    app.add_middleware(Measured, metrics=counted)  # the outermost, so that it counts refusals too
    return app
