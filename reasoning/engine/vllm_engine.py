"""vLLM in this machine's own processes: the engine that searches run on, on CPUs and GPUs."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import gc
import json
import logging
import math
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

from data.errors import UserError, one_line
from reasoning.engine.base import Capabilities, Completion, EngineError, PromptTooLong, Sampling
from reasoning.engine.flops import size_of_folder
from reasoning.engine.forms import computed
from reasoning.engine.tokenizer import HFTokenizer
from search.types import Cancelled, Usage

__all__ = ["VllmEngine", "open_vllm"]

MAX_TOKEN_IDS = 128  # vLLM's own limit for logprob_token_ids
CPU_MAX_CONTEXT = 4096  # a longer context only makes vLLM reserve more on a CPU; `max_model_len` raises it
GIB = 1 << 30
# The last line of a traceback, alone or after a log record's prefix.
_EXCEPTION = re.compile(r"(?:^|[ \])])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)): +(\S.*)$", re.MULTILINE)
CLOSED = "this engine is closed: open a new one"


async def open_vllm(
    model: str,
    *,
    name: str | None = None,
    adapter: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> VllmEngine:
    """Start vLLM on `model` (a local folder or hub name), on the GPU where there is one and on the CPU otherwise.

    `adapter` is a LoRA folder, for GPUs; on a CPU run-time LoRA is slow, so merge it into the model first. `options`
    are vLLM engine arguments as text (`max_num_seqs=32`, `enforce_eager=true`, JSON for lists and objects) and win
    over the defaults chosen here. Environment variables that vLLM reads win where they are already set.

    Raises UserError for an unknown or malformed option, EngineError with the root cause where vLLM does not start.
    Takes half a minute on a CPU; when cancelled, nothing is left running.
    """
    log = None if any(key in os.environ for key in ("VLLM_LOGGING_LEVEL", "VLLM_LOGGING_CONFIG_PATH")) else _new_log()
    _set_environment(quiet=log is not None)
    try:
        tokenizer = HFTokenizer(model)
        llm = await _start(model, adapter, dict(options or {}), log)
    except BaseException as error:
        if log is not None and str(log) not in str(error):
            log.unlink(missing_ok=True)
        raise
    return VllmEngine(llm, tokenizer, name=name or Path(model).name, adapter=adapter, log=log)


class VllmEngine:
    """One running vLLM engine (see `reasoning.engine.base.Engine`); made by `open_vllm`, lives on one asyncio loop."""

    def __init__(self, llm: Any, tokenizer: HFTokenizer, *, name: str, adapter: Path | None, log: Path | None) -> None:
        from vllm.platforms import current_platform

        self.name = name
        self.device: str = current_platform.device_type
        self.capabilities = Capabilities(adapters=not current_platform.is_cpu(), watch=True, grammar=True)
        self.tokenizer = tokenizer
        self.max_context: int = llm.model_config.max_model_len
        self.size = size_of_folder(llm.model_config.model)
        self._llm: Any = llm
        self._log = log
        self._request_ids = count()
        self._lora = _lora_request(adapter)
        self._running: set[str] = set()
        self._stop_ids: dict[str, list[int]] = {}
        self._closed = False

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        """Sample one completion of `prompt_ids`."""
        room = self._room(prompt_ids, 1)
        if sampling.max_tokens < 1:
            raise EngineError(f"max_tokens is {sampling.max_tokens}: ask for at least one token")
        output = await self._run(
            prompt_ids,
            max_tokens=min(sampling.max_tokens, room),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            # vLLM reads -1 as "no seed" and carries 64 bits.
            seed=None if sampling.seed is None else sampling.seed & (2**63 - 1),
            # vLLM takes one or the other; either way the sampled token's own value comes first.
            logprobs=0 if sampling.logprobs and not sampling.watch else None,
            logprob_token_ids=list(sampling.watch) or None,
            structured_outputs=_structured(sampling.grammar),
            **self._stop_params(sampling.stop),
        )
        result = output.outputs[0]
        ids = tuple(result.token_ids)
        finish: Literal["stop", "eos", "length"] = "eos" if ids and ids[-1] in self.tokenizer.eos_ids else "stop"
        return Completion(
            ids=ids,
            text=self.tokenizer.decode(ids),
            logprobs=_first_of_each(result.logprobs) if sampling.logprobs else None,
            finish="length" if result.finish_reason == "length" else finish,
            usage=_usage(output),
            watched=_rest_of_each(result.logprobs, len(sampling.watch)) if sampling.watch else None,
        )

    async def next_token_logprobs(
        self, prompt_ids: Sequence[int], token_ids: Sequence[int]
    ) -> tuple[list[float], Usage]:
        """Raw log-softmax of each of `token_ids` (at most 128) as the token after `prompt_ids`, and the cost."""
        self._room(prompt_ids, 1)
        if not 1 <= len(token_ids) <= MAX_TOKEN_IDS:
            raise EngineError(f"{len(token_ids)} token ids to look up: ask for 1 to {MAX_TOKEN_IDS} at once")
        output = await self._run(
            prompt_ids, max_tokens=1, temperature=0.0, logprob_token_ids=list(token_ids), detokenize=False
        )
        # The sampled token comes first, then the named ones in order.
        return output.outputs[0].logprobs.logprobs[1 : 1 + len(token_ids)], _usage(output)

    async def score(self, prompt_ids: Sequence[int], continuation_ids: Sequence[int]) -> tuple[list[float], Usage]:
        """Raw log-softmax of every continuation token given all tokens before it, and the cost.

        vLLM computes the whole sequence anew, without the prefix cache, and samples one more token, which is counted.
        """
        self._room(prompt_ids, len(continuation_ids) + 1)
        if not continuation_ids:
            return [], Usage()
        output = await self._run(
            [*prompt_ids, *continuation_ids], max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False
        )
        return list(_first_of_each(output.prompt_logprobs)[-len(continuation_ids) :]), _usage(output)

    async def close(self) -> None:
        """Stop vLLM's processes and free the model. May be called twice."""
        if self._closed:
            return
        self._closed = True
        llm, self._llm = self._llm, None
        await llm.abort(list(self._running))  # their callers get an error instead of waiting for ever
        await asyncio.to_thread(llm.shutdown, 20.0)  # seconds until it is killed
        await asyncio.sleep(0)  # lets the tasks that shutdown cancelled end on this loop
        del llm
        gc.collect()  # AsyncLLM sits in reference cycles, and complains when it is only collected at exit
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    def _room(self, prompt_ids: Sequence[int], needed: int) -> int:
        """New tokens that fit after the prompt; at least `needed`, or PromptTooLong."""
        if not prompt_ids:
            raise EngineError("the prompt is empty: send at least one token")
        room = self.max_context - len(prompt_ids)
        if room < needed:
            raise PromptTooLong(
                f"a prompt of {len(prompt_ids)} tokens and {needed} more do not fit the context of {self.max_context}: "
                "shorten it, or raise max_model_len"
            )
        return room

    def _stop_params(self, stop: tuple[str, ...]) -> dict[str, Any]:
        """How vLLM is told to stop.

        A single ASCII character is always inside one token, so the scheduler itself can stop at the tokens that hold
        it: no text is made per token, and no step is wasted until the front end has seen the text. (Not a space:
        some tokenizers only make it when they join tokens.)
        """
        if all(len(text) == 1 and text.isascii() and text != " " for text in stop):
            for text in stop:
                if text not in self._stop_ids:
                    self._stop_ids[text] = self.tokenizer.ids_containing(text)
            return {"stop_token_ids": [i for text in stop for i in self._stop_ids[text]], "detokenize": False}
        return {"stop": list(stop), "include_stop_str_in_output": True}

    async def _run(self, prompt_ids: Sequence[int], **params: Any) -> Any:
        """One request's final RequestOutput.

        Only final outputs are asked for, so a token costs no task switch here. When cancelled, vLLM's abort puts what
        was sampled so far into the same collector, and that is what was spent.
        """
        if self._closed:
            raise EngineError(CLOSED)
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        llm, request_id = self._llm, str(next(self._request_ids))
        self._running.add(request_id)
        collector = None
        try:
            collector = await llm.add_request(
                request_id,
                tokens_input(list(prompt_ids)),
                SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, flat_logprobs=True, skip_clone=True, **params),
                lora_request=self._lora,
            )
            output = await collector.get()
        except asyncio.CancelledError:
            await llm.abort(request_id)
            output = None if collector is None else collector.get_nowait()
            raise Cancelled(Usage(prompt=len(prompt_ids)) if output is None else _usage(output)) from None
        except (VLLMClientError, ValueError) as error:
            raise EngineError(f"vLLM refused the request: {one_line(error)}") from None
        except EngineDeadError:
            raise EngineError(f"vLLM died: {_root_cause(self._log) or 'its processes are gone'}") from None
        finally:
            self._running.discard(request_id)
        if output.outputs[0].finish_reason == "abort":
            raise EngineError(CLOSED if self._closed else "vLLM was stopped from outside: open the engine again")
        return output


