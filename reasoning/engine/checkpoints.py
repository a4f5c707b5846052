"""Model folders in the form an engine wants: made once from a GGUF file or another folder, then read from the cache.

A form is how the weights lie on disk: `float32` and `bfloat16` (every runtime and trainer reads them), `int8` and
`int4` (see `reasoning.engine.quantization`). Tensors pass through one at a time and are written in shards, so making a
folder takes memory for the largest tensor and a shard, not for the model.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args

from data.digest import file_digest
from data.errors import UserError, one_line
from reasoning.engine import cache
from reasoning.engine.gguf import Gguf

__all__ = ["FORMS", "Form", "convert", "copied_files", "folder_identity", "from_folder", "from_gguf", "quantize"]

Form = Literal["float32", "bfloat16", "int8", "int4"]
FORMS: Final[tuple[str, ...]] = get_args(Form)
_FORMAT: Final = 2  # raise when the conversion changes, so that folders of older versions are not used
_SHARD: Final = 1 << 30  # bytes
_WEIGHTS: Final = frozenset({".safetensors", ".bin", ".pt", ".gguf"})


def from_gguf(gguf: Path, checksum: str, form: str) -> Path:
    """The folder with the model of a GGUF file, whose SHA-256 is `checksum`; built at first use, which says so."""

    def build(folder: Path) -> None:
        print(f"converting {gguf.name} to {form}, once ...", file=sys.stderr, flush=True)
        cache.in_child(convert, str(gguf), checksum, form, str(folder))

    return cache.ensure("models", *gguf_entry(gguf, checksum, form), build)


def gguf_entry(gguf: Path, checksum: str, form: str) -> tuple[str, dict[str, str]]:
    """The cache key and the source record of `from_gguf`."""
    source = {"gguf": checksum, "form": form, "format": str(_FORMAT)}
    return f"{gguf.stem}-{checksum[:16]}-{form}-f{_FORMAT}", source


def from_folder(folder: Path, form: str) -> Path:
    """A model folder's weights in another form; built at first use, which says so."""
    source = {"base": folder_identity(folder), "form": form, "format": str(_FORMAT)}
    key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:24]

    def build(target: Path) -> None:
        print(f"writing {folder.name} as {form}, once ...", file=sys.stderr, flush=True)
        cache.in_child(quantize, str(folder), form, str(target))

    return cache.ensure("models", f"{form}-{key}", source, build)


