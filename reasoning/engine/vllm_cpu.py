"""vLLM's own compiled kernels in place of chains of torch operations, for models that run eagerly on x86 CPUs.

vLLM 0.32 brings CPU kernels of RMS normalisation and SiLU-and-multiply and leaves them unused there, because it expects
torch.compile to fuse the chains. Eagerly each chain is up to eight operations over the activations, a fifth of a
decoding step of a 1.5B model. Installed through vLLM's registries of implementations, in the engine's process.
"""

from __future__ import annotations

from typing import Any, Final

import torch

__all__ = ["PRIORITY", "install"]

_NAME: Final = "stepsolver"
# The engine argument `ir_op_priority` that chooses what `install` registers.
PRIORITY: Final = {"rms_norm": [_NAME, "native"], "fused_add_rms_norm": [_NAME, "native"]}


def install() -> None:
    """Register the kernels, in a process that is about to run the model. Does nothing where vLLM lacks one."""
    from vllm import ir
    from vllm.model_executor.layers.activation import SiluAndMul
    from vllm.platforms import current_platform

    current_platform.import_kernels()
    ops = torch.ops._C
    if not all(hasattr(ops, name) for name in ("rms_norm", "fused_add_rms_norm", "silu_and_mul")):
        return

    def plain(x: Any, weight: Any, epsilon: float, variance_size: int | None = None) -> bool:
        return variance_size is None and (weight is None or weight.dtype == x.dtype)

    def plain_add(x: Any, x_residual: Any, weight: Any, epsilon: float, variance_size: int | None = None) -> bool:
        return plain(x, weight, epsilon, variance_size) and x.is_contiguous() and x_residual.is_contiguous()

    def rms_norm(
        x: torch.Tensor, weight: torch.Tensor | None, epsilon: float, variance_size: int | None = None
    ) -> torch.Tensor:
        out = torch.empty_like(x)
        ops.rms_norm(out, x, weight, epsilon)
        return out

    def fused_add_rms_norm(
        x: torch.Tensor,
        x_residual: torch.Tensor,
        weight: torch.Tensor | None,
        epsilon: float,
        variance_size: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ops.fused_add_rms_norm(x, x_residual, weight, epsilon)
        return x, x_residual

    def silu_and_mul(self: Any, x: torch.Tensor) -> torch.Tensor:
        out = torch.empty((*x.shape[:-1], x.shape[-1] // 2), dtype=x.dtype, device=x.device)
        ops.silu_and_mul(out, x)
        return out

    ir.ops.rms_norm.register_impl(_NAME, supports_args=plain, supported=True)(rms_norm)
    ir.ops.fused_add_rms_norm.register_impl(_NAME, supports_args=plain_add, supported=True, inplace=True)(
        fused_add_rms_norm
    )
    SiluAndMul.forward_cpu = silu_and_mul
