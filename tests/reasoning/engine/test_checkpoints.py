"""A GGUF becomes the model that transformers would load, its publisher's tokenizer, and what vLLM's kernels take."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType
from safetensors.torch import load_file

from data.digest import file_digest
from data.errors import UserError
from reasoning.engine import checkpoints, quantization
from reasoning.engine.flops import size_of_folder
from tests.reasoning.engine import tiny_gguf

FILES = {
    "qwen2": {"architecture": "qwen2", "pre": "qwen2"},
    "tied": {"architecture": "qwen2", "pre": "qwen2", "tied": True, "kind": GGMLQuantizationType.Q4_0},
    "llama": {"architecture": "llama", "pre": "smollm", "tied": True},
}


@pytest.fixture(scope="module", params=FILES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same file in every form, and the file itself."""
    folder = tmp_path_factory.mktemp(request.param)
    source = folder / "tiny.gguf"
    tiny_gguf.write(source, **FILES[request.param])
    for form in checkpoints.FORMS:
        (folder / form).mkdir()
        checkpoints.convert(str(source), file_digest(source, 64), form, str(folder / form))
    return {"gguf": source, **{form: folder / form for form in checkpoints.FORMS}}


def loaded(folder: Path, **options: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()


def log_probs(model: Any) -> torch.Tensor:
    ids = torch.tensor([[5, 70, 71, 200, 262, 3, 3, 17]])
    with torch.no_grad():
        found: torch.Tensor = model(ids).logits.log_softmax(-1)
    return found


def test_log_probabilities_are_those_of_transformers_own_loading(made: dict[str, Path]) -> None:
    theirs = log_probs(loaded(made["gguf"].parent, gguf_file=made["gguf"].name))
    assert torch.equal(log_probs(loaded(made["float32"])), theirs)
    assert (log_probs(loaded(made["bfloat16"])) - theirs).abs().max() < 0.1


def test_weights_are_the_gguf_package_s_bit_for_bit(made: dict[str, Path]) -> None:
    from gguf import GGUFReader, dequantize

    theirs = {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(made["gguf"]).tensors}
    ours = load_file(made["float32"] / "model.safetensors")
    assert len(ours) == len(theirs)
    for name, source in {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.1.mlp.down_proj.weight": "blk.1.ffn_down.weight",
        "model.layers.0.self_attn.v_proj.weight": "blk.0.attn_v.weight",
        "model.norm.weight": "output_norm.weight",
    }.items():
        assert torch.equal(ours[name], torch.from_numpy(theirs[source].copy()))


@pytest.mark.parametrize("form", ["int8", "int4"])
def test_quantised_weights_are_the_nearest_and_cover_every_linear_layer(made: dict[str, Path], form: str) -> None:
    from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

    exact = {k: v.clone() for k, v in loaded(made["float32"]).state_dict().items()}
    found = load_file(made[form] / "model.safetensors")
    linear = [name for name in exact if name.endswith("_proj.weight") or name == "lm_head.weight"]
    assert len(linear) == 7 * tiny_gguf.LAYERS + 1
    for name in linear:
        scale = found[f"{name}_scale"].float()
        if form == "int8":
            assert found[name].dtype is torch.int8
            value = found[name] * scale
            assert (value - exact[name]).abs().le(scale / 2 * 1.001).all()
        else:
            rows, columns = exact[name].shape
            packed = unpack_from_int32(found[f"{name}_packed"], 4, torch.Size([rows, columns]))
            zero = unpack_from_int32(found[f"{name}_zero_point"], 4, scale.shape, packed_dim=0)
            groups = packed.reshape(rows, -1, quantization.GROUP) - zero.unsqueeze(2)
            value = (groups * scale.unsqueeze(2)).reshape(rows, columns)
            # Half a step of rounding, and half a step more at the ends where the zero point was rounded.
            wide = scale.repeat_interleave(quantization.GROUP, 1)
            assert (value - exact[name]).abs().le(wide * 1.02).all()
    config = json.loads((made[form] / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
    assert size_of_folder(made[form]) == size_of_folder(made["float32"])


def test_a_folder_is_quantised_as_its_file_is(made: dict[str, Path], tmp_path: Path) -> None:
    checkpoints.quantize(str(made["float32"]), "int8", str(tmp_path))
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path, made["int8"]))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in made["int8"].iterdir()}
    with pytest.raises(UserError, match="quantised already"):
        checkpoints.quantize(str(tmp_path), "int8", str(tmp_path))


def test_the_tokenizer_is_the_publisher_s(made: dict[str, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made["int8"])
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    assert len(tokenizer) == 256 + 5 + len(tiny_gguf.SPECIAL)  # nothing that only fills the embedding up
    qwen = "qwen2" in json.loads((made["int8"] / "config.json").read_text())["model_type"]
    assert (tokenizer("e\u0301")["input_ids"] == tokenizer("é")["input_ids"]) is qwen  # Qwen's is NFC
    # "  12": SmolLM cuts digits off first and keeps the spaces together, Qwen gives the last space to none.
    assert tokenizer.tokenize("  12") == (["Ġ", "Ġ", "1", "2"] if qwen else ["ĠĠ", "1", "2"])
    text = "the 1,234 ab;\n\n 5 × 3.5 = 17½ … naïve"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer("x")["input_ids"] == tokenizer("x", add_special_tokens=False)["input_ids"]
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert said == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_both_ends_end_a_turn(made: dict[str, Path]) -> None:
    from reasoning.engine.tokenizer import HFTokenizer

    tokenizer = HFTokenizer(str(made["int8"]))
    spelled = {tokenizer.spell([i]) for i in tokenizer.eos_ids}
    assert spelled == {"<|im_end|>", "<|endoftext|>"}


@pytest.mark.parametrize("size", [3, 100, 5_000, -1])
def test_a_file_that_is_cut_is_refused_in_one_line(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.gguf"
    tiny_gguf.write(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"cut|not a GGUF") as caught:
        checkpoints.convert(str(path), "", "int8", str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"architecture": "mamba3"}, "architecture 'mamba3'"),
        ({"pre": "dbrx"}, "not known here"),
        ({"leave_out": "blk.1.ffn_up.weight"}, "no tensor for model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path, options: dict[str, str], says: str) -> None:
    path = tmp_path / "other.gguf"
    tiny_gguf.write(path, **options)
    with pytest.raises(UserError, match=says) as caught:
        checkpoints.convert(str(path), "", "int8", str(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(struct.pack("<4sI", b"PK\x03\x04", 3))
    for checksum, says in (("", "not a GGUF"), ("0" * 64, "checksum")):
        with pytest.raises(UserError, match=says):
            checkpoints.convert(str(path), checksum, "int8", str(tmp_path))
    with pytest.raises(UserError, match="cannot read"):
        checkpoints.convert(str(tmp_path / "nowhere.gguf"), "", "int8", str(tmp_path))


def test_shards_together_hold_every_tensor(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoints, "_SHARD", 20_000)
    checkpoints.convert(str(made["gguf"]), "", "float32", str(tmp_path))
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    whole, parts = loaded(made["float32"]).state_dict(), loaded(tmp_path).state_dict()
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
