"""Floating-point operations of a model's forward passes, estimated from its shape. Reads headers only: no torch."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from search.types import Usage

__all__ = ["ModelSize", "asked", "flops", "size_of", "size_of_folder"]

_LOOKED_UP: Final = re.compile(
    r"(embed_tokens|tok_embeddings|embed_in|wte|wpe|word_embeddings|embed_positions)\.weight$"
)
_HEAD: Final = re.compile(r"(^|\.)(lm_head|embed_out)\.weight$")
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_PACKED: Final = 1 << 16  # numbers from which an integer tensor is taken for packed weights, not for a buffer
_MOST_HEADER: Final = 100_000_000  # bytes, as the safetensors library itself allows


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a token costs in a model.

    `body` counts the parameters every token is multiplied with, `head` those of the output matrix, and `attention` is
    4 · layers · heads · head size: the operations for each token attended to.
    """

    body: int
    head: int
    attention: int


def flops(size: ModelSize | None, usage: Usage) -> float | None:
    """Operations of the forward passes behind `usage`; None where the size or what was cached is unknown.

        2 · body · computed + 2 · head · completion + attention · attended

    A multiplication and an addition for each parameter and token, embedding rows left out because they are only looked
    up, plus attention's two products (queries with keys, weights with values) of 2 · heads · head size each, over the
    tokens attended to: Kaplan et al., arXiv 2001.08361, section 2.1 and table 1, and PaLM, arXiv 2204.02311,
    appendix B. Departures: the causal sum is exact rather than taken at the context's length or its half; and the
    output matrix counts for sampled tokens only, because engines apply it to no others. Left out: norms, softmax,
    activations, sampling, and LoRA adapters that are not merged. Full attention is assumed, so for sliding windows it
    is an upper bound.
    """
    if usage.computed == 0:
        return 0.0
    if size is None or usage.computed is None or usage.attended is None:
        return None
    return float(2 * size.body * usage.computed + 2 * size.head * usage.completion + size.attention * usage.attended)


def size_of(model: object) -> ModelSize | None:
    """The size an engine gives as `size`, or that of the engine that a policy or a reward asks; None where unknown."""
    found = getattr(model, "size", None)
    if isinstance(found, ModelSize):
        return found
    engine = asked(model)
    return None if engine is None else size_of(engine)


def asked(reward: object) -> object | None:
    """What computes a reward's (or policy's) tokens: its `engine`, or the `scorer` that reads whole texts for it."""
    return getattr(reward, "engine", None) or getattr(reward, "scorer", None)


def size_of_folder(folder: str | Path) -> ModelSize | None:
    """The size of the model in a transformers folder, from its `config.json` and the headers of its safetensors files.

    Of a mixture's experts those count that a token passes through, and a quantised weight counts as the one it stands
    for. None where the folder does not tell: no safetensors files, weights packed in a way not known here, or a
    configuration without layers and heads.
    """
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        config = {**config, **config.get("text_config", {})}
        layers = _number(config, "num_hidden_layers", "n_layer")
        heads = _number(config, "num_attention_heads", "n_head")
        wide = config.get("head_dim") or _number(config, "hidden_size", "n_embd") // heads
        tensors = [t for path in sorted(Path(folder).glob("*.safetensors")) for t in _tensors(path)]
        tensors = _unpacked(tensors, config.get("quantization_config") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
    if not tensors or any(kind not in _FLOATS and count >= _PACKED for _, kind, count in tensors):
        return None
    share = _active_share(config)
    body = head = embedding = 0.0
    for name, _, count in tensors:
        if _LOOKED_UP.search(name):
            embedding = max(embedding, count)
        elif _HEAD.search(name):
            head = count
        elif not re.search(r"vision|visual|projector", name):
            body += count * share if ".experts." in name else count
    # Without an output matrix of its own the model uses the embedding's.
    return ModelSize(round(body), round(head or embedding), 4 * layers * heads * wide)


def _unpacked(tensors: list[tuple[str, str, int]], quantization: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """The tensors that those of a compressed-tensors checkpoint stand for."""
    if quantization.get("quant_method") != "compressed-tensors":
        return tensors
    (group,) = quantization["config_groups"].values()
    packed = 32 // group["weights"]["num_bits"]
    found = []
    for name, kind, count in tensors:
        if name.endswith(".weight_packed"):
            found.append((name.removesuffix("_packed"), "BF16", count * packed))
        elif name.endswith(".weight"):
            found.append((name, "BF16" if kind == "I8" else kind, count))
        elif not name.endswith((".weight_scale", ".weight_zero_point", ".weight_shape")):
            found.append((name, kind, count))
    return found


def _number(config: dict[str, Any], name: str, older: str) -> int:
    """The setting under its name or its older one. Raises KeyError where there is none, ValueError below 1."""
    value = int(config[name] if name in config else config[older])
    if value < 1:
        raise ValueError(f"{name} is {value}")
    return value


def _active_share(config: dict[str, Any]) -> float:
    """Of a mixture's experts, the share that each token passes through."""
    experts = next((config[k] for k in ("num_experts", "num_local_experts", "n_routed_experts") if config.get(k)), None)
    chosen = config.get("num_experts_per_tok")
    return chosen / experts if experts and chosen else 1.0


def _tensors(path: Path) -> list[tuple[str, str, int]]:
    """Name, type and number of elements of each tensor of a safetensors file, by its header."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _MOST_HEADER:
            raise ValueError(f"{path} is no safetensors file")
        header = json.loads(file.read(length))
    return [(name, t["dtype"], math.prod(t["shape"])) for name, t in header.items() if name != "__metadata__"]
