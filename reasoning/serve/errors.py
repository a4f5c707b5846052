"""Errors as the OpenAI API tells them: {"error": {"message", "type", "param", "code"}}, whatever went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from data.errors import UserError, one_line

__all__ = ["RESPONSES", "ApiError", "ErrorBody", "ErrorDetail", "error_response", "install"]

_LONGEST: Final = 500  # characters of a message, which may quote what was sent
_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class ErrorDetail(BaseModel):
    """What went wrong: one line that says what to change, and the field of the request that it is about."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be served as it is"},
    "5XX": {"model": ErrorBody, "description": "The server could not serve the request"},
}
"""For `APIRouter(responses=RESPONSES)`: the schema then says how errors look, in place of FastAPI's 422."""


class ApiError(Exception):
    """A request that is answered with `status` and one line. `type` follows from the status where none is given."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.type = type or error_type(status)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error as JSON values, for an answer or for the last event of a stream."""
        message = _line(self.message)
        return {"error": {"message": message, "type": self.type, "param": self.param, "code": self.code}}


def error_type(status: int) -> str:
    """The `type` of an error with this HTTP status."""
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def error_response(error: ApiError) -> Response:
    """The HTTP answer to an error."""
    # ASCII: a message may quote a lone surrogate, which is no UTF-8.
    content = json.dumps(error.body()).encode("ascii")
    return Response(content, error.status, headers=error.headers, media_type="application/json")


def install(app: FastAPI) -> None:
    """Answer in this form to ApiError, UserError (400), an invalid request (400), 404, 405 and what nobody caught."""

    @app.exception_handler(ApiError)
    async def _api(request: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(UserError)
    async def _user(request: Request, error: UserError) -> Response:
        return error_response(ApiError(400, one_line(error)))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return error_response(from_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        message = str(error.detail)
        if error.status_code == 404 and message == "Not Found":
            message = f"there is nothing at {request.url.path}"
        elif error.status_code == 405:
            message = f"{request.url.path} does not take {request.method}"
        return error_response(ApiError(error.status_code, message, headers=error.headers))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        # The log has the traceback; the client gets nothing of the server's insides.
        return error_response(ApiError(500, "the server failed to serve this request"))


def from_validation(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """The first of pydantic's errors, as a 400 that names its field; a location starts with body, query or path."""
    first = errors[0]
    place, *names = first["loc"]
    if first["type"] == "json_invalid":
        return ApiError(400, f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    param = ".".join(str(name) for name in names) or None
    # What a record's own validator says is written for the user; pydantic puts a prefix before it.
    message = str(first["msg"]).removeprefix("Value error, ")
    if param is not None:
        return ApiError(400, f"{param}: {message}", param[:_LONGEST])
    return ApiError(400, message if first["type"] == "value_error" else f"send a JSON object in the {place}")


def _line(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