# ---- what vLLM reports ---------------------------------------------------------------------------------------------


def _first_of_each(logprobs: Any) -> tuple[float, ...]:
    """The actual token's value at each position of a vLLM FlatLogprobs; nan where vLLM gives none (the first token)."""
    values = logprobs.logprobs
    return tuple(
        values[start] if start < end else math.nan
        for start, end in zip(logprobs.start_indices, logprobs.end_indices, strict=True)
    )


def _rest_of_each(logprobs: Any, count: int) -> tuple[tuple[float, ...], ...]:
    """The `count` named tokens' values at each position, which follow the actual token's."""
    values = logprobs.logprobs
    return tuple(tuple(values[start + 1 : start + 1 + count]) for start in logprobs.start_indices)


def _structured(grammar: str) -> Any:
    """How vLLM is told of a grammar."""
    if not grammar:
        return None
    from vllm.sampling_params import StructuredOutputsParams

    return StructuredOutputsParams(grammar=grammar)


def _usage(output: Any) -> Usage:
    return Usage(len(output.prompt_token_ids), output.num_cached_tokens or 0, len(output.outputs[0].token_ids))


# ---- starting ------------------------------------------------------------------------------------------------------


def _set_environment(*, quiet: bool) -> None:
    """Settings that vLLM reads from the environment, before it is imported; what is already set stays."""
    defaults = {
        # Spawned processes are set up by _ChildSetup; forked ones would not be, and forking with threads is unsafe.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if quiet:
        # Without handlers of vLLM's own, its processes write warnings and worse to their standard error: our log.
        # Here the same news arrives as exceptions.
        defaults["VLLM_CONFIGURE_LOGGING"] = "0"
        logging.getLogger("vllm").setLevel(logging.CRITICAL)
    for key, value in defaults.items():
        os.environ.setdefault(key, value)


async def _start(model: str, adapter: Path | None, options: dict[str, str], log: Path | None) -> Any:
    """Build AsyncLLM in a thread, so that the loop stays alive and Ctrl-C takes effect at once."""
    before = set(multiprocessing.active_children())
    building = asyncio.ensure_future(asyncio.to_thread(_build, model, adapter, options, log))
    try:
        llm = (await asyncio.shield(building)).pop()
    except asyncio.CancelledError:
        # vLLM's constructor ends, and cleans up, as soon as it sees its processes gone.
        while not building.done():
            for process in set(multiprocessing.active_children()) - before:
                if process.name.startswith("EngineCore"):
                    process.kill()
            await asyncio.wait([building], timeout=0.1)
        if building.exception() is None:
            building.result().pop().shutdown()
        raise
    # This loop now listens to vLLM's processes: a request that waits when they die gets to know.
    await llm.get_supported_tasks()
    return llm


def _build(model: str, adapter: Path | None, options: dict[str, str], log: Path | None) -> list[Any]:
    """AsyncLLM, in a list that the caller empties: tracebacks kept in vLLM keep this thread's frames alive."""
    try:
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError as error:
        raise EngineError(f"vLLM cannot be imported ({one_line(error)}): install the cpu or cuda extra") from error
    if adapter is not None and current_platform.is_cpu():
        raise EngineError("vLLM runs adapters on GPUs only: merge the adapter into the model first")
    arguments: dict[str, Any] = {"model": model, "seed": 0, "enable_prefix_caching": True, "disable_log_stats": True}
    try:
        chosen = _parse_options(options, AsyncEngineArgs)
        if current_platform.is_cpu():
            arguments |= _cpu_arguments(model, chosen)
        if adapter is not None:
            arguments |= _lora_arguments(adapter)
        arguments |= chosen
        with _spawning(log, _cpu_environment(eager=arguments["enforce_eager"]) if current_platform.is_cpu() else {}):
            return [AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))]
    except (EngineError, UserError):
        raise
    except Exception as error:
        raise EngineError(f"vLLM did not start on {model}: {_root_cause(log) or _message(error)}") from error


