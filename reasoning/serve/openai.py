"""/v1/models, /v1/chat/completions, /v1/completions: OpenAI's API, where every answer is the outcome of a search."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from reasoning.config import METHOD_FIELDS
from reasoning.serve.errors import RESPONSES, ApiError
from reasoning.serve.events import Choice, choices, result_of, usage_of
from reasoning.serve.presets import Preset, policy_name
from reasoning.serve.schemas import (
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    ChatRequest,
    Completion,
    CompletionChoice,
    CompletionRequest,
    MethodInfo,
    Model,
    ModelList,
    ModelOptions,
    SearchRequest,
    ServerConfig,
    StreamOptions,
)
from reasoning.serve.service import Ask, Search, Service
from reasoning.solver import Solved, version
from search.methods import METHODS, parameter_choices, parameters

__all__ = ["router"]

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["openai"], responses=RESPONSES)

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The answer"}
}
# Seconds between looks at a search: at most three events each, hence some ten a second.
_TICK, _SLOW_TICK = 0.3, 1.0


# ---- what there is ---------------------------------------------------------------------------------------------------


@router.get("/models")
async def list_models(request: Request) -> ModelList:
    """Every model: the policy with each preset."""
    service = _service(request)
    return ModelList(data=[_model(service, preset) for preset in service.presets.values()])


@router.get("/models/{model:path}")
async def retrieve_model(model: str, request: Request) -> Model:
    """One model."""
    service = _service(request)
    return _model(service, service.model(model))


@router.get("/config")
async def server_config(request: Request) -> ServerConfig:
    """What a page needs to know of the server. It is told without a key."""
    service = _service(request)
    return ServerConfig(
        version=version(),
        tasks=service.tasks,
        models=[_model(service, preset) for preset in service.presets.values()],
        methods=[_method(name) for name in METHODS],
        reader=None if service.config.reader is None else policy_name(service.config.reader),
        runs=service.config.runs is not None,
        key_needed=bool(service.config.api_keys),
    )


# ---- answers ---------------------------------------------------------------------------------------------------------


@router.post("/chat/completions", response_model=ChatCompletion, responses=_STREAMED)
async def chat_completions(body: ChatRequest, request: Request) -> Any:
    """Answer a conversation, or with a task the question that its one message is."""
    limit, other = body.max_completion_tokens, body.max_tokens
    if limit is not None and other is not None and limit != other:
        raise ApiError(400, "max_tokens is max_completion_tokens by an older name: send one of them", "max_tokens")
    ask = _ask(body, messages=tuple(body.messages), max_tokens=other if limit is None else limit)

    def whole(head: dict[str, Any], found: list[Choice]) -> ChatCompletion:
        given = [
            ChatChoice(index=i, message=AnswerMessage(content=c.text), finish_reason=_finish(c))
            for i, c in enumerate(found)
        ]
        return ChatCompletion(choices=given, **head)

    form = _Form("chatcmpl", "chat.completion.chunk", _delta, {"role": "assistant", "content": ""})
    return await _answer(request, body, ask, whole, form)


@router.post("/completions", response_model=Completion, responses=_STREAMED)
async def completions(body: CompletionRequest, request: Request) -> Any:
    """Continue a text, or with a task answer the question that it is."""
    text = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
    ask = _ask(body, text=text, max_tokens=body.max_tokens)

    def whole(head: dict[str, Any], found: list[Choice]) -> Completion:
        given = [CompletionChoice(index=i, text=c.text, finish_reason=_finish(c)) for i, c in enumerate(found)]
        return Completion(choices=given, **head)

    return await _answer(request, body, ask, whole, _Form("cmpl", "text_completion", _text, None))


async def _answer(
    request: Request, body: SearchRequest, ask: Ask, whole: Callable[[dict[str, Any], list[Choice]], Any], form: _Form
) -> Any:
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "stream_options goes with stream: leave it out, or send stream true", "stream_options")
    if body.stepsolver.events and not body.stream:
        raise ApiError(400, "events are streamed: send stream true, or leave them out", "stepsolver.events")
    service = _service(request)
    job = await service.prepare(ask)
    head = {"id": f"{form.prefix}-{secrets.token_hex(12)}", "created": int(time.time()), "model": ask.model}
    search = service.submit(job)
    if body.stream:
        return _Stream(search, _chunks(search, ask, body, head, form))
    solved = await _finished(search, request)
    found = choices(solved, ask.n, free=job.task is None)
    return whole({**head, "usage": usage_of(solved), "stepsolver": result_of(solved, job.task, job.method)}, found)


async def _finished(search: Search, request: Request) -> Solved:
    """The search's outcome. A client that leaves cancels it."""
    assert search.task is not None
    left = asyncio.create_task(_gone(request.receive))
    try:
        await asyncio.wait({search.task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not search.task.done():
            raise ApiError(499, "the client closed the connection", code="client_closed")
        return search.result()
    finally:
        left.cancel()
        await search.stop()


async def _gone(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


# ---- streams ---------------------------------------------------------------------------------------------------------


class _Form:
    """How the chunks of an endpoint look."""

    def __init__(
        self, prefix: str, kind: str, choice: Callable[[int, str], dict[str, Any]], opening: dict[str, Any] | None
    ) -> None:
        self.prefix = prefix
        self.kind = kind
        self.choice = choice
        self.opening = opening


def _delta(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text} if text else {}, "finish_reason": None}


def _text(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": None}


async def _chunks(
    search: Search, ask: Ask, body: SearchRequest, head: Mapping[str, Any], form: _Form
) -> AsyncIterator[bytes]:
    """The events of a streamed answer. What goes wrong is the last one, in place of `[DONE]`."""

    def chunk(given: list[dict[str, Any]], **more: Any) -> bytes:
        return _event({**head, "object": form.kind, "choices": given, **more})

    if form.opening is not None:
        yield chunk([{"index": 0, "delta": form.opening, "finish_reason": None}])
    nodes = body.stepsolver.events
    ended = False
    while not ended:
        ended = await search.wait(_TICK if nodes else _SLOW_TICK)
        for event in search.watch.events(nodes=nodes):
            yield chunk([form.choice(0, "")], stepsolver={"event": event})
    try:
        solved = search.result()
        found = choices(solved, ask.n, free=search.job.task is None)
        for index, one in enumerate(found):
            yield chunk([form.choice(index, one.text)])
        result = result_of(solved, search.job.task, search.job.method).model_dump()
        for index, one in enumerate(found):
            last = {"stepsolver": result} if index == len(found) - 1 else {}
            yield chunk([{**form.choice(index, ""), "finish_reason": _finish(one)}], **last)
        if (body.stream_options or StreamOptions()).include_usage:
            yield chunk([], usage=usage_of(solved).model_dump())
        yield b"data: [DONE]\n\n"
    except ApiError as error:
        yield _event(error.body())
    except Exception:
        log.exception("a streamed search failed")
        yield _event(ApiError(500, "the server failed to serve this request").body())


def _event(data: Mapping[str, Any]) -> bytes:
    # ASCII: what a model writes may hold characters that some readers of events take for the end of a line.
    return b"data: " + json.dumps(data, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n\n"


class _Stream(Response):
    """Sends the events of a search, and cancels it when the client leaves or takes nothing in."""

    media_type = "text/event-stream"

    def __init__(self, search: Search, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._search = search
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client is gone."""
        left = asyncio.create_task(_gone(receive))
        written = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait({left, written}, return_when=asyncio.FIRST_COMPLETED)
            if written.done():
                written.result()
        finally:
            # All at once: who cancels this, as a cancel scope of AnyIO does, may do so again at the next await.
            for ended in (left, written, self._search):
                ended.cancel()
            await asyncio.gather(left, written, return_exceptions=True)
            await self._search.stop()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


# ---- reading requests ------------------------------------------------------------------------------------------------


def _ask(body: SearchRequest, **what: Any) -> Ask:
    options = body.stepsolver
    if body.seed is not None and options.seed is not None and body.seed != options.seed:
        raise ApiError(400, "seed and stepsolver.seed differ: send one of them", "seed")
    names = ("method", "max_tokens_per_problem", *METHOD_FIELDS)
    changes = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    own = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "seed": body.seed if options.seed is None else options.seed,
    }
    changes |= {name: value for name, value in own.items() if value is not None}
    if options.param:
        changes["param"] = dict(options.param)
    return Ask(body.model, task=options.task, changes=changes, stop=body.stops, n=body.n or 1, **what)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _model(service: Service, preset: Preset) -> Model:
    options = ModelOptions(task=preset.task, method=preset.method, params=preset.params)
    return Model(id=f"{service.policy}/{preset.name}", created=service.created, stepsolver=options)


def _method(name: str) -> MethodInfo:
    named = {key: list(values) for key, values in parameter_choices(name).items()}
    return MethodInfo(name=name, params=parameters(name), choices=named)


def _finish(choice: Choice) -> Any:
    return "length" if choice.cut else "stop"
