"""Weights of linear layers in eight or four bits, as compressed-tensors checkpoints that vLLM's CPU kernels take.

`int8`: weights symmetric per output channel, activations symmetric per token as they come (W8A8, the "dynamic" form of
arXiv 2211.10438); integer dot products, which need VNNI (x86) or the like. `int4`: weights asymmetric in groups of 32
inputs, activations as they are (W4A16): a quarter of the bytes to read, and more arithmetic. Both by rounding to
nearest; the output layer is a linear layer like the others, and embeddings stay as they are.
"""

from __future__ import annotations

from typing import Any, Final, Literal

__all__ = ["GROUP", "Quantized", "config", "pack"]

Quantized = Literal["int8", "int4"]
GROUP: Final = 32  # inputs that share a scale in int4, as in llama.cpp's four-bit formats


def pack(name: str, weight: Any, form: Quantized) -> dict[str, Any]:
    """The tensors that stand for a float32 weight `[out, in]` named `NAME.weight`, by name. Overwrites `weight`."""
    return _int8(name, weight) if form == "int8" else _int4(name, weight)


def _int8(name: str, weight: Any) -> dict[str, Any]:
    import torch

    scale = (torch.linalg.vector_norm(weight, torch.inf, dim=1, keepdim=True) / 127).clamp_(min=1e-10)
    return {name: weight.div_(scale).round_().to(torch.int8), f"{name}_scale": scale}


def _int4(name: str, weight: Any) -> dict[str, Any]:
    import torch
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    rows, columns = weight.shape
    groups = weight.reshape(rows, columns // GROUP, GROUP)
    low = groups.amin(dim=2, keepdim=True).clamp_(max=0)
    high = groups.amax(dim=2, keepdim=True).clamp_(min=0)
    scale = ((high - low) / 15).clamp_(min=1e-10).to(torch.bfloat16).float()
    zero = (-low / scale).round_().clamp_(0, 15)
    values = groups.div_(scale).round_().add_(zero).clamp_(0, 15).sub_(8).to(torch.int8)
    return {
        f"{name}_packed": pack_to_int32(values.reshape(rows, columns), 4),
        f"{name}_scale": scale.squeeze(2).to(torch.bfloat16),
        f"{name}_zero_point": pack_to_int32((zero - 8).to(torch.int8).squeeze(2), 4, packed_dim=0),
        f"{name}_shape": torch.tensor([rows, columns], dtype=torch.int64),
    }


def config(form: Quantized) -> dict[str, Any]:
    """The `quantization_config` of a checkpoint whose linear layers, the output layer included, are `form`."""
    common = {"type": "int", "observer_kwargs": {}}
    weights: dict[str, Any]
    activations: dict[str, Any] | None
    if form == "int8":
        weights = {**common, "num_bits": 8, "symmetric": True, "strategy": "channel", "dynamic": False}
        activations = {**common, "num_bits": 8, "symmetric": True, "strategy": "token", "dynamic": True}
    else:
        weights = {
            **common,
            "num_bits": 4,
            "symmetric": False,
            "strategy": "group",
            "group_size": GROUP,
            "dynamic": False,
        }
        activations = None
    layout = "int-quantized" if form == "int8" else "pack-quantized"
    group = {
        "targets": ["Linear", "re:.*lm_head$"],
        "weights": weights,
        "input_activations": activations,
        "format": layout,
    }
    return {
        "quant_method": "compressed-tensors",
        "format": layout,
        "quantization_status": "compressed",
        "ignore": [],
        "config_groups": {"group_0": group},
    }
