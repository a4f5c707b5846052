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
    installed). `options` go to the engine (`--engine KEY=VALUE`), but for `weights`: int8, int4, bfloat16 or float32,
    how the weights of a model on a CPU are stored (default: what is fastest there, see `reasoning.engine.forms`). An
    adapter runs natively on a GPU; on a CPU, where that is slow, it is merged into the model once. Raises UserError or
    EngineError in one line.
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
    from reasoning.engine import adapters, checkpoints, forms, models

    options = dict(options)
    weights = options.pop("weights", None)
    use_vllm = backend == "vllm" or (backend == "auto" and find_spec("vllm") is not None)
    if use_vllm and find_spec("vllm") is None:
        raise UserError("vLLM is not installed; install it (see the README) or choose the backend transformers")
    if not use_vllm and (unknown := set(options) - {"device", "dtype"}):
        raise UserError(f"the transformers engine has no option {min(unknown)!r}; it takes device and dtype")
    on_cpu = options.get("device") == "cpu" or not _cuda()
    form = forms.checked(weights) if weights else None
    if form in forms.QUANTIZED and not (use_vllm and on_cpu):
        raise UserError(f"weights={form} is for vLLM on a CPU; leave it out here")
    if form is None and use_vllm and on_cpu and not options.get("quantization"):
        form = forms.chosen(model)
    adapter = model.adapter
    if adapter is None:
        folder = await asyncio.to_thread(models.folder, model, form)
    else:
        folder = await asyncio.to_thread(models.folder, model)
        await asyncio.to_thread(adapters.check_base, folder, adapter)
        if on_cpu:
            folder, adapter = await asyncio.to_thread(adapters.merged, folder, adapter), None
            if form is not None:
                folder = await asyncio.to_thread(checkpoints.from_folder, folder, form)
    if on_cpu:
        forms.check_memory(model.name, folder)
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
