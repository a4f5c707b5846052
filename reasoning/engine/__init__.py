"""The only code that touches a model runtime. `open_engine` opens one; `base.Engine` is what all of them offer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from reasoning.engine.base import Engine
    from reasoning.engine.models import ModelRef

__all__ = ["BACKENDS", "open_engine"]

BACKENDS = ("auto", "vllm", "transformers")


async def open_engine(
    policy: str | None = None,
    *,
    adapter: str | None = None,
    backend: str = "auto",
    options: Mapping[str, str] | None = None,
) -> Engine:
    """Open the engine of a `--policy` (see `reasoning.engine.models`), with an `--adapter` where one is named.

    `backend` chooses the runtime of a model on this machine: vllm, transformers, or auto (vLLM where it is
    installed). `options` go to the engine (`--engine KEY=VALUE`). An adapter runs natively on a GPU; on a CPU, where
    that is slow, it is merged into the model once. Raises UserError or EngineError in one line.
    """
    from reasoning.engine import models

    if backend not in BACKENDS:
        raise UserError(f"no engine backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    model = models.resolve(policy, adapter)
    if model.kind == "toy":
        from reasoning.engine.toy import open_toy

        return open_toy(options)
    if model.kind == "server":
        from reasoning.engine.server_engine import open_server

        assert model.url is not None
        return await open_server(model.name, model.url, options=options)
    return await _open_local(model, backend, options or {})


async def _open_local(model: ModelRef, backend: str, options: Mapping[str, str]) -> Engine:
    from reasoning.engine import models

    use_vllm = backend == "vllm" or (backend == "auto" and find_spec("vllm") is not None)
    if use_vllm and find_spec("vllm") is None:
        raise UserError("vLLM is not installed; install it (see the README) or choose the backend transformers")
    if not use_vllm and (unknown := set(options) - {"device", "dtype"}):
        raise UserError(f"the transformers engine has no option {min(unknown)!r}; it takes device and dtype")
    folder = await asyncio.to_thread(models.folder, model)
    adapter = model.adapter
    if adapter is not None:
        from reasoning.engine import adapters

        await asyncio.to_thread(adapters.check_base, folder, adapter)
        if options.get("device") == "cpu" or not _cuda():
            folder, adapter = await asyncio.to_thread(adapters.merged, folder, adapter), None
    if use_vllm:
        from reasoning.engine.vllm_engine import open_vllm

        return await open_vllm(str(folder), name=model.name, adapter=adapter, options=options)
    from reasoning.engine.transformers_engine import open_transformers

    return await asyncio.to_thread(
        open_transformers,
        str(folder),
        name=model.name,
        adapter=adapter,
        device=options.get("device"),
        dtype=options.get("dtype"),
    )


def _cuda() -> bool:
    """Whether torch would find a CUDA device."""
    import torch

    return bool(torch.cuda.is_available())