def _cpu_environment(*, eager: bool) -> dict[str, str]:
    """Settings for vLLM's own processes on a CPU; what is already set stays."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = {"OMP_NUM_THREADS": str(cores)}  # unset, vLLM would try to serve with one thread
    if eager:
        # The sampler's few small functions are compiled even so: a stall of up to a minute at the first requests, for
        # no measurable gain.
        settings["TORCH_COMPILE_DISABLE"] = "1"
    return {key: value for key, value in settings.items() if key not in os.environ}


def _cpu_arguments(model: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    from transformers import AutoConfig
    from vllm.v1.executor.uniproc_executor import UniProcExecutor

    config = AutoConfig.from_pretrained(model)
    longest = getattr(config.get_text_config(), "max_position_embeddings", CPU_MAX_CONTEXT)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    context = chosen.get("max_model_len")
    context = context if isinstance(context, int) and context > 0 else min(longest, CPU_MAX_CONTEXT)
    arguments = {
        "dtype": computed(Path(model), config),
        "enforce_eager": True,  # compiling takes minutes
        "block_size": 32,  # prefixes are shared by whole blocks: vLLM's 128 is longer than many questions
        "max_num_seqs": 64,
        "max_model_len": context,
        # vLLM 0.32 dies on a CPU ("CPU Generator does not use offset") when a prompt of a request with a seed is
        # computed in two parts; a step that is large enough for any prompt never splits one.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(context, CPU_MAX_CONTEXT),
        "kv_cache_memory_bytes": min(max(memory // 8, GIB), 8 * GIB),
    }
    if not any(key.endswith("_parallel_size") for key in chosen):
        # The model then runs inside vLLM's engine process. Named "uni", vLLM would still start a worker process for
        # it, which binds its threads to cores but costs a hop at every step: a sixth of the speed on two cores.
        arguments["distributed_executor_backend"] = UniProcExecutor
    return arguments


def _lora_arguments(adapter: Path) -> dict[str, Any]:
    from vllm.config.lora import MaxLoRARanks

    try:
        rank = int(json.loads((adapter / "adapter_config.json").read_text())["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{adapter} is not a LoRA adapter folder: {one_line(error)}") from error
    ranks = [allowed for allowed in get_args(MaxLoRARanks) if allowed >= rank]
    if not ranks:
        raise EngineError(f"the adapter's rank {rank} is above what vLLM serves: merge it into the model first")
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": min(ranks)}


def _lora_request(adapter: Path | None) -> Any:
    if adapter is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(adapter.name, 1, str(adapter))


def _parse_options(options: Mapping[str, str], arguments: type) -> dict[str, Any]:
    """Values of vLLM engine arguments given as text: JSON (also True, False, None), and plain text otherwise."""
    fields = {field.name: field.type for field in dataclasses.fields(arguments)}
    parsed: dict[str, Any] = {}
    for key, text in options.items():
        key = key.replace("-", "_")
        if key == "model":
            raise UserError("the engine option model is taken: name the model with --policy")
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            raise UserError(f"vLLM has no engine option {key}" + (f": did you mean {near[0]}?" if near else ""))
        if fields[key] in (str, str | None):
            parsed[key] = text
            continue
        try:
            parsed[key] = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
        except ValueError:
            if text[:1] in "[{":
                raise UserError(f"the engine option {key} is not valid JSON: {text}") from None
            parsed[key] = text
    return parsed


def _message(error: Exception) -> str:
    """One line of an exception; of a pydantic error, what is wrong rather than how many things are."""
    if callable(details := getattr(error, "errors", None)):
        first = details()[0]
        return one_line(ValueError(": ".join([*map(str, first["loc"][:1]), first["msg"]])))
    return f"{type(error).__name__}: {one_line(error)}"


# ---- vLLM's processes ----------------------------------------------------------------------------------------------


@contextmanager
def _spawning(log: Path | None, environment: Mapping[str, str]) -> Iterator[None]:
    """While vLLM starts its processes from this thread: have `_ChildSetup` set them up.

    Also keep multiprocessing from importing the main module into them, which need nothing from it: a user's script
    then needs no `if __name__ == "__main__"` guard, and a command's own imports do not slow the start.
    """
    # multiprocessing hands this dict to every process it starts, and it is the first thing unpickled there.
    config: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
    key = f"stepsolver-{threading.get_ident()}"
    config[key] = _ChildSetup(log, environment, threading.get_ident())
    main = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main.pop(name) for name in ("__spec__", "__file__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(kept)
        del config[key]


class _ChildSetup:
    """Sets up the processes that `thread` (None: any thread) starts, by running `_enter_child` when unpickled there.

    vLLM's processes do not notice that this one is killed, and write warnings and tracebacks to its terminal.
    """

    def __init__(self, log: Path | None, environment: Mapping[str, str], thread: int | None = None) -> None:
        self.log, self.environment, self.thread = log, environment, thread

    def __reduce__(self) -> tuple[Any, ...]:
        if self.thread not in (None, threading.get_ident()):
            return type(None), ()
        return _enter_child, (os.getpid(), self.log, self.environment)


def _enter_child(parent: int, log: Path | None, environment: Mapping[str, str]) -> _ChildSetup:
    """In a new process, before anything is imported: end when `parent` ends, write to `log`, read `environment`.

    Ctrl-C reaches every process of the terminal's group; here it is blocked, because `parent` closes its engine.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(environment)
    threading.Thread(target=_die_with, args=(parent, log), name="die-with-parent", daemon=True).start()
    if log is not None:
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
    return _ChildSetup(log, environment)


def _die_with(parent: int, log: Path | None) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    if log is not None:
        log.unlink(missing_ok=True)
    os.kill(os.getpid(), signal.SIGTERM)  # vLLM then frees what outlives processes, such as semaphores
    time.sleep(5)
    os._exit(1)


def _new_log() -> Path:
    file, path = tempfile.mkstemp(prefix="stepsolver-vllm-", suffix=".log")
    os.close(file)
    return Path(path)


def _root_cause(log: Path | None) -> str | None:
    """The first exception in the log of vLLM's processes (the later ones follow from it), and where to read on."""
    if log is None:
        return None
    found = _EXCEPTION.search(log.read_text(errors="replace"))
    return None if found is None else f"{found[1].rpartition('.')[2]}: {found[2].strip()} (log: {log})"
