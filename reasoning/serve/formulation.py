"""Formulation over HTTP: descriptions to models, and models solved, compared, explained, exported and varied."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response

from reasoning.processes import Job, Refused, Workers
from reasoning.serve import modelling
from reasoning.serve.errors import RESPONSES, ApiError
from reasoning.serve.modelling import (
    Compare,
    Compared,
    Explain,
    Explained,
    Export,
    Exported,
    Formulate,
    Formulated,
    Language,
    Solve,
    Solved,
    WhatIf,
    WhatIfSolved,
)
from reasoning.serve.settings import ServeConfig

__all__ = ["answer", "router"]

_GRACE: Final = 20.0  # seconds beside the solver's: reading, writing out rows, checking
_READING: Final = 180.0  # seconds that a language model may take to read a description
_SOLVERS: Final = 2  # processes
_READERS: Final = 6  # processes where a language model reads descriptions
_RETRY: Final = "5"  # seconds
_making = threading.Lock()
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    workers: Workers | None = getattr(app.state, "workers", None)
    if workers is not None:
        workers.close()
        del app.state.workers


router = APIRouter(prefix="/v1", tags=["formulation"], responses=RESPONSES, lifespan=_lifespan)


async def answer(request: Request, job: Job, *given: Any, seconds: float) -> Response:
    """The JSON that a job returns, worked out in one of the app's processes. Raises ApiError."""
    with _making:
        workers: Workers | None = getattr(request.app.state, "workers", None)
        if workers is None:
            # A process waits while a reader's model writes: more of them are there to calculate.
            count = _SOLVERS if request.app.state.config.reader is None else _READERS
            workers = request.app.state.workers = Workers(count=count, warm=modelling.warm)
    try:
        return Response(await workers.run(modelling.aside, job, *given, seconds=seconds), media_type="application/json")
    except Refused as error:
        headers = {"Retry-After": _RETRY} if error.status in (429, 503) else None
        raise ApiError(error.status, error.message, error.param, error.code, headers=headers) from None
    except RuntimeError as error:
        _log.error("a job broke: %s", error)
        raise ApiError(500, "the server failed to work this out") from None


@router.post("/formulate", response_model=Formulated)
async def formulate(request: Request, body: Formulate) -> Response:
    """Make a model from a description, solve it, and say what was not understood."""
    config: ServeConfig = request.app.state.config
    seconds, language = 3 * body.time_limit + _GRACE, None
    if config.reader is None and body.method == "model":
        message = "this server has no language model for descriptions: send method rules, or leave it out"
        raise ApiError(400, message, "method")
    if config.reader is not None and body.method != "rules":
        seconds, language = seconds + _READING, Language(config.reader, tuple(config.reader_engine.items()))
    return await answer(request, modelling.formulating, body, language, seconds=seconds)


@router.post("/solve", response_model=Solved)
async def solve(request: Request, body: Solve) -> Response:
    """Solve a model; where there is no solution, say which statements cannot all hold."""
    return await answer(request, modelling.solving, body, seconds=3 * body.time_limit + _GRACE)


@router.post("/compare", response_model=Compared)
async def compare(request: Request, body: Compare) -> Response:
    """Say whether two models are equivalent, with a witness where they are not."""
    return await answer(request, modelling.comparing, body, seconds=body.time_limit + _GRACE)


@router.post("/explain", response_model=Explained)
async def explain(request: Request, body: Explain) -> Response:
    """Explain a model and its result in plain language."""
    return await answer(request, modelling.explaining, body, seconds=2 * body.time_limit + _GRACE)


@router.post("/export", response_model=Exported)
async def export(request: Request, body: Export) -> Response:
    """Write a model in another form."""
    return await answer(request, modelling.exporting, body, seconds=_GRACE)


@router.post("/whatif", response_model=WhatIfSolved)
async def whatif(request: Request, body: WhatIf) -> Response:
    """Solve a model as it is and with some of its numbers changed."""
    return await answer(request, modelling.trying, body, seconds=4 * body.time_limit + _GRACE)
