"""How the weights of a model are stored on a CPU and what it computes in: what is fastest there, by measured rules, and
whether it fits.

On two cores with AVX-512 VNNI, vLLM 0.32 (docs/models.md has the figures): eight bits decode faster than bfloat16 at
every number of sequences, four bits at none, for models of half a billion parameters and more. Without integer dot
products (VNNI on x86, dotprod on Arm) the eight-bit kernels have nothing to gain from. What is not in eight bits
computes in bfloat16 where the CPU multiplies bfloat16 and in float32 where it does not: there bfloat16 is emulated, at
a third of the speed in a batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data.errors import UserError
from reasoning.engine.checkpoints import FORMS
from reasoning.models import CATALOGUE
from reasoning.models.default import machine_memory

if TYPE_CHECKING:
    from reasoning.engine.models import ModelRef

__all__ = ["QUANTIZED", "check_memory", "checked", "chosen", "computed", "integer_products"]

QUANTIZED: Final = frozenset({"int8", "int4"})
_SMALLEST: Final = 300_000_000  # parameters; below, what is not a matrix product takes most of the time
_BESIDE: Final = 3 << 29  # bytes beside the weights: runtime, activations and a small key-value cache
# What torch calls the instructions; a machine has the ones of its architecture.
_PRODUCTS: Final = ("avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "dotprod", "i8mm")
_BFLOAT16: Final = ("avx512_bf16", "amx_bf16", "bf16")


def checked(form: str) -> str:
    """The form, or a UserError that lists them."""
    if form not in FORMS:
        raise UserError(f"no form of weights {form!r}; choose one of {', '.join(FORMS)}")
    return form


def chosen(model: ModelRef) -> str | None:
    """The form of a model's weights for vLLM on this CPU; None leaves them as they are.

    Folders and hub names are taken as they are: their publisher chose. Only GGUF files are converted anyway.
    """
    if model.kind == "catalogue":
        big = CATALOGUE[model.name].parameters >= _SMALLEST
    else:
        # A GGUF of four bits and more a weight has no more parameters than twice its bytes.
        big = model.kind == "gguf" and model.path is not None and 2 * model.path.stat().st_size >= _SMALLEST
    return "int8" if big and integer_products() else None


def integer_products() -> bool:
    """Whether this CPU multiplies and adds eight-bit integers in one instruction."""
    return _has(_PRODUCTS)


def computed(folder: Path, config: Any) -> str:
    """The type in which vLLM computes a folder's model on this CPU: float32 where that is faster and fits, or bfloat16.

    `config` is the folder's configuration as transformers reads it.
    """
    if getattr(config, "quantization_config", None) or _has(_BFLOAT16):
        return "bfloat16"
    stored = getattr(config.dtype, "itemsize", 4)
    weights = _bytes(folder) * 4 // stored
    return "float32" if weights and weights + _BESIDE <= machine_memory() else "bfloat16"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _has(instructions: tuple[str, ...]) -> bool:
    import torch

    found: dict[str, Any] = torch.cpu.get_capabilities()
    return any(found.get(name) for name in instructions)


def check_memory(name: str, folder: Path) -> None:
    """Raise UserError where a folder's weights do not fit this machine's memory, and say what would."""
    weights = _bytes(folder)
    memory = machine_memory()
    if weights + _BESIDE <= memory:
        return
    fitting = [model.name for model in CATALOGUE.values() if model.memory <= memory]
    raise UserError(
        f"{name} needs {(weights + _BESIDE) / 2**30:.1f} GiB of memory and this machine has {memory / 2**30:.1f}; "
        f"{fitting[0]} would fit"
    )
