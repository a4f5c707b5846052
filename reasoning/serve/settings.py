"""Everything the server can be told, filled by its command line or by keyword arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ServeConfig"]

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ServeConfig(BaseModel):
    """Settings of one server.

    `policy`, `adapter`, `backend` and `engine` open the one engine, as in `reasoning.config.SolveConfig`; `reward` is
    that of the presets that name none. `recipes` are files that become presets, `tasks` the tasks that a request may
    name beside the built-in ones. `api_keys` are the keys that let a client in; without any, everybody is. `runs` is
    the folder of saved runs. `reader` is a language model behind a server, NAME@URL, that reads descriptions beside the
    rules, and `reader_engine` are its options. `hosts` are the names under which a browser may ask for the server
    (empty: all).

    At most `max_running` searches run at a time, and `max_queued` more wait. A request may generate
    `max_tokens_per_request` tokens; its body has at most `max_body_bytes`. `client_timeout` is how many seconds a
    client may take to send its request, or to take in a part of the answer; `shutdown_timeout` how many a running
    search may take to its end when the server stops.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8123

    policy: str | None = None
    adapter: str | None = None
    backend: str = "auto"
    engine: dict[str, str] = Field(default_factory=dict)
    reward: str = "auto"
    recipes: tuple[Path, ...] = ()
    tasks: tuple[str, ...] = ()
    runs: Path | None = None
    reader: str | None = None
    reader_engine: dict[str, str] = Field(default_factory=dict)

    api_keys: tuple[str, ...] = Field(default=(), repr=False)
    hosts: tuple[str, ...] = ()
    max_running: Positive = 64
    max_queued: Annotated[int, Field(ge=0)] = 256
    max_tokens_per_request: Positive = 65536
    max_body_bytes: Positive = 1 << 20
    client_timeout: Seconds = 30.0
    shutdown_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