def folder_identity(folder: Path) -> str:
    """What tells one folder from another without reading gigabytes: small files by content, large ones by stat."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        stat = path.stat()
        what = file_digest(path, 64) if stat.st_size <= cache.SMALL else f"{stat.st_size} {stat.st_mtime_ns}"
        digest.update(f"{path.name}\0{what}\n".encode())
    return digest.hexdigest()


def copied_files(folder: Path) -> Iterator[Path]:
    """What a model folder holds beside its weights and configuration: tokenizer, chat template and the like."""
    for path in folder.iterdir():
        name = path.name
        kept = name != cache.MANIFEST and not name.endswith(".index.json") and not name.startswith(".")
        if path.is_file() and path.suffix not in _WEIGHTS and kept:
            yield path


# ---- in a process of their own ---------------------------------------------------------------------------------------


def convert(source: str, checksum: str, form: str, target: str) -> None:
    """Write the folder `target` from the GGUF file `source`, whose SHA-256 must be `checksum`."""
    from transformers import GenerationConfig

    path, folder = Path(source), Path(target)
    if checksum and file_digest(path, 64) != checksum:
        raise UserError(f"{path} is damaged: its checksum is not {checksum[:16]}…; remove it and pull it again")
    gguf = Gguf(path)
    config = gguf.config()
    model = _skeleton(config)
    _write(gguf.tensors(model), model, form, folder)
    tokenizer = gguf.tokenizer()
    tokenizer.save_pretrained(folder)
    ends = gguf.end_ids()
    config.eos_token_id = ends[0] if len(ends) == 1 else ends
    generation = GenerationConfig(eos_token_id=config.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    generation.save_pretrained(folder)
    _save_config(config, model, form, folder)


def quantize(source: str, form: str, target: str) -> None:
    """Write the folder `target`: that of `source`, a folder of float weights, with its weights as `form`."""
    from safetensors import SafetensorError, safe_open
    from transformers import AutoConfig

    base, folder = Path(source), Path(target)
    try:
        config = AutoConfig.from_pretrained(base, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the configuration of {base}: {one_line(error)}") from None
    if getattr(config, "quantization_config", None):
        raise UserError(f"{base} is quantised already: leave the engine option weights out")
    model = _skeleton(config)
    known = set(model.state_dict())

    def tensors() -> Iterator[tuple[str, Any]]:
        for path in sorted(base.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (not a dict)
                    if name in known:
                        yield name, file.get_tensor(name).float()

    try:
        _write(tensors(), model, form, folder)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read the weights of {base}: {one_line(error)}") from None
    for path in copied_files(base):
        shutil.copyfile(path, folder / path.name)
    _save_config(config, model, form, folder)


def _skeleton(config: Any) -> Any:
    """The model on torch's meta device: names, shapes and kinds of layers, no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def _write(tensors: Iterator[tuple[str, Any]], model: Any, form: str, folder: Path) -> None:
    """Write safetensors shards of the tensors, in the form asked for."""
    import torch
    from safetensors.torch import save_file

    from reasoning.engine.quantization import pack

    linear = {f"{name}.weight" for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    tied = model.config.tie_word_embeddings
    embedding = next((n for n, p in model.named_parameters() if p is model.get_input_embeddings().weight), None)
    dtype = torch.float32 if form == "float32" else torch.bfloat16
    shards: list[tuple[Path, list[str]]] = []
    pending: dict[str, Any] = {}
    size = total = 0

    def flush() -> None:
        nonlocal pending, size
        path = folder / f"part-{len(shards)}.safetensors"
        save_file(pending, path, metadata={"format": "pt"})
        shards.append((path, list(pending)))
        pending, size = {}, 0

    def put(made: dict[str, Any]) -> None:
        nonlocal size, total
        for name, tensor in made.items():
            if size and size + tensor.nbytes > _SHARD:
                flush()
            pending[name] = tensor.contiguous()
            size += tensor.nbytes
            total += tensor.nbytes

    for name, tensor in tensors:
        if form not in ("int8", "int4"):
            if not (tied and name == "lm_head.weight"):
                put({name: tensor.to(dtype)})
            continue
        if name in linear and not (tied and name == "lm_head.weight"):
            put(pack(name, tensor, form))  # type: ignore[arg-type]
        else:
            put({name: tensor.to(dtype)})
        if tied and name == embedding:  # the output layer is quantised, so it is a layer of its own from here on
            put(pack("lm_head.weight", tensor, form))  # type: ignore[arg-type]
    flush()
    if len(shards) == 1:
        shards[0][0].rename(folder / "model.safetensors")
        return
    weight_map = {}
    for number, (path, names) in enumerate(shards, 1):
        final = f"model-{number:05}-of-{len(shards):05}.safetensors"
        path.rename(folder / final)
        weight_map.update(dict.fromkeys(names, final))
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def _save_config(config: Any, model: Any, form: str, folder: Path) -> None:
    from reasoning.engine.quantization import config as quantization

    config.architectures = [type(model).__name__]
    config.dtype = "float32" if form == "float32" else "bfloat16"
    if form in ("int8", "int4"):
        config.tie_word_embeddings = False
    config.save_pretrained(folder)
    if form in ("int8", "int4"):
        path = folder / "config.json"
        content = json.loads(path.read_text())
        content["quantization_config"] = quantization(form)  # type: ignore[arg-type]
        path.write_text(json.dumps(content, indent=2))
