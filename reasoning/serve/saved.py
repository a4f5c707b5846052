"""Saved runs over HTTP: what there is, accuracy against cost, failures, and one problem's tree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath

from reasoning.serve import stored
from reasoning.serve.errors import RESPONSES, ApiError
from reasoning.serve.formulation import answer
from reasoning.serve.stored import Curves, Listing, Outcome, ProblemPage, RunDetails, WholeProblem

__all__ = ["router"]

_SECONDS: Final = 30.0
_CURVE_SECONDS: Final = 300.0  # every log of a run is folded, and every answer judged

router = APIRouter(prefix="/v1/runs", tags=["runs"], responses=RESPONSES)

Name = Annotated[str, InPath(description="a run's name, as in the list")]
Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=200)]
Index = Annotated[int, InPath(ge=0, le=10**9, description="a problem's place in the task's data")]


def _root(request: Request) -> Path:
    """The folder of runs. Raises ApiError where the server shows none."""
    root: Path | None = request.app.state.config.runs
    if root is None:
        raise ApiError(404, "this server shows no saved runs: start it with --runs FOLDER")
    return root.absolute()


@router.get("", response_model=Listing)
async def runs(request: Request, offset: Offset = 0, limit: Limit = 50) -> Response:
    """Saved runs by name, and those that cannot be read."""
    return await answer(request, stored.listing, _root(request), offset, limit, seconds=_SECONDS)


@router.get("/{name}", response_model=RunDetails)
async def run(request: Request, name: Name) -> Response:
    """A run's configuration and totals."""
    return await answer(request, stored.run, _root(request), name, seconds=_SECONDS)


@router.get("/{name}/problems", response_model=ProblemPage)
async def problems(
    request: Request, name: Name, offset: Offset = 0, limit: Limit = 50, outcome: Outcome | None = None
) -> Response:
    """A run's problems by index, all or those of one outcome."""
    return await answer(request, stored.problems, _root(request), name, offset, limit, outcome, seconds=_SECONDS)


@router.get("/{name}/problems/{index}", response_model=WholeProblem)
async def problem(request: Request, name: Name, index: Index) -> Response:
    """A problem's result and its search tree, rebuilt from the stored log."""
    return await answer(request, stored.problem, _root(request), name, index, seconds=_SECONDS)


@router.get("/{name}/curve", response_model=Curves)
async def curve(request: Request, name: Name) -> Response:
    """A run's accuracy at every smaller budget per problem."""
    return await answer(request, stored.curve, _root(request), name, seconds=_CURVE_SECONDS)
