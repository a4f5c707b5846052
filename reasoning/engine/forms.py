"""How the weights of a model are stored on a CPU: what is fastest there, by a measured rule, and whether it fits.

On two cores with AVX-512 VNNI, vLLM 0.32 (docs/models.md has the figures): eight bits decode faster than bfloat16 at
every number of sequences, four bits at none, for models of half a billion parameters and more. Without integer dot
products (VNNI on x86, dotprod on Arm) the eight-bit kernels have nothing to gain from, and bfloat16 stays.
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

__all__ = ["QUANTIZED", "check_memory", "checked", "chosen", "integer_products"]

QUANTIZED: Final = frozenset({"int8", "int4"})
_SMALLEST: Final = 300_000_000  # parameters; below, what is not a matrix product takes most of the time
_BESIDE: Final = 3 << 29  # bytes beside the weights: runtime, activations and a small key-value cache
# What torch calls the instructions; a machine has the ones of its architecture.
_PRODUCTS: Final = ("avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "dotprod", "i8mm")


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
    import torch

    found: dict[str, Any] = torch.cpu.get_capabilities()
    return any(found.get(name) for name in _PRODUCTS)


def check_memory(name: str, folder: Path) -> None:
    """Raise UserError where a folder's weights do not fit this machine's memory, and say what would."""
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    memory = machine_memory()
    if weights + _BESIDE <= memory:
        return
    fitting = [model.name for model in CATALOGUE.values() if model.memory <= memory]
    raise UserError(
        f"{name} needs {(weights + _BESIDE) / 2**30:.1f} GiB of memory and this machine has {memory / 2**30:.1f}; "
        f"{fitting[0]} would fit"
    )
