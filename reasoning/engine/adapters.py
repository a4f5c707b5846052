"""LoRA adapters folded into their base model, for runtimes that are slow with adapters at run time.

The sum is made once, in float32, then cast to the type the base is stored in, and cached by the content of both.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from data.digest import file_digest
from data.errors import UserError
from reasoning.cards import read_card
from reasoning.engine import cache, checkpoints

__all__ = ["adapter_config", "check_base", "fingerprint", "identity", "load_weights", "merge", "merged"]

_CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_FORMAT = 1  # raise when the way of merging changes
_EMBEDDINGS = ("lm_head", "embed_tokens", "wte", "embed_in", "embed_out")


def adapter_config(adapter: Path) -> dict[str, Any]:
    """The configuration of a PEFT LoRA folder. Raises UserError where the folder is none."""
    if not adapter.is_dir():
        raise UserError(f"no adapter folder {adapter}; --adapter takes a folder with {_CONFIG} and {WEIGHTS}, or none")
    for name in (_CONFIG, WEIGHTS):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter} holds no {name}; --adapter takes a folder that PEFT's save_pretrained wrote")
    try:
        config = json.loads((adapter / _CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {adapter / _CONFIG} ({_line(error)}); save the adapter again") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise UserError(f"{adapter} is not a LoRA adapter (peft_type {kind!r}); --adapter takes LoRA only")
    return dict(config)


def merged(base: Path | str, adapter: Path) -> Path:
    """The folder of `base` (a local model folder) with `adapter` added to its weights, built at first use.

    Building says so on stderr, as it takes a while, and needs memory for the base in float32. Raises UserError where
    the adapter is damaged or belongs to another model.
    """
    base = Path(base)
    adapter_config(adapter)
    if not (base / "config.json").is_file():
        raise UserError(f"{base} is not a model folder (no config.json)")
    source = {"base": checkpoints.folder_identity(base), "adapter": identity(adapter), "format": str(_FORMAT)}
    key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:24]

    def build(folder: Path) -> None:
        print(f"merging the adapter {adapter.name} into its model, once ...", file=sys.stderr, flush=True)
        cache.in_child(merge, str(base), str(adapter), str(folder))

    return cache.ensure("merged", key, source, build)


def identity(adapter: Path) -> str:
    """SHA-256 of what an adapter computes: its weights and their configuration, not its card."""
    return hashlib.sha256("".join(file_digest(adapter / n, 64) for n in (_CONFIG, WEIGHTS)).encode()).hexdigest()


def merge(base_folder: str, adapter_folder: str, target: str) -> None:
    """Write the model folder `target`: the base's weights plus the adapter's, summed in float32."""
    import torch
    from peft import LoraConfig, PeftModel, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    base, adapter, folder = Path(base_folder), Path(adapter_folder), Path(target)
    config = adapter_config(adapter)
    other = f"the adapter {adapter} (trained on {config.get('base_model_name_or_path')}) does not fit the model {base}"
    try:
        weights = load_file(adapter / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {adapter / WEIGHTS} ({_line(error)}); save the adapter again") from error
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the model {base} ({_line(error)})") from error
    if model.config.tie_word_embeddings and any(part in key for key in weights for part in _EMBEDDINGS):
        raise UserError(
            f"the adapter {adapter} changes the embedding, which {base} shares with its output layer, so it cannot be "
            "merged; train it on the linear layers only"
        )
    stored = _stored_dtype(base)
    try:
        wrapped = PeftModel(model, LoraConfig.from_pretrained(adapter))
        loaded = set_peft_model_state_dict(wrapped, weights)
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{other}: {_line(error)}") from error
    missing = [key for key in loaded.missing_keys if "lora_" in key]
    if loaded.unexpected_keys or missing:
        which = (loaded.unexpected_keys or missing)[0]
        raise UserError(f"{other}: {which} is in only one of them")
    try:
        whole = wrapped.merge_and_unload(safe_merge=True)
    except ValueError as error:  # safe_merge found a NaN or an infinity
        raise UserError(f"the adapter {adapter} cannot be merged ({_line(error)})") from error
    for path in checkpoints.copied_files(base):  # exactly as they are
        shutil.copyfile(path, folder / path.name)
    whole.to(stored).save_pretrained(folder)


def _stored_dtype(base: Path) -> Any:
    """The torch type the base's configuration says its weights are stored in; bfloat16 where it says none."""
    import torch

    config = json.loads((base / "config.json").read_text())
    dtype = getattr(torch, str(config.get("dtype") or config.get("torch_dtype")), None)
    return dtype if isinstance(dtype, torch.dtype) and dtype.is_floating_point else torch.bfloat16


def _line(error: Exception) -> str:
    """The heart of a library's message in one line of bounded length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def load_weights(adapter: Path) -> dict[str, Any]:
    """The tensors of an adapter folder."""
    from safetensors.torch import load_file

    weights: dict[str, Any] = load_file(adapter / WEIGHTS)
    return weights


def fingerprint(base: Path) -> str:
    """What tells a base model from another: its architecture and a sample of every tensor, in 16 hex digits.

    The same for every storage type: the sample is the float16 form of four values of each tensor.
    """
    import torch
    from safetensors import safe_open

    config = json.loads((base / "config.json").read_text())
    names = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    digest = hashlib.sha256(json.dumps([config.get(name) for name in names]).encode())
    for path in sorted(base.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                part = file.get_slice(name)
                first = part[:1] if part.get_shape() else file.get_tensor(name)
                digest.update(name.encode() + first.flatten()[:4].to(torch.float16).numpy().tobytes())
    return digest.hexdigest()[:16]


def check_base(base: Path, adapter: Path) -> None:
    """Raise UserError where the adapter's card names another base than `base`. Adapters without a card pass."""
    card = read_card(adapter)
    if card is not None and card.base_fingerprint not in (None, fingerprint(base)):
        raise UserError(f"the adapter {adapter} was trained on {card.base}, not on {base}; use it there")
