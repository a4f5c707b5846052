"""How a model's weights lie and in what it computes, by what the CPU can do and what its memory holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from data.errors import UserError
from reasoning.engine import forms
from reasoning.engine.models import ModelRef, resolve

GIB = 1 << 30


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The instructions of the CPU; the machine has 8 GiB of memory."""
    has: set[str] = set()
    monkeypatch.setattr(forms, "_has", lambda wanted: bool(has.intersection(wanted)))
    monkeypatch.setattr(forms, "machine_memory", lambda: 8 * GIB)
    return has


def weights(folder: Path, size: int) -> Path:
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(size)
    return folder


def test_eight_bits_are_for_larger_models_on_cpus_that_multiply_them(cpu: set[str], tmp_path: Path) -> None:
    large, small = (tmp_path / name for name in ("large.gguf", "small.gguf"))
    for path, size in ((large, 400_000_000), (small, 100_000_000)):
        with path.open("wb") as file:
            file.truncate(size)
    models = [resolve("qwen2.5-coder-0.5b"), resolve("smollm2-135m"), resolve(str(large)), resolve(str(small))]
    assert [forms.chosen(model) for model in models] == [None] * 4
    cpu.add("avx512_vnni")
    assert [forms.chosen(model) for model in models] == ["int8", None, "int8", None]
    assert forms.chosen(ModelRef("a-folder", "local", path=tmp_path)) is None


@pytest.mark.parametrize(
    ("instruction", "stored", "size", "config", "expected"),
    [
        ("avx512_bf16", 2, GIB, {}, "bfloat16"),
        ("avx512_vnni", 2, GIB, {}, "float32"),
        ("avx512_vnni", 4, 6 * GIB, {}, "float32"),
        ("avx512_vnni", 2, 4 * GIB, {}, "bfloat16"),  # 8 GiB in float32, and nothing beside them
        ("avx512_vnni", 2, GIB, {"quantization_config": {"quant_method": "compressed-tensors"}}, "bfloat16"),
        ("avx512_vnni", 2, 0, {}, "bfloat16"),  # not a folder of safetensors: its size is not known
    ],
)
def test_float32_where_bfloat16_would_be_emulated_and_memory_allows(
    cpu: set[str], tmp_path: Path, instruction: str, stored: int, size: int, config: dict[str, object], expected: str
) -> None:
    cpu.add(instruction)
    told = SimpleNamespace(dtype=SimpleNamespace(itemsize=stored), **config)
    assert forms.computed(weights(tmp_path, size), told) == expected


def test_a_model_larger_than_memory_is_refused_with_what_would_fit(cpu: set[str], tmp_path: Path) -> None:
    forms.check_memory("my-model", weights(tmp_path, 6 * GIB))
    with pytest.raises(
        UserError, match=r"my-model needs 8\.5 GiB of memory and this machine has 8\.0; qwen.* would fit"
    ):
        forms.check_memory("my-model", weights(tmp_path, 7 * GIB))
