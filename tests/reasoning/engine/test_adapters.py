"""A merged model is its base plus its adapter; what does not fit is refused in one line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from reasoning.engine import adapters, cache, models

TARGETS = ["q_proj", "down_proj"]


def write(folder: Path, config: object, weights: bytes | None = b"") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if weights is not None:
        (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


@pytest.mark.parametrize(
    ("config", "weights", "says"),
    [
        ({"peft_type": "LORA"}, None, "adapter_model.safetensors"),
        ("{torn", b"", "cannot read"),
        ({"peft_type": "PROMPT_TUNING"}, b"", "not a LoRA adapter"),
        (["LORA"], b"", "not a LoRA adapter"),
    ],
)
def test_what_is_no_lora_folder_is_one_line(tmp_path: Path, config: object, weights: bytes | None, says: str) -> None:
    folder = write(tmp_path / "adapter", config, weights)
    with pytest.raises(UserError, match=says) as caught:
        adapters.adapter_config(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no adapter folder"):
        adapters.adapter_config(tmp_path / "nowhere")
    with pytest.raises(UserError, match="not a model folder"):
        adapters.merged(tmp_path, write(tmp_path / "adapter", {"peft_type": "LORA"}))


# ---- on the embedded model ----------------------------------------------------------------------------------------


def lora(base: Path, folder: Path, *, scale: float = 0.02, seed: int = 0, **settings: Any) -> Path:
    """A random LoRA adapter of `base`, both of its factors non-zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    settings = {"r": 4, "lora_alpha": 8, "target_modules": TARGETS, **settings}
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**settings))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * scale
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base() -> Path:
    return models.folder(models.resolve("smollm2-135m"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path / "cache"))
    yield
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # half a gigabyte a merge; pytest would keep it


def logprobs(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)


@pytest.mark.engine
def test_merged_and_unmerged_give_the_same_log_probabilities(base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter = lora(base, tmp_path / "adapter")
    whole = adapters.merged(base, adapter)
    ids = AutoTokenizer.from_pretrained(whole)("Tom has 3 apples and buys 4 more. Now he has 7.")["input_ids"]
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = logprobs(plain, ids)
    unmerged = logprobs(PeftModel.from_pretrained(plain, adapter), ids)
    merged = logprobs(AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32), ids)
    assert (before - unmerged).abs().max() > 0.1  # the adapter does something
    assert (merged - unmerged).abs().max() < 1e-3


@pytest.mark.engine
def test_it_is_merged_once_per_content(base: Path, tmp_path: Path) -> None:
    adapter = lora(base, tmp_path / "adapter")
    first = adapters.merged(base, adapter)
    stamp = (first / cache.MANIFEST).stat().st_mtime_ns
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in adapter.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert adapters.merged(base, copy) == first and (first / cache.MANIFEST).stat().st_mtime_ns == stamp
    assert adapters.merged(base, lora(base, tmp_path / "other", seed=1)) != first
    config = json.loads((first / "config.json").read_text())
    assert (
        config["dtype"] == "float32"
        and (first / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    )


@pytest.mark.engine
def test_an_adapter_of_another_model_or_of_the_embedding_is_one_line(base: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    def changed(name: str, change: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        weights = load_file(fitting / "adapter_model.safetensors")
        save_file(change(weights), folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_bytes((fitting / "adapter_config.json").read_bytes())
        return folder

    fitting = lora(base, tmp_path / "fitting")
    some = next(iter(load_file(fitting / "adapter_model.safetensors")))
    wide = changed("wide", lambda w: {k: torch.zeros(v.shape[0], v.shape[1] + 1) for k, v in w.items()})
    deep = changed("deep", lambda w: {**w, some.replace("layers.0", "layers.99"): w[some].clone()})
    shallow = changed("shallow", lambda w: {k: v for k, v in w.items() if k != some})
    for adapter in (wide, deep, shallow):
        with pytest.raises(UserError, match="does not fit the model") as caught:
            adapters.merged(base, adapter)
        assert "\n" not in str(caught.value)
    torn = changed("torn", lambda w: w)
    (torn / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot read"):
        adapters.merged(base, torn)
    with pytest.raises(UserError, match="linear layers only"):
        adapters.merged(base, lora(base, tmp_path / "embedding", target_modules=["embed_tokens"]))
    assert not list((cache.cache_dir() / "merged").glob("[!.]*"))
