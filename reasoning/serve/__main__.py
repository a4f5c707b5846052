"""python -m reasoning.serve: an OpenAI-compatible server whose answers are searched for."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from data.errors import UserError
from reasoning.cli import Parser, key_value, run_command
from reasoning.config import read_recipe
from reasoning.models import CATALOGUE
from reasoning.runs import runs_root
from reasoning.serve.settings import ServeConfig

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["main"]

# Seconds that a connection stays open between two requests: longer than clients keep theirs. Whoever closes first must
# be the client, as it does not ask again where the server closed just when a request was on its way.
_KEEP_ALIVE: Final = 75
_BACKLOG: Final = 2048  # connections that wait to be accepted, as many as uvicorn lets
_GRACE: Final = 5.0  # seconds that clients have, after the searches' end, to take in what they were told


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; 0 after a graceful end, 2 for a mistake."""
    return run_command(lambda: _serve(sys.argv[1:] if argv is None else list(argv)))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m reasoning.serve",
        description="Serve step-level search behind OpenAI's API, with a page at /.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("--host", help="address to listen at (default: 127.0.0.1; any other needs a key)")
    add("--port", type=int, help="port to listen at; 0 takes a free one (default: 8123)")
    add("--runs", metavar="DIR", help="folder of saved runs (default: $STEPSOLVER_RUNS, or runs where it exists)")

    policy = parser.add_argument_group("policy and presets")
    add = policy.add_argument
    add(
        "--policy",
        metavar="MODEL",
        help=f"{', '.join(CATALOGUE)}, a folder, a GGUF file, a hub name, NAME@http://host:port/v1, or toy "
        "(default: the best that this machine holds)",
    )
    add("--adapter", metavar="FOLDER", help="a LoRA adapter, or none (default: the one shipped for the model)")
    add("--backend", help="vllm or transformers (default: vLLM where installed)")
    add("--engine", action="append", metavar="KEY=VALUE", help="an engine option, passed through; may be repeated")
    add("--reward", help="the process reward of presets that name none (default: auto)")
    add("--recipe", nargs="+", action="extend", metavar="FILE.yaml", dest="recipes", help="recipes to offer as models")
    add(
        "--task",
        nargs="+",
        action="extend",
        metavar="NAME",
        dest="tasks",
        help="tasks to offer beside the built-in ones",
    )

    reading = parser.add_argument_group("descriptions of decisions")
    add = reading.add_argument
    add(
        "--reader",
        metavar="NAME@URL",
        help="a chat model behind a server that reads them beside the rules (default: the rules alone)",
    )
    add(
        "--reader-engine",
        action="append",
        metavar="KEY=VALUE",
        help="an engine option of the reader, passed through; may be repeated",
    )

    limits = parser.add_argument_group("limits")
    add = limits.add_argument
    add(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="keys that let a client in, one a line; also $STEPSOLVER_API_KEY",
    )
    add("--max-running", type=int, metavar="N", help="searches at the same time (default: 64)")
    add("--max-queued", type=int, metavar="N", help="searches that may wait; more get 429 (default: 256)")
    add("--max-tokens-per-request", type=int, metavar="N", help="tokens that one request may generate (default: 65536)")
    add("--max-body-bytes", type=int, metavar="N", help="size of a request (default: 1048576)")
    add(
        "--client-timeout", type=float, metavar="S", help="seconds to send a request or take in an answer (default: 30)"
    )
    add("--shutdown-timeout", type=float, metavar="S", help="seconds for running searches at the end (default: 30)")
    return parser


def _serve(argv: list[str]) -> int:
    try:
        import fastapi
        import prometheus_client
        import uvicorn

        del fastapi, prometheus_client, uvicorn
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install 'stepsolver[serve]'") from None
    config = _config(vars(_parser().parse_args(argv)))
    listening = _bound(config)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        _check_not_itself(config, port)
        from reasoning.serve.app import create_app

        return asyncio.run(_run(create_app(config), config, listening))


