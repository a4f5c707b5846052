"""Requests and answers of the OpenAI endpoints. What a request holds is honoured or refused, never ignored."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core.core_schema import CoreSchema, no_info_plain_validator_function

__all__ = [
    "MAX_SAMPLES",
    "Alternative",
    "ChatCompletion",
    "ChatRequest",
    "Completion",
    "CompletionRequest",
    "Message",
    "Model",
    "ModelList",
    "ModelOptions",
    "Options",
    "SearchResult",
    "SearchUsage",
    "StepText",
]

MAX_SAMPLES: Final = 16384  # samples, simulations or steps that one request may ask of a search
MAX_CHOICES: Final = 128
MAX_STOPS: Final = 16
_MAX_SEED: Final = (1 << 63) - 1


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Only:
    """Annotates a parameter that is not supported: it takes nothing but the values that change nothing."""

    def __init__(self, *allowed: Any) -> None:
        self.allowed = allowed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check by value."""
        return no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The allowed values."""
        return {"enum": list(self.allowed), "description": "Not supported."}

    def _check(self, value: Any) -> Any:
        for one in self.allowed:
            if value == one and isinstance(value, bool) == isinstance(one, bool):
                return value
        raise ValueError("this server does not support it: leave it out")


def _encodable(text: str) -> str:
    """JSON can spell half of a character, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds a lone surrogate, which is no character") from None
    return text


# ---- requests --------------------------------------------------------------------------------------------------------

Count = Annotated[int, Field(ge=1, le=MAX_SAMPLES)]
Tokens = Annotated[int, Field(ge=1, le=1 << 31)]
Seed = Annotated[int, Field(ge=0, le=_MAX_SEED)]
Text = Annotated[str, AfterValidator(_encodable)]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
Stop = Annotated[Text, Field(min_length=1, max_length=200)]
Parameter = (
    bool | Annotated[int, Field(ge=-MAX_SAMPLES, le=MAX_SAMPLES)] | float | Annotated[str, Field(max_length=200)]
)


class Options(_Request):
    """How this request is searched; what is left out is as in the model's preset.

    `task` selects grammar and answer extraction; without one (and none in the preset) paragraphs are steps and the
    best-scored text wins. With `events` a streamed answer shows the tree as it grows. The others are those of
    `python -m reasoning.solve`: `n` samples, `beam_width`, `expand` and so on; `param` holds any parameter of the
    method.
    """

    task: Name | None = None
    method: Name | None = None
    seed: Seed | None = None
    n: Count | None = None
    beam_width: Count | None = None
    expand: Count | None = None
    iterations: Count | None = None
    max_depth: Count | None = None
    vote: Name | None = None
    aggregate: Name | None = None
    c_puct: Annotated[float, Field(ge=0, le=1e6)] | None = None
    parallel: Count | None = None
    param: Annotated[dict[Name, Parameter], Field(max_length=32)] = Field(default_factory=dict)
    max_tokens_per_problem: Tokens | None = None
    events: bool = False


class StreamOptions(_Request):
    """`include_usage` asks for a last chunk with the tokens spent."""

    include_usage: bool = False
    include_obfuscation: Annotated[Any, Only(None, False)] = None


class TextPart(_Request):
    """A part of a message; text is the only kind there is."""

    type: Literal["text"]
    text: Text


class Message(_Request):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=1000)]

    @property
    def text(self) -> str:
        """The message as one text."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class SearchRequest(_Request):
    """What chat and plain completions have in common.

    `n` asks for the n best distinct answers, of which there may be fewer. `max_tokens` bounds one solution;
    the tokens of the whole search are bounded by `stepsolver.max_tokens_per_problem`. Without a `seed` each request
    has one of its own, which the answer tells.
    """

    model: Annotated[str, Field(max_length=300)]
    stepsolver: Options = Field(default_factory=Options)
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Tokens | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None = None
    seed: Seed | None = None
    user: Annotated[str, Field(max_length=512)] | None = None

    presence_penalty: Annotated[Any, Only(None, 0)] = None
    frequency_penalty: Annotated[Any, Only(None, 0)] = None
    logit_bias: Annotated[Any, Only(None, {})] = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts, each once."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(dict.fromkeys(given))


class ChatRequest(SearchRequest):
    """A conversation to be answered."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    max_completion_tokens: Tokens | None = None
    response_format: Annotated[Any, Only(None, {"type": "text"})] = None
    logprobs: Annotated[Any, Only(None, False)] = None
    top_logprobs: Annotated[Any, Only(None, 0)] = None
    tools: Annotated[Any, Only(None, [])] = None
    tool_choice: Annotated[Any, Only(None, "none")] = None
    functions: Annotated[Any, Only(None, [])] = None
    function_call: Annotated[Any, Only(None, "none")] = None
    modalities: Annotated[Any, Only(None, ["text"])] = None
    store: Annotated[Any, Only(None, False)] = None


class CompletionRequest(SearchRequest):
    """A text to be continued, or with a task a question to be answered."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1)]
    echo: Annotated[Any, Only(None, False)] = None
    suffix: Annotated[Any, Only(None)] = None
    best_of: Annotated[Any, Only(None, 1)] = None
    logprobs: Annotated[Any, Only(None)] = None


# ---- answers ---------------------------------------------------------------------------------------------------------


class StepText(BaseModel):
    """One step of the chosen solution, and the process reward it got (in [0, 1])."""

    text: str
    value: float | None


class Alternative(BaseModel):
    """One of the distinct answers, best first: its rank score and how many samples gave it."""

    answer: str
    score: float
    votes: int


class SearchUsage(BaseModel):
    """Tokens of the whole search: the policy's, and what rewards computed. None where the engine does not say."""

    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    reward_tokens: int | None
    computed_tokens: int | None
    flops: float | None


class SearchResult(BaseModel):
    """What the search came to; `failed` says why there is no answer where there is none."""

    task: str | None
    method: str
    seed: int
    answer: str | None
    score: float | None
    failed: str | None
    steps: list[StepText]
    alternatives: list[Alternative]
    nodes: int
    usage: SearchUsage
    seconds: float


class PromptTokensDetails(BaseModel):
    """How many of the prompt's tokens came from the prefix cache; None where the engine does not say."""

    cached_tokens: int | None


class Usage(BaseModel):
    """Every token of the search, those of rewards included."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


FinishReason = Literal["stop", "length"]


class AnswerMessage(BaseModel):
    """The answer in a conversation."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """One of the answers asked for, best first."""

    index: int
    message: AnswerMessage
    finish_reason: FinishReason
    logprobs: None = None


class ChatCompletion(BaseModel):
    """The answer to a conversation."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    stepsolver: SearchResult


class CompletionChoice(BaseModel):
    """One of the continuations asked for, best first."""

    index: int
    text: str
    finish_reason: FinishReason
    logprobs: None = None


class Completion(BaseModel):
    """The answer to a text."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    stepsolver: SearchResult


class ModelOptions(BaseModel):
    """What a model's preset does where a request changes nothing. Without a task it answers conversations."""

    task: str | None
    method: str
    params: dict[str, Any]


class Model(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["stepsolver"] = "stepsolver"
    stepsolver: ModelOptions


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class MethodInfo(BaseModel):
    """A search method, its parameters with their defaults, and what may be chosen where a parameter is a name."""

    name: str
    params: dict[str, Any]
    choices: dict[str, list[str]]


class ServerConfig(BaseModel):
    """What a page needs to know of the server."""

    version: str
    tasks: list[str]
    models: list[Model]
    methods: list[MethodInfo]
    reader: str | None
    runs: bool
    key_needed: bool