def _config(given: dict[str, Any]) -> ServeConfig:
    from reasoning.serve.limits import read_keys

    keys = read_keys(given.pop("api_key_file", None), os.environ.get("STEPSOLVER_API_KEY"))
    given["engine"] = dict(key_value("--engine", text) for text in given.get("engine", []))
    options = dict(key_value("--reader-engine", text) for text in given.get("reader_engine", []))
    # Descriptions are read in folders of their own, where a relative path leads nowhere.
    given["reader_engine"] = {k: str(path.resolve()) if (path := Path(v)).exists() else v for k, v in options.items()}
    if "reader" in given and not _is_server(given["reader"]):
        # A description is read in a process that may be killed, and a model that takes minutes to start is none of it.
        raise UserError(
            f"--reader {given['reader']}: name a model behind a server, NAME@http://host:port/v1 "
            "(python -m vllm.entrypoints.openai.api_server --model NAME starts one)"
        )
    given["recipes"] = tuple(Path(path) for path in given.get("recipes", []))
    given["tasks"] = tuple(given.get("tasks", []))
    runs = runs_root(given.pop("runs", None)) if "runs" in given else None
    if runs is not None and not runs.is_dir():
        raise UserError(f"--runs {runs}: there is no such folder")
    if runs is None and runs_root().is_dir():
        runs = runs_root()
    try:
        config = ServeConfig(**given, runs=runs, api_keys=keys)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + str(first["loc"][0]).replace("_", "-")
        raise UserError(f"{flag} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}") from None
    if _loopback(config.host):
        # A name of another host in a request's Host header is a web page that had its name turned to this address.
        return config if keys else config.model_copy(update={"hosts": ("127.0.0.1", "localhost", "[::1]", config.host)})
    if not keys:
        raise UserError(
            f"--host {config.host} lets others in: give --api-key-file FILE or set STEPSOLVER_API_KEY, or leave it out"
        )
    return config


def _is_server(model: str) -> bool:
    from reasoning.engine.models import resolve

    try:
        return resolve(model).kind == "server"
    except UserError:
        return False


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(config: ServeConfig) -> socket.socket:
    """The socket to listen on: a port that is taken is found before a model is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen at {config.host}:{config.port} ({error.strerror or error}): choose another --port or --host"
        ) from None
    return found


def _check_not_itself(config: ServeConfig, port: int) -> None:
    """Refuse a policy or a judge behind this server's own address: each request would wait for another one."""
    named = [("--policy", config.policy), ("--reader", config.reader)]
    for path in config.recipes:
        settings = read_recipe(path)
        named += [(f"--recipe {path}", settings.get(key)) for key in ("policy", "reward_policy", "reward-policy")]
    for flag, model in named:
        url = str(model or "").partition("@")[2]
        if url and _is_here(url, config.host, port):
            raise UserError(f"{flag} {model} is this server itself: name the address of a model server")


def _is_here(url: str, host: str, port: int) -> bool:
    parts = urlsplit(url)
    try:
        theirs = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # no port at all: opening the engine says so
        return False
    if theirs != port or not parts.hostname:
        return False
    ours = _addresses(host)
    everywhere = any(ip_address(address).is_unspecified for address in ours)
    return any(
        _is_local(address) if everywhere or ip_address(address).is_unspecified else address in ours
        for address in _addresses(parts.hostname)
    )


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


def _is_local(address: str) -> bool:
    """Whether the address is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


async def _run(app: FastAPI, config: ServeConfig, listening: socket.socket) -> int:
    import uvicorn

    from reasoning.serve.service import Service

    service: Service = app.state.service

    class Server(uvicorn.Server):
        """Ends searches before connections, and leaves signals to this module."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            draining = asyncio.create_task(service.drain(config.shutdown_timeout))
            await super().shutdown(sockets)
            await draining

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            handled = (signal.SIGINT, signal.SIGTERM)
            for number in handled:
                loop.add_signal_handler(number, self.handle_exit, number, None)
            try:
                yield
            finally:
                for number in handled:
                    loop.remove_signal_handler(number)

    try:
        print(f"starting {service.policy} ...", file=sys.stderr)
        await service.start()  # here a model that does not start is one line
        server = Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=int(config.shutdown_timeout + _GRACE),
            )
        )
        listening.listen(_BACKLOG)  # before the line is out: who reads it may connect at once
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(
            f"{len(service.presets)} models of {service.policy} at http://{shown}:{port}", file=sys.stderr, flush=True
        )
        await server.serve(sockets=[listening])
    finally:
        await service.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
